"""Locations are taken literally, places are recognised, and Amazon's own endpoints are told from others."""

import socketserver
import threading

import pytest
from cloudsync_s3.backend import S3Backend
from cloudsync_s3.config import S3Options
from cloudsync_s3.errors import FAILURES

from cloudsync_core.body import Body
from cloudsync_core.errors import BackendError, ConfigError, ContainerNotFoundError, InvalidKeyError
from cloudsync_core.location import Location
from cloudsync_core.models import Identity

KEYS = {"access_key_id": "AKID", "secret_access_key": "secret"}


@pytest.fixture
def opened():
    """Return a function that opens a location without asking a server anything."""
    backends = []

    def open_location(text, **options):
        backends.append(S3Backend(Location.parse(text), S3Options(**{**KEYS, **options})))
        return backends[-1]

    yield open_location
    for backend in backends:
        backend.close()


class TestLocation:
    @pytest.mark.parametrize("prefix", ["a b/ü?x#y", "50%/a%20b", "/lead", "a//b", "x?versionId=1", "*", "."])
    def test_prefix_is_literal(self, moto_s3, open_s3, prefix):
        bucket = moto_s3.make_bucket()
        backend = open_s3(moto_s3, bucket, prefix)
        backend.put("key", Body(b"content"))
        assert moto_s3.contents(bucket) == {f"{prefix}/key": b"content"}
        assert [key for page in backend.list() for key in page.keys] == ["key"]
        with backend.get("key") as reader:
            assert reader.read() == b"content"
        backend.delete("key")
        assert moto_s3.contents(bucket) == {}

    def test_prefix_takes_in_whole_segments(self, moto_s3, open_s3):
        bucket = moto_s3.make_bucket()
        for key in ("foo", "foobar/x", "foo/x"):
            moto_s3.client.put_object(Bucket=bucket, Key=key)
        assert [key for page in open_s3(moto_s3, bucket, "foo").list() for key in page.keys] == ["x"]

    def test_marker_of_the_root_is_not_an_object(self, moto_s3, open_s3):
        bucket = moto_s3.make_bucket()
        for key in ("foo/", "foo/bar/", "foo/bar/x"):
            moto_s3.client.put_object(Bucket=bucket, Key=key)
        backend = open_s3(moto_s3, bucket, "foo")
        assert [key for page in backend.list() for key in page.keys] == ["bar/", "bar/x"]
        assert [key for page in backend.list("bar") for key in page.keys] == ["bar/", "bar/x"]
        with pytest.raises(InvalidKeyError):
            backend.stat("")

    def test_trailing_slash_changes_nothing(self, opened):
        assert opened("s3://bucket/foo/").identity == opened("s3://bucket/foo").identity
        assert opened("s3://bucket/").location == opened("s3://bucket").location == "s3://bucket"

    @pytest.mark.parametrize("text", ["s3://", "s3:///prefix"])
    def test_location_without_a_bucket_is_a_config_error(self, opened, text):
        with pytest.raises(ConfigError, match="names no bucket"):
            opened(text)

    def test_bucket_name_that_none_can_have_is_an_error_of_the_backend(self, opened):
        with pytest.raises(ContainerNotFoundError, match="s3://Not a Bucket: this is not the name of a bucket"):
            list(opened("s3://Not a Bucket").list())

    def test_prefix_counts_into_the_length_of_keys(self, opened):
        backend = opened("s3://bucket/" + "ü" * 10)
        assert backend.capabilities.max_key_bytes == 1024 - 21
        with pytest.raises(InvalidKeyError, match="longer than 1003 bytes"):
            backend.put("k" * 1004, Body(b""))


class TestIdentity:
    def test_all_of_amazon_is_one_store(self, opened):
        places = [
            opened("s3://bucket/p", region="eu-west-1"),
            opened("s3://bucket/p", region="us-east-1"),
            opened("s3://bucket/p", endpoint_url="https://s3.eu-west-1.amazonaws.com"),
            opened("s3://bucket/p", endpoint_url="https://s3.dualstack.us-west-2.amazonaws.com/"),
        ]
        assert {place.identity for place in places} == {Identity("s3://aws", "bucket/p/")}

    @pytest.mark.parametrize(
        "url",
        ["http://Minio.example:80", "https://minio.example:443/", "http://minio.example", "https://minio.example"],
    )
    def test_spellings_of_one_server_are_one(self, opened, url):
        assert opened("s3://bucket", endpoint_url=url).identity == Identity("s3://minio.example", "bucket/")

    def test_other_ports_are_other_servers(self, opened):
        first, second = (opened("s3://bucket", endpoint_url=f"http://localhost:{port}") for port in (9000, 9001))
        assert first.identity.namespace == "s3://127.0.0.1:9000"
        assert not first.identity.overlaps(second.identity)

    def test_lookalike_of_amazon_is_not_amazon(self, opened):
        backend = opened("s3://bucket", endpoint_url="https://s3.amazonaws.com.example.org")
        assert not backend.place.connection.is_amazon


