"""How servers are reached: over the wire, through proxies, behind TLS, and the exact way."""

import os
import socket
import subprocess
import sys
from urllib.parse import urlsplit

import pytest
from cloudsync_azure import exact

from cloudsync_core.body import Body
from cloudsync_core.errors import ObjectNotFoundError, UnavailableError
from plugins.azure.tests.test_puts import patterned
from tests.servers.proxy import Response

NOWHERE = "http://127.0.0.1:9/account"
VERBS = pytest.mark.parametrize(
    "ask",
    [
        lambda backend: list(backend.list()),
        lambda backend: backend.stat("key"),
        lambda backend: backend.put("key", Body(b"x")),
        lambda backend: backend.delete("key"),
    ],
    ids=["list", "stat", "put", "delete"],
)


def test_a_run_without_tokens_needs_neither_adlfs_nor_azures_sdk(azurite):
    """They take longer to import than a whole run of some objects."""
    program = """
import sys
from cloudsync_azure.backend import AzureBackend
from cloudsync_azure.config import AzureOptions
from cloudsync_core.body import Body
from cloudsync_core.location import Location
with AzureBackend(Location("az", sys.argv[1]), AzureOptions(connection_string=sys.argv[2])) as backend:
    info = backend.put("key", Body(b"x"))
    assert [page.keys for page in backend.list()] == [["key"]]
    backend.copy(backend, info, "copy")
    backend.delete("key", if_match=info.version)
print(sorted({name.partition(".")[0] for name in sys.modules} & {"adlfs", "fsspec", "azure", "aiohttp", "requests"}))
"""
    ran = subprocess.run(
        [sys.executable, "-c", program, azurite.make_container(), azurite.connection_string],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.stdout, ran.stderr) == ("[]\n", "")


class TestNetwork:
    @VERBS
    def test_refused_connection_is_said_at_once(self, azurite, open_azure, ask):
        backend = open_azure(azurite, "box", endpoint_url=NOWHERE)
        with pytest.raises(UnavailableError, match=r"cannot be reached(?s:.*)endpoint_url"):
            ask(backend)

    @VERBS
    def test_silent_server_is_given_up_after_the_timeout(self, azurite, open_azure, ask):
        with socket.create_server(("127.0.0.1", 0)) as listening:
            url = f"http://127.0.0.1:{listening.getsockname()[1]}/account"
            backend = open_azure(azurite, "box", endpoint_url=url, read_timeout=0.2)
            with pytest.raises(UnavailableError, match="did not answer"):
                ask(backend)

    def test_plain_server_behind_https_is_said(self, azurite, open_azure):
        backend = open_azure(azurite, "box", endpoint_url=azurite.account_url.replace("http:", "https:"))
        with pytest.raises(UnavailableError, match="no secure connection"):
            list(backend.list())

    def test_closing_twice_does_nothing(self, backend):
        backend.put("key", Body(b"x"))
        backend.close()
        backend.close()

    def test_E04_it_does_not_survive_a_fork(self, backend, monkeypatch):
        backend.put("key", Body(b"x"))
        monkeypatch.setattr(os, "getpid", lambda: -1)
        for attempt in (lambda: backend.stat("key"), lambda: list(backend.list())):
            with pytest.raises(RuntimeError, match="opened before a fork"):
                attempt()
        backend.close()
        monkeypatch.undo()
        assert backend.stat("key").size == 1


class TestCertificates:
    """What is behind TLS is reached with the authority that the options name, and with no other."""

    @VERBS
    def test_bundle_is_trusted(self, secure, open_azure, azurite, ask):
        backend = open_azure(secure.server, azurite.make_container(), ca_bundle=secure.authority)
        backend.put("key", Body(b"x"))
        ask(backend)

    def test_bundle_of_the_environment_is_trusted(self, secure, open_azure, azurite, monkeypatch):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(secure.authority))
        assert list(open_azure(secure.server, azurite.make_container()).list()) == []

    @VERBS
    def test_unknown_authority_is_refused(self, secure, open_azure, ask):
        with pytest.raises(UnavailableError, match=r"no secure connection(?s:.*)ca_bundle"):
            ask(open_azure(secure.server, "box"))

    def test_certificate_of_another_name_is_refused(self, secure, open_azure):
        url = secure.server.account_url.replace("127.0.0.1", "localhost")
        backend = open_azure(secure.server, "box", ca_bundle=secure.authority, endpoint_url=url)
        with pytest.raises(UnavailableError, match="no secure connection"):
            list(backend.list())

    def test_check_can_be_left_out(self, secure, open_azure, azurite):
        assert list(open_azure(secure.server, azurite.make_container(), verify_tls=False).list()) == []


