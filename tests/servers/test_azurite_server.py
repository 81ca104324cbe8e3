"""The emulator of Azure Blob Storage that the other tests rely on."""

import base64
import concurrent.futures
import re
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.storage.blob import BlobServiceClient, ContainerClient

from tests.servers import azurite as azurite_fixtures
from tests.servers import install_azurite
from tests.servers.azurite import AzureServer, SecureAzureServer


@pytest.fixture
def container(azurite: AzureServer):
    return azurite.client.get_container_client(azurite.make_container())


class TestAzurite:
    def test_stores_and_lists(self, azurite: AzureServer):
        name = azurite.make_container()
        for key in ("a/b", "a/ü %2F?#", "other"):
            azurite.client.get_blob_client(name, key).upload_blob(key.encode())
        assert azurite.contents(name) == {key: key.encode() for key in ("a/b", "a/ü %2F?#", "other")}
        assert set(azurite.contents(name, "a/")) == {"a/b", "a/ü %2F?#"}

    def test_containers_are_new_and_empty(self, azurite: AzureServer):
        first, second = azurite.make_container(), azurite.make_container()
        assert first != second
        assert azurite.contents(first) == azurite.contents(second) == {}

    def test_is_the_version_that_the_project_names(self):
        package = Path(install_azurite.command()[1]).parents[3] / "package.json"
        assert '"version": "3.35.0"' in package.read_text()

    def test_refuses_another_key(self, azurite: AzureServer):
        wrong = base64.b64encode(b"another key").decode()
        text = azurite.connection_string.replace(azurite.account_key, wrong)
        with (
            BlobServiceClient.from_connection_string(text) as client,
            pytest.raises(HttpResponseError) as refused,
        ):
            client.create_container("never-made")
        assert refused.value.status_code == 403

    def test_takes_a_shared_access_signature_for_what_it_allows(self, azurite: AzureServer):
        name = azurite.make_container()
        azurite.client.get_blob_client(name, "a").upload_blob(b"content")
        url = f"{azurite.account_url}/{name}/a?{azurite.sas_token('r')}"
        with urllib.request.urlopen(url) as answer:
            assert answer.read() == b"content"
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(urllib.request.Request(url, method="DELETE"))
        with refused.value as answer:
            assert answer.status == 403

    def test_honours_conditions(self, container: ContainerClient):
        from azure.core import MatchConditions

        first = container.upload_blob("a", b"one").get_blob_properties().etag
        for condition in (
            {"overwrite": False},
            {"overwrite": True, "etag": '"0x0"', "match_condition": MatchConditions.IfNotModified},
        ):
            with pytest.raises(HttpResponseError) as refused:
                container.upload_blob("a", b"two", **condition)
            assert refused.value.status_code in {409, 412}
        container.upload_blob("a", b"two", overwrite=True, etag=first, match_condition=MatchConditions.IfNotModified)
        assert container.download_blob("a").readall() == b"two"

    def test_lists_in_pages_in_the_order_of_bytes_below_the_astral_planes(self, container: ContainerClient):
        """What lies beyond U+FFFF comes too early: names are compared as JavaScript does, by halves of UTF-16."""
        keys = ["A", "a", "a!", "a/b", "b", "ü", "\U0001f600", "\ue000"]
        for key in reversed(keys):
            container.upload_blob(key, b"")
        pages = list(container.list_blob_names(results_per_page=3).by_page())
        listed = [[blob if isinstance(blob, str) else blob.name for blob in page] for page in pages]
        assert [len(page) for page in listed] == [3, 3, 2]
        assert [key for page in listed for key in page] == keys

    def test_serves_many_at_once(self, azurite: AzureServer):
        name = azurite.make_container()
        blobs = azurite.client.get_container_client(name)
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda number: blobs.upload_blob(f"k{number}", b"x" * number), range(100)))
        assert {key: len(content) for key, content in azurite.contents(name).items()} == {
            f"k{number}": number for number in range(100)
        }

    def test_a_proxy_sees_and_disturbs_what_is_asked(self, azurite_proxy):
        server = azurite_proxy.server
        name = server.make_container()
        azurite_proxy.answer(lambda request: request.method == "PUT", None)
        server.client.get_blob_client(name, "a").upload_blob(b"content")
        assert server.contents(name) == {"a": b"content"}
        assert azurite_proxy.count("PUT") == 3  # the container, and twice the object: the first time nobody answered
        server.close()