class TestCapabilities:
    def test_amazon_honours_conditions(self, opened):
        caps = opened("s3://bucket").capabilities
        assert (caps.put_if_absent, caps.put_if_match, caps.delete_if_match) == (True, True, True)
        assert caps.ordered_listing

    def test_of_other_servers_nothing_is_assumed(self, opened):
        caps = opened("s3://bucket", endpoint_url="http://minio").capabilities
        assert (caps.put_if_absent, caps.put_if_match, caps.delete_if_match) == (False, False, False)

    @pytest.mark.parametrize(
        ("given", "absent", "match"), [(True, True, True), (False, False, False), ("if-absent", True, False)]
    )
    def test_options_say_what_a_server_honours(self, opened, given, absent, match):
        for url in (None, "http://minio"):
            caps = opened("s3://bucket", endpoint_url=url, conditional_writes=given).capabilities
            assert (caps.put_if_absent, caps.put_if_match) == (absent, match)
            assert opened("s3://bucket", endpoint_url=url, conditional_deletes=True).capabilities.delete_if_match

    def test_directory_buckets_are_unordered_and_their_etags_opaque(self, opened):
        backend = opened("s3://bucket--usw2-az1--x-s3/prefix", region="us-west-2")
        assert not backend.capabilities.ordered_listing
        assert not backend.place.etag_is_md5
        assert not backend.place.takes_md5

    def test_servers_may_be_unordered(self, opened):
        assert not opened("s3://bucket", ordered_listing=False).capabilities.ordered_listing


WAYS = {
    "wire": lambda backend: list(backend.list()),
    "exact": lambda backend: backend.place.call("key", "get_object"),
}


class TestAddressing:
    """A proxy refuses every request, and sees where it was to go."""

    @pytest.fixture
    def seen(self, monkeypatch):
        """The first lines of the requests that came to the proxy."""
        lines = []

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                lines.append(self.rfile.readline().decode().strip())
                while self.rfile.readline().strip():
                    pass
                self.wfile.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

        with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.02,))
            thread.start()
            for name in ("HTTP_PROXY", "HTTPS_PROXY"):
                monkeypatch.setenv(name, f"http://127.0.0.1:{server.server_address[1]}")
            yield lines
            server.shutdown()
            thread.join()

    @pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))
    @pytest.mark.parametrize(
        ("options", "url"),
        [
            ({}, "bucket.s3.eu-west-1.amazonaws.com:443"),
            ({"path_style": True}, "s3.eu-west-1.amazonaws.com:443"),
            ({"endpoint_url": "http://minio:9000"}, "http://minio:9000/bucket"),
            ({"endpoint_url": "http://minio:9000/base/"}, "http://minio:9000/base/bucket"),
            ({"endpoint_url": "http://minio:9000", "path_style": False}, "http://bucket.minio:9000/"),
            ({"endpoint_url": "http://10.1.2.3:9000", "path_style": False}, "http://10.1.2.3:9000/bucket"),
        ],
        ids=str,
    )
    def test_bucket_stands_where_the_server_looks_for_it(self, opened, seen, options, url, way):
        backend = opened("s3://bucket", region="eu-west-1", **options)
        with pytest.raises((BackendError, *FAILURES)):
            way(backend)
        [line] = seen
        asked = line.split()[1].partition("?")[0]
        assert asked.removesuffix("key").rstrip("/") == url.rstrip("/")

    @pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))
    def test_profile_may_say_where(self, opened, seen, way, monkeypatch, tmp_path):
        (tmp_path / "config").write_text("[default]\ns3 =\n  addressing_style = virtual\n")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        with pytest.raises((BackendError, *FAILURES)):
            way(opened("s3://bucket", endpoint_url="http://minio:9000"))
        [line] = seen
        assert line.split()[1].startswith("http://bucket.minio:9000/")


class TestLife:
    def test_close_may_be_called_twice(self, moto_s3, open_s3):
        backend = open_s3(moto_s3, moto_s3.make_bucket())
        list(backend.list())
        backend.close()
        backend.close()

    def test_backend_that_is_not_closed_complains_of_nothing(self, moto_s3):
        import gc

        backend = S3Backend(Location("s3", moto_s3.make_bucket()), S3Options(**moto_s3.options))
        list(backend.list())
        del backend
        gc.collect()

    def test_repr_shows_no_secret(self, opened):
        backend = opened("s3://bucket", secret_access_key="hush-hush")
        assert "hush-hush" not in repr(backend) + repr(backend.place)
