"""The standard Azure environment works, and an explicit option wins over it."""

import contextlib
import http.server
import json
import threading
import time

import pytest
from azure.identity import ClientSecretCredential, DefaultAzureCredential, ManagedIdentityCredential
from cloudsync_azure import signing
from cloudsync_azure.backend import AzureBackend
from cloudsync_azure.config import AzureOptions
from cloudsync_azure.environment import Environment
from cloudsync_azure.signing import Anonymous, Bearer, SharedAccess, SharedKey

from cloudsync_core.body import Body
from cloudsync_core.errors import AccessDeniedError, ConfigError, UnauthenticatedError, UnavailableError
from cloudsync_core.location import Location

KEY = "c2VjcmV0IGtleSBvZiBhbiBhY2NvdW50"
STRING = f"DefaultEndpointsProtocol=https;AccountName=one;AccountKey={KEY};EndpointSuffix=core.windows.net"
BOX = Location("az", "box/prefix")


@pytest.fixture
def setting(monkeypatch):
    """Return a function that sets variables and returns what is found of a location."""

    def found(location=BOX, *, variables=None, **options):
        for name, value in (variables or {}).items():
            monkeypatch.setenv(f"AZURE_STORAGE_{name}", value)
        return Environment(location, AzureOptions(**options))

    return found


def url(found):
    return f"{found.address.server.url}{found.address.base}"


class TestAccount:
    @pytest.mark.parametrize("name", ["ACCOUNT", "ACCOUNT_NAME"])
    def test_variable_is_honoured(self, setting, name):
        found = setting(variables={name: "one"})
        assert (found.address.account, url(found)) == ("one", "https://one.blob.core.windows.net")

    def test_option_wins(self, setting):
        assert setting(variables={"ACCOUNT": "one"}, account_name="two").address.account == "two"

    def test_endpoint_names_it(self, setting):
        found = setting(endpoint_url="http://127.0.0.1:10000/devstoreaccount1")
        assert (found.address.account, found.endpoint) == ("devstoreaccount1", "127.0.0.1:10000/devstoreaccount1")

    def test_endpoint_of_the_environment(self, setting):
        found = setting(variables={"SERVICE_ENDPOINT": "https://one.blob.core.usgovcloudapi.net/"})
        assert (found.address.account, url(found)) == ("one", "https://one.blob.core.usgovcloudapi.net")

    def test_location_may_name_it(self, setting):
        found = setting(Location("abfs", "box@one.dfs.core.windows.net/prefix"))
        assert (found.address.container, found.address.account) == ("box", "one")
        assert url(found) == "https://one.blob.core.windows.net"

    def test_none_is_said(self, setting):
        with pytest.raises(ConfigError, match=r"az://box/prefix: no storage account is named(?s:.*)account_name"):
            setting()

    def test_two_different_ones_are_a_contradiction(self, setting):
        with pytest.raises(ConfigError, match="the location names the account one, and its options two"):
            setting(Location("abfs", "box@one.dfs.core.windows.net"), account_name="two")

    def test_emulator_is_known(self, setting):
        found = setting(connection_string="UseDevelopmentStorage=true")
        assert url(found) == "http://127.0.0.1:10000/devstoreaccount1"
        assert isinstance(found.authorise, SharedKey)


class TestContainer:
    @pytest.mark.parametrize("name", ["", "No_Container", "a", "a--b"])
    def test_name_that_none_can_have_is_a_config_error(self, setting, name):
        with pytest.raises(ConfigError, match="az://container/prefix"):
            setting(Location("az", f"{name}/prefix"), account_name="one")

    def test_host_of_no_account_is_a_config_error(self, setting):
        with pytest.raises(ConfigError, match="'example.com' is not the host of a storage account".replace(".", r"\.")):
            setting(Location("az", "box@example.com"))