class TestProxies:
    def test_plain_requests_go_through_the_proxy(self, azurite, azurite_proxy, open_azure, monkeypatch):
        azurite_proxy.rule = lambda request, forward: Response(202)
        host = azurite_proxy.server.endpoint_url.removeprefix("http://")
        monkeypatch.setenv("HTTP_PROXY", f"http://me:p%40ss@{host}")
        open_azure(azurite, "box", endpoint_url="http://azure.example:9000/acc").delete("a b/ü")
        [request] = azurite_proxy.requests
        assert request.target == "http://azure.example:9000/acc/box/a%20b/%C3%BC"
        assert request.headers["host"] == "azure.example:9000"
        assert request.headers["proxy-authorization"] == "Basic bWU6cEBzcw=="

    def test_some_hosts_are_reached_without_it(self, azurite, open_azure, monkeypatch):
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert list(open_azure(azurite, azurite.make_container()).list()) == []

    def test_proxy_that_is_down_is_said(self, azurite, open_azure, monkeypatch):
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        with pytest.raises(UnavailableError, match=r"the proxy cannot be reached(?s:.*)HTTP_PROXY"):
            list(open_azure(azurite, "box").list())


class TestExactWay:
    """Through a proxy that speaks TLS: adlfs's client takes the requests there."""

    @pytest.fixture
    def exactly(self, azurite, secure, open_azure, monkeypatch):
        def rule(request, forward):
            parts = urlsplit(request.target)
            assert parts.netloc, "the request was not made of a proxy"
            return secure.forward(
                type(request)(request.method, f"{parts.path}?{parts.query}", request.headers, request.body)
            )

        secure.rule = rule
        container = azurite.make_container()
        monkeypatch.setenv("HTTP_PROXY", secure.server.endpoint_url)

        def opened(**options):
            given = {"ca_bundle": secure.authority, "multipart_threshold": "100KiB", "part_size": "70KiB", **options}
            return open_azure(azurite, container, "root", **given)

        return opened

    @pytest.mark.parametrize("by", ["key", "signature"])
    def test_it_serves_every_verb(self, azurite, exactly, by):
        options = {"account_key": None, "sas_token": azurite.sas_token()} if by == "signature" else {}
        backend = exactly(**options)
        keys = {"a b/ä+%~!$&'()*,;=:@": patterned(10), "large": patterned(300_000), "empty": b""}
        for key, data in keys.items():
            info = backend.put(key, Body(data))
            assert backend.stat(key).version == info.version
            with backend.get(key, if_match=info.version) as reader:
                assert reader.read() == data
            assert backend.read(key, 400_000).read() == data
            assert backend.read("large", 10) is None if key == "large" else True
        assert sorted(key for page in backend.list() for key in page.keys) == sorted(keys)
        backend.copy(backend, backend.stat("large"), "copy")
        assert [result.error for result in backend.delete_many([(key, None) for key in [*keys, "copy"]])] == [None] * 4
        assert list(backend.list()) == []
        with pytest.raises(ObjectNotFoundError):
            backend.stat("large")
        assert isinstance(backend.place.connection._way, exact.ExactClient)

    def test_a_reader_may_be_left_early(self, exactly):
        backend = exactly()
        backend.put("large", Body(patterned(3_000_000)))
        for _ in range(3):
            with backend.get("large") as reader:
                next(reader.chunks())
        assert backend.read("large", 3_000_000).read() == patterned(3_000_000)

    @pytest.mark.parametrize("proxy", ["https://127.0.0.1:9", "socks5://127.0.0.1:9"])
    def test_proxy_that_cannot_be_used_is_said(self, azurite, open_azure, monkeypatch, proxy):
        monkeypatch.setenv("HTTP_PROXY", proxy)
        with pytest.raises(UnavailableError, match="the proxy cannot be reached"):
            list(open_azure(azurite, "box").list())

    def test_proxy_of_an_unknown_authority_is_not_used(self, exactly):
        with pytest.raises(UnavailableError, match=r"no secure connection|the proxy cannot be reached"):
            list(exactly(ca_bundle=None).list())

    def test_proxy_that_ends_in_the_middle_is_said(self, secure, exactly):
        backend = exactly()
        backend.put("key", Body(b"content"))
        rule = secure.rule

        def cut(request, forward):
            answer = rule(request, forward)
            return Response(answer.status, answer.body, answer.headers, cut=3) if request.method == "GET" else answer

        secure.rule = cut
        with pytest.raises(Exception, match=r"ended before|cannot be reached"):
            backend.read("key", 100)
