"""Which way requests go: over the wire, and by gcsfs's session where the wire cannot go."""

import json
import os
import subprocess
import sys
import threading
from urllib.parse import urlsplit

import pytest
from cloudsync_gcs import exact
from cloudsync_gcs.backend import GCSBackend
from cloudsync_gcs.config import GCSOptions

from cloudsync_core.body import Body
from cloudsync_core.errors import (
    ConfigError,
    IntegrityError,
    ObjectNotFoundError,
    UnauthenticatedError,
    UnavailableError,
)
from cloudsync_core.location import Location
from cloudsync_core.models import IF_ABSENT, ByteRange
from tests.servers.gcs import running_gcs
from tests.servers.proxy import Request, Response

WAYS = pytest.mark.parametrize(
    "ask",
    [
        lambda backend: list(backend.list()),
        lambda backend: backend.stat("key"),
        lambda backend: backend.read("key", 100),
        lambda backend: backend.put("key", Body(b"content")),
        lambda backend: backend.delete("key"),
    ],
    ids=["list", "stat", "read", "put", "delete"],
)


@pytest.fixture
def bucket(gcs):
    bucket = gcs.make_bucket()
    gcs.put(bucket, "key", b"content")
    return bucket


def test_a_whole_run_needs_no_sdk(gcs, bucket):
    code = f"""
import sys
from cloudsync_core.body import Body
from cloudsync_core.location import Location
from cloudsync_gcs.backend import GCSBackend
from cloudsync_gcs.config import GCSOptions
with GCSBackend(Location("gs", {bucket!r}), GCSOptions(**{gcs.options!r})) as backend:
    backend.put("a", Body(b"content"))
    backend.copy(backend, backend.stat("a"), "b")
    print(backend.read("b", 10).read(), [key for page in backend.list() for key in page.keys])
    print([result.error for result in backend.delete_many([("a", None), ("b", None)])])
print([name for name in ("gcsfs", "fsspec", "google.auth", "requests", "aiohttp") if name in sys.modules])
"""
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert finished.stdout.splitlines() == ["b'content' ['a', 'b', 'key']", "[None, None]", "[]"], finished.stderr


class TestCertificates:
    """What is behind TLS is reached with the authority that the options name, and with no other."""

    @WAYS
    def test_a_bundle_is_trusted(self, gcs, open_gcs, bucket, behind_tls, ask):
        secure, authority = behind_tls
        with secure(gcs) as proxy:
            ask(open_gcs(proxy.server, bucket, ca_bundle=authority))
            assert proxy.count() > 0

    @WAYS
    def test_an_unknown_authority_is_refused(self, gcs, open_gcs, bucket, behind_tls, ask):
        with behind_tls[0](gcs) as proxy:
            with pytest.raises(UnavailableError, match=r"no secure connection(?s:.*)ca_bundle"):
                ask(open_gcs(proxy.server, bucket))
            assert proxy.count() == 0

    def test_a_certificate_of_another_name_is_refused(self, gcs, open_gcs, bucket, behind_tls):
        secure, authority = behind_tls
        with secure(gcs) as proxy:
            url = proxy.server.endpoint_url.replace("127.0.0.1", "localhost")
            with pytest.raises(UnavailableError, match="no secure connection"):
                open_gcs(proxy.server, bucket, ca_bundle=authority, endpoint_url=url).stat("key")

    @WAYS
    def test_the_check_can_be_left_out(self, gcs, open_gcs, bucket, behind_tls, ask):
        with behind_tls[0](gcs) as proxy:
            ask(open_gcs(proxy.server, bucket, verify_tls=False))