class TestCredentials:
    @pytest.mark.parametrize("name", ["KEY", "ACCOUNT_KEY"])
    def test_key(self, setting, name):
        assert isinstance(setting(variables={"ACCOUNT": "one", name: KEY}).authorise, SharedKey)

    def test_shared_access_signature(self, setting):
        found = setting(variables={"ACCOUNT": "one", "SAS_TOKEN": "?sv=1&sig=x"})
        assert isinstance(found.authorise, SharedAccess)
        assert found.authorise.token == "sv=1&sig=x"

    def test_connection_string(self, setting):
        found = setting(variables={"CONNECTION_STRING": STRING, "ACCOUNT": "other", "SAS_TOKEN": "x"})
        assert found.address.account == found.authorise.account == "one"

    def test_connection_string_with_a_signature(self, setting):
        found = setting(
            connection_string="BlobEndpoint=https://one.blob.core.windows.net/;SharedAccessSignature=sv=1&sig=a%3D"
        )
        assert (found.address.account, found.authorise.token) == ("one", "sv=1&sig=a%3D")

    @pytest.mark.parametrize("value", ["true", "1"])
    def test_anonymous(self, setting, value):
        assert isinstance(setting(variables={"ACCOUNT": "one", "ANON": value}).authorise, Anonymous)

    @pytest.mark.parametrize("value", ["", "false", "0"])
    def test_not_anonymous(self, setting, value):
        assert isinstance(setting(variables={"ACCOUNT": "one", "ANON": value}).authorise, Bearer)

    def test_without_any_an_identity_is_looked_for(self, setting):
        assert isinstance(setting(account_name="one").authorise, Bearer)

    @pytest.mark.parametrize(
        ("options", "kind"),
        [
            ({"account_key": KEY}, SharedKey),
            ({"sas_token": "sig=y"}, SharedAccess),
            ({"anonymous": True}, Anonymous),
            ({"managed_identity": True}, Bearer),
            ({"tenant_id": "t", "client_id": "c", "client_secret": "s"}, Bearer),
        ],
        ids=str,
    )
    def test_options_win_over_every_variable(self, setting, options, kind):
        around = {"ACCOUNT": "one", "KEY": "bm8=", "SAS_TOKEN": "sig=x", "ANON": "true"}
        found = setting(variables=around, **options)
        assert type(found.authorise) is kind
        assert found.address.account == "one"
        if kind is SharedAccess:
            assert found.authorise.token == "sig=y"

    def test_what_belongs_to_another_account_is_not_used(self, setting):
        found = setting(variables={"CONNECTION_STRING": STRING}, account_name="two")
        assert isinstance(found.authorise, Bearer)
        assert url(found) == "https://two.blob.core.windows.net"

    @pytest.mark.parametrize(
        ("text", "complaint"),
        [
            ("hush-hush", "the connection string is damaged"),
            ("AccountKey=hush-hush", "names neither AccountName nor BlobEndpoint"),
            ("AccountName=one", "neither AccountKey nor SharedAccessSignature"),
            ("AccountName=one;AccountKey=hush-hush!", "the account key is not base64"),
            ("BlobEndpoint=ftp://hush;AccountName=one;AccountKey=aGk=", "no URL of a server"),
        ],
    )
    def test_damaged_connection_string_is_a_config_error_that_shows_nothing(self, setting, text, complaint):
        with pytest.raises(ConfigError, match=complaint) as caught:
            setting(connection_string=text)
        assert "hush-hush" not in str(caught.value)

    def test_tokens_do_not_go_over_plain_http(self, setting):
        for options in ({}, {"managed_identity": True}):
            with pytest.raises(ConfigError, match="tokens of an identity are not sent over plain HTTP"):
                setting(account_name="one", endpoint_url="http://one.blob.core.windows.net", **options)
        assert isinstance(setting(endpoint_url="http://localhost:10000/one").authorise, Bearer)

    @pytest.mark.parametrize(
        ("options", "kind"),
        [
            ({"tenant_id": "t-1", "client_id": "c", "client_secret": "s"}, ClientSecretCredential),
            ({"managed_identity": True}, ManagedIdentityCredential),
            ({}, DefaultAzureCredential),
        ],
        ids=str,
    )
    def test_identity_is_the_one_that_options_name(self, options, kind):
        with contextlib.closing(signing._credential(AzureOptions(**options))) as credential:
            assert type(credential) is kind


class TestOnTheServer:
    @pytest.mark.parametrize("wrong", ["account_key", "sas_token"])
    def test_wrong_credentials_are_said_and_not_shown(self, azurite, open_azure, wrong):
        secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQ="
        value = secret if wrong == "account_key" else f"sv=2023-11-03&sr=c&sp=rwdl&se=2099-01-01&sig={secret}"
        backend = open_azure(azurite, azurite.make_container(), **{"account_key": None, wrong: value})
        for attempt in (lambda: list(backend.list()), lambda: backend.stat("k"), lambda: backend.put("k", Body(b"x"))):
            with pytest.raises((UnauthenticatedError, AccessDeniedError)) as caught:
                attempt()
            assert secret not in str(caught.value)

    def test_environment_alone_is_enough(self, azurite, monkeypatch):
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite.connection_string)
        container = azurite.make_container()
        with AzureBackend(Location("az", container), AzureOptions()) as backend:
            backend.put("key", Body(b"content"))
        assert azurite.contents(container) == {"key": b"content"}

    def test_anonymous_requests_are_not_signed(self, azurite, azurite_proxy, open_azure):
        container = azurite.make_container()
        azurite.client.get_container_client(container).set_container_access_policy({}, public_access="container")
        backend = open_azure(azurite_proxy.server, container, account_key=None, anonymous=True)
        assert list(backend.list()) == []
        assert [request.headers.get("authorization") for request in azurite_proxy.requests] == [None]
        with pytest.raises((UnauthenticatedError, AccessDeniedError)):
            backend.put("key", Body(b"x"))