class TestAzuriteWithTokens:
    def client(self, server, token, **options):
        credential = StaticToken(token)
        return BlobServiceClient(server.account_url, credential, connection_verify=str(server.authority), **options)

    def test_lets_in_who_has_a_token(self, azurite_with_tokens: SecureAzureServer):
        name = azurite_with_tokens.make_container()
        with self.client(azurite_with_tokens, azurite_with_tokens.token()) as client:
            client.get_blob_client(name, "a").upload_blob(b"content")
        assert azurite_with_tokens.contents(name) == {"a": b"content"}

    @pytest.mark.parametrize(
        "wrong", [{"seconds": -60}, {"audience": "https://management.azure.com/"}], ids=["expired", "of another"]
    )
    def test_refuses_other_tokens(self, azurite_with_tokens: SecureAzureServer, wrong):
        token = azurite_with_tokens.token(**wrong)
        with (
            self.client(azurite_with_tokens, token, retry_total=0) as client,
            pytest.raises(ClientAuthenticationError),
        ):
            client.create_container("never-made")

    def test_is_not_trusted_without_its_authority(self, azurite_with_tokens: SecureAzureServer):
        with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
            urllib.request.urlopen(azurite_with_tokens.account_url)


class StaticToken:
    """A credential of Microsoft's client: one token."""

    def __init__(self, token):
        self.found = AccessToken(token, int(time.time()) + 3600)

    def get_token(self, *scopes, **options):
        return self.found


class TestTheInstall:
    def test_is_not_repeated(self, tmp_path, monkeypatch):
        folder = tmp_path / "tools/azurite"
        filled = []

        def fill(made):
            filled.append(made)
            (made / "content").mkdir()
            (made / "content/ready").write_text(install_azurite._identity())

        monkeypatch.setattr(install_azurite, "_fill", fill)
        assert install_azurite.install(folder) == install_azurite.install(folder)
        assert len(filled) == 1
        assert sorted(path.name for path in folder.parent.iterdir()) == ["azurite", "azurite.lock"]

    def test_of_another_version_is_replaced(self, tmp_path, monkeypatch):
        folder = tmp_path / "azurite"
        folder.mkdir()
        (folder / "ready").write_text("of another lock file")
        (folder / "old").touch()

        def fill(made):
            (made / "content").mkdir()
            (made / "content/ready").write_text(install_azurite._identity())

        monkeypatch.setattr(install_azurite, "_fill", fill)
        install_azurite.install(folder)
        assert [path.name for path in folder.iterdir()] == ["ready"]

    def test_that_cannot_reach_the_registry_says_so_and_leaves_nothing(self, tmp_path, monkeypatch):
        monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:1")
        monkeypatch.setenv("npm_config_cache", str(tmp_path / "cache"))
        monkeypatch.setenv("npm_config_fetch_retries", "0")
        with pytest.raises(install_azurite.NotInstalledError) as raised:
            install_azurite.install(tmp_path / "tools/azurite")
        message = str(raised.value)
        assert "ECONNREFUSED" in message
        assert "npm_config_registry" in message
        assert not re.search(r"^\s+npm error\s+at ", message, re.MULTILINE)
        assert [path.name for path in (tmp_path / "tools").iterdir()] == ["azurite.lock"]

    def test_that_is_missing_is_named_with_the_way_out(self, tmp_path):
        with pytest.raises(install_azurite.NotInstalledError, match="make test") as raised:
            install_azurite.command(tmp_path / "azurite")
        assert "-m tests.servers.install_azurite" in str(raised.value)

    def test_that_is_missing_fails_the_tests_that_need_it(self, tmp_path):
        with pytest.raises(pytest.fail.Exception, match="make test"):
            azurite_fixtures._program(tmp_path / "azurite")

    def test_names_every_package_with_its_digest(self):
        import json

        lock = json.loads((Path(install_azurite.__file__).parent / "node/package-lock.json").read_text())
        packages = {name: package for name, package in lock["packages"].items() if name}
        assert packages["node_modules/azurite"]["version"] == "3.35.0"
        assert not [name for name, package in packages.items() if not package["integrity"].startswith("sha512-")]
        elsewhere = [
            name
            for name, package in packages.items()
            if not package["resolved"].startswith("https://registry.npmjs.org/")
        ]
        assert not elsewhere