class TestDefaultCredentials:
    """The file that GOOGLE_APPLICATION_CREDENTIALS names, to a server behind TLS."""

    @pytest.fixture
    def open_default(self, gcs_guarded, behind_tls, tmp_path):
        secure, authority = behind_tls
        (tmp_path / "account.json").write_text(json.dumps(gcs_guarded.tokens.service_account))
        bucket = gcs_guarded.make_bucket()
        with secure(gcs_guarded) as proxy:
            options = GCSOptions(endpoint_url=proxy.server.endpoint_url, ca_bundle=authority)
            with GCSBackend(Location("gs", bucket), options) as backend:
                yield backend

    def test_they_are_found(self, gcs_guarded, open_default, monkeypatch, tmp_path):
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "account.json"))
        open_default.put("key", Body(b"content"))
        assert open_default.stat("key").size == 7
        assert gcs_guarded.tokens.issued == 1

    def test_a_file_that_is_not_there_is_said(self, open_default, monkeypatch, tmp_path):
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
        with pytest.raises(UnauthenticatedError, match="no credentials were found"):
            open_default.stat("key")


class TestProxies:
    def test_plain_requests_go_through_the_proxy(self, gcs, gcs_proxy, open_gcs, monkeypatch):
        gcs_proxy.rule = lambda request, forward: Response(204)
        port = urlsplit(gcs_proxy.server.endpoint_url).port
        monkeypatch.setenv("HTTP_PROXY", f"http://me:p%40ss@127.0.0.1:{port}")
        open_gcs(gcs, "bucket", endpoint_url="http://storage.example:9000").delete("a b/ü")
        [request] = gcs_proxy.requests
        assert request.target == "http://storage.example:9000/storage/v1/b/bucket/o/a%20b%2F%C3%BC"
        assert request.headers["host"] == "storage.example:9000"
        assert request.headers["proxy-authorization"] == "Basic bWU6cEBzcw=="

    def test_some_hosts_are_reached_without_it(self, gcs, open_gcs, bucket, monkeypatch):
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert open_gcs(gcs, bucket).stat("key").size == 7

    def test_a_proxy_that_is_down_is_said(self, gcs, open_gcs, monkeypatch):
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        with pytest.raises(UnavailableError, match=r"the proxy cannot be reached(?s:.*)HTTP_PROXY"):
            open_gcs(gcs, "bucket").stat("key")

    def test_a_proxy_of_another_kind_is_refused_at_once(self, gcs, open_gcs, monkeypatch):
        monkeypatch.setenv("HTTP_PROXY", "socks5://127.0.0.1:9")
        with pytest.raises(ConfigError, match=r"gs://bucket: the proxy of HTTP_PROXY(?s:.*)socks5(?s:.*)NO_PROXY"):
            open_gcs(gcs, "bucket")