class TestTokens:
    """The machine's identity, as App Service gives it: a server of the machine's own hands out tokens."""

    @pytest.fixture
    def source(self, monkeypatch):
        """What hands out tokens: `tokens` of them, each valid for `seconds`, unless its `status` is another."""

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.server.asked.append(self.path)
                number = len(self.server.asked)
                body = {"access_token": f"token-{number}", "expires_on": str(int(time.time()) + self.server.seconds)}
                body |= {"resource": "https://storage.azure.com", "token_type": "Bearer"}
                if self.server.status != 200:
                    body = {"error": "invalid_request", "error_description": "no such identity"}
                self.send_response(self.server.status)
                self.send_header("content-type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, *_):
                pass

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            server.asked, server.seconds, server.status = [], 7200, 200
            thread = threading.Thread(target=server.serve_forever, args=(0.02,))
            thread.start()
            monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{server.server_address[1]}/token")
            monkeypatch.setenv("IDENTITY_HEADER", "header")
            yield server
            server.shutdown()
            thread.join()

    @pytest.fixture
    def by_identity(self, azurite, token_proxy, open_azure):
        token_proxy.tokens = {f"token-{number}" for number in range(1, 20)}
        backend = open_azure(
            token_proxy.server, azurite.make_container(), "root", account_key=None, managed_identity=True
        )
        backend.proxy = token_proxy
        return backend

    def test_every_verb_is_let_in_by_one_token(self, source, by_identity):
        info = by_identity.put("key", Body(b"content"))
        by_identity.copy(by_identity, info, "copy")
        assert [key for page in by_identity.list() for key in page.keys] == ["copy", "key"]
        assert by_identity.read("key", 100).read() == b"content"
        by_identity.delete("key")
        assert {request.headers["authorization"] for request in by_identity.proxy.requests} == {"Bearer token-1"}
        [copy] = [request for request in by_identity.proxy.requests if "x-ms-copy-source" in request.headers]
        assert copy.headers["x-ms-copy-source-authorization"] == "Bearer token-1"
        assert len(source.asked) == 1
        assert "resource=https" in source.asked[0]

    def test_they_are_renewed_before_they_expire(self, source, by_identity, monkeypatch):
        for _ in range(3):
            by_identity.delete("key")
        assert len(source.asked) == 1
        later = time.time() + 7200 - signing.SECONDS_BEFORE_EXPIRY + 1
        monkeypatch.setattr(signing.time, "time", lambda: later)
        source.seconds = 2 * 7200
        # What Azure's library itself keeps knows nothing of the later time.
        by_identity.place.connection.authorise.token._credential = None
        by_identity.delete("key")
        assert len(source.asked) == 2
        assert by_identity.proxy.requests[-1].headers["authorization"] == "Bearer token-2"

    def test_many_threads_ask_for_one_token(self, source, by_identity):
        futures = [by_identity.place.connection.submit(lambda: by_identity.delete("key")) for _ in range(8)]
        for future in futures:
            future.result()
        assert len(source.asked) == 1

    def test_identity_that_gets_none_is_said(self, source, by_identity):
        source.status = 400
        for attempt in (lambda: list(by_identity.list()), lambda: by_identity.put("k", Body(b"x"))):
            with pytest.raises(UnauthenticatedError, match=r"no token was given(?s:.*)service principal"):
                attempt()

    def test_no_identity_at_all_is_said(self, azurite, open_azure, monkeypatch):
        for name in ("PATH", "HOME"):
            monkeypatch.setenv(name, "/nowhere")
        monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "AzureCliCredential")
        backend = open_azure(azurite, azurite.make_container(), account_key=None)
        with pytest.raises((UnauthenticatedError, UnavailableError), match="token"):
            list(backend.list())


class TestCertificates:
    def test_bundle_that_does_not_exist_is_a_config_error(self, setting, monkeypatch):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/bundle")
        with pytest.raises(ConfigError, match="no file /no/such/bundle of certificate authorities"):
            setting(account_name="one")

    def test_option_wins(self, setting, monkeypatch, tmp_path):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/bundle")
        (tmp_path / "bundle").write_text("x")
        assert setting(account_name="one", ca_bundle=tmp_path / "bundle").ca_bundle == tmp_path / "bundle"