class TestExactWay:
    """A proxy behind TLS: there requests go by the session of gcsfs, and everything else is the same."""

    @pytest.fixture
    def proxy(self, gcs, behind_tls, monkeypatch):
        secure, authority = behind_tls
        with secure(gcs) as proxy:

            def relay(request, forward):
                parts = urlsplit(request.target)
                assert (parts.scheme, parts.netloc) == ("http", "storage.example:9000")
                target = f"{parts.path}?{parts.query}" if parts.query else parts.path
                return proxy.forward(Request(request.method, target, request.headers, request.body))

            proxy.rule = proxy.relay = relay
            proxy.authority = authority
            monkeypatch.setenv("HTTP_PROXY", proxy.server.endpoint_url)
            yield proxy

    @pytest.fixture
    def backend(self, proxy, gcs, open_gcs, bucket):
        return open_gcs(
            gcs,
            bucket,
            endpoint_url="http://storage.example:9000",
            ca_bundle=proxy.authority,
            resumable_threshold="300KiB",
            chunk_size="256KiB",
        )

    @pytest.mark.parametrize("size", [0, 10, 1_000_000])
    @pytest.mark.parametrize("known", [True, False])
    def test_objects_go_up_and_come_down(self, gcs, backend, bucket, size, known):
        data = os.urandom(size)
        written = backend.put("a b/ü#%2F", Body(iter((data[:100], data[100:])), size if known else None))
        assert gcs.contents(bucket)["a b/ü#%2F"] == data
        with backend.get("a b/ü#%2F") as reader:
            assert reader.read() == data
        assert backend.read("a b/ü#%2F", size).read() == data
        assert backend.read("a b/ü#%2F", size - 1) is None
        if size > 10:
            with backend.get("a b/ü#%2F", byte_range=ByteRange(5, 500)) as reader:
                assert reader.read() == data[5:500]
            with backend.get("a b/ü#%2F") as reader:
                next(reader.chunks())
        assert backend.copy(backend, written, "copy").size == size
        assert [key for page in backend.list() for key in page.keys] == ["a b/ü#%2F", "copy", "key"]
        assert [result.error for result in backend.delete_many([("copy", None), ("key", None)])] == [None, None]
        with pytest.raises(ObjectNotFoundError):
            backend.stat("copy")

    def test_P2_a_body_that_raises_leaves_nothing(self, gcs, backend, bucket):
        def content():
            yield bytes(600_000)
            raise ValueError("mine")

        with pytest.raises(ValueError, match="mine"):
            backend.put("key", Body(content(), 2_000_000))
        assert gcs.contents(bucket) == {"key": b"content"}
        assert gcs.open_uploads(bucket) == []

    @pytest.mark.parametrize(
        ("answer", "kind"),
        [
            (None, UnavailableError),
            (Response(200, b"content", cut=3), (IntegrityError, UnavailableError)),
            (Response(200, b"no json"), Exception),
        ],
    )
    def test_E1_what_fails_on_the_way_is_an_error_of_the_contract(self, proxy, backend, answer, kind):
        proxy.rule = lambda request, forward: answer
        with pytest.raises(kind, match=r"stat gs://.*/key: "):
            backend.stat("key")

    def test_nothing_is_sent_twice(self, proxy, backend):
        """Also not on a connection that was used before, where aiohttp would."""
        backend.stat("key")
        for answer in (None, Response(503)):
            proxy.rule = lambda request, forward, answer=answer: answer
            del proxy.requests[:]
            with pytest.raises(UnavailableError):
                backend.put("other", Body(b"content"), condition=IF_ABSENT)
            assert proxy.count() == 1
            proxy.rule = proxy.relay
            backend.stat("key")

    def test_a_proxy_that_is_down_is_said(self, gcs, open_gcs, monkeypatch):
        monkeypatch.setenv("HTTP_PROXY", "https://127.0.0.1:9")
        with pytest.raises(UnavailableError, match="the proxy cannot be reached"):
            open_gcs(gcs, "bucket").stat("key")

    def test_an_unknown_authority_is_refused(self, proxy, gcs, open_gcs):
        with pytest.raises(UnavailableError, match="no secure connection"):
            open_gcs(gcs, "bucket", endpoint_url="http://storage.example:9000").stat("key")

    def test_many_threads_share_it(self, gcs, backend, bucket):
        def work(number):
            backend.put(str(number), Body(b"%d" % number))
            backend.read(str(number), 10).read()

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(gcs.contents(bucket)) == 9

    def test_it_never_asks_for_the_kind_of_a_bucket(self):
        """The extended class of gcsfs does so by gRPC, for a minute, where nobody answers to that."""
        code = (
            "import os, sys; from cloudsync_gcs.exact import plain_filesystem; found = plain_filesystem();"
            "print(found.__module__, 'gcsfs.extended_gcsfs' in sys.modules,"
            " os.environ.get('GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT'))"
        )
        for set_before in ({}, {"GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "true"}):
            environment = {name: value for name, value in os.environ.items() if not name.startswith("GCSFS_")}
            found = subprocess.run(
                [sys.executable, "-c", code],
                capture_output=True,
                text=True,
                check=True,
                env={**environment, **set_before},
            )
            value = set_before.get("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT")
            assert found.stdout == f"gcsfs.core False {value}\n"
        assert exact.plain_filesystem().__module__ == "gcsfs.core"


def test_closing_twice_does_nothing(gcs, open_gcs, bucket):
    backend = open_gcs(gcs, bucket)
    backend.stat("key")
    backend.close()
    backend.close()


def test_a_server_that_is_gone_is_said(open_gcs):
    with running_gcs() as server:
        pass
    with pytest.raises(UnavailableError, match=r"stat gs://bucket/key: the server cannot be (?s:.*)endpoint_url"):
        open_gcs(server, "bucket").stat("key")
