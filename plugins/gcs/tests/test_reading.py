"""Reads: one generation or an error, the bytes as they are stored, never fewer than promised (G1, G2, B13, D16)."""

import gzip
import hashlib
import os
import threading

import pytest
from cloudsync_gcs.config import MIB

from cloudsync_core.backends.objectstore import reading
from cloudsync_core.backends.objectstore.ahead import RANGE
from cloudsync_core.body import Body
from cloudsync_core.errors import (
    BackendError,
    Disposition,
    IntegrityError,
    ObjectNotFoundError,
    PreconditionFailedError,
    UnexpectedBackendError,
)
from cloudsync_core.models import ByteRange, Digest, Version
from tests.servers.gcs import gcs_error
from tests.servers.proxy import Response


def is_media(request):
    return request.query.get("alt") == "media"


@pytest.fixture
def bucket(gcs):
    return gcs.make_bucket()


@pytest.fixture
def backend(gcs_proxy, open_gcs, bucket):
    """A backend, and the proxy before its server."""
    return open_gcs(gcs_proxy.server, bucket)


def content(backend, key="key", **named):
    with backend.get(key, **named) as reader:
        return reader.read()


class TestRequests:
    """What is asked for."""

    def test_an_object_is_looked_at_and_its_generation_read(self, gcs, gcs_proxy, backend, bucket):
        generation = gcs.put(bucket, "key", b"content")
        for read in (lambda: content(backend), lambda: backend.read("key", 10).read()):
            del gcs_proxy.requests[:]
            assert read() == b"content"
            look, media = gcs_proxy.requests
            assert "alt" not in look.query
            assert media.query == {"alt": "media", "generation": str(generation)}
            assert media.headers["accept-encoding"] == "identity"
            assert "range" not in media.headers

    def test_an_empty_object_has_no_bytes_to_ask_for(self, gcs, gcs_proxy, backend, bucket):
        gcs.put(bucket, "key", b"")
        assert content(backend) == backend.read("key", 0).read() == b""
        assert [request for request in gcs_proxy.requests if is_media(request)] == []

    def test_a_large_object_is_not_begun_to_be_read_by_read(self, gcs, gcs_proxy, backend, bucket):
        gcs.put(bucket, "key", b"x" * 1001)
        assert backend.read("key", 1000) is None
        assert gcs_proxy.count() == 1

    @pytest.mark.parametrize("size", [RANGE - 1, RANGE, RANGE + 1])
    def test_what_follows_a_beginning_is_asked_for_by_its_generation(self, gcs, gcs_proxy, backend, bucket, size):
        data = os.urandom(size)
        gcs.put(bucket, "key", data)
        assert content(backend) == data
        assert gcs_proxy.count() == (2 if size <= RANGE else 3)
        assert len({request.query["generation"] for request in gcs_proxy.requests[1:]}) == 1

    def test_large_objects_are_read_by_ranges_side_by_side(self, gcs, gcs_proxy, backend, bucket, monkeypatch):
        monkeypatch.setattr(reading, "LARGE_OBJECT", 3 * RANGE)
        block = os.urandom(MIB)
        gcs.put(bucket, "key", block * 40)
        first, second = threading.Semaphore(1), threading.Event()

        def together(request, forward):
            """Let the first range after the beginning wait for another one."""
            if is_media(request) and not request.headers["range"].startswith("bytes=0-"):
                if first.acquire(blocking=False):
                    assert second.wait(20)
                else:
                    second.set()
            return forward()

        gcs_proxy.rule = together
        assert hashlib.md5(content(backend)).digest() == hashlib.md5(block * 40).digest()
        assert second.is_set()

    def test_ranges_are_exactly_those_bytes(self, gcs, backend, bucket):
        data = os.urandom(100_000)
        gcs.put(bucket, "key", data)
        for start, end in ((0, 1), (0, 100_000), (0, 10**9), (99_999, None), (5, 50_001), (50_000, 200_000)):
            with backend.get("key", byte_range=ByteRange(start, end)) as reader:
                assert reader.read() == data[start:end]
                assert reader.info.size == 100_000

    @pytest.mark.parametrize("start", [7, 100])
    def test_a_range_beyond_the_end_is_an_error(self, gcs, backend, bucket, start):
        gcs.put(bucket, "key", b"content")
        with pytest.raises(UnexpectedBackendError):
            content(backend, byte_range=ByteRange(start, None))


class TestGzip:
    """B13: what is stored as gzip comes as it is stored, and its digests and size are those of that."""

    PACKED = gzip.compress(b"some text " * 100_000, mtime=0)

    @pytest.fixture
    def stored(self, gcs, bucket):
        gcs.put(bucket, "key", self.PACKED, contentEncoding="gzip", contentType="text/plain")
        return self.PACKED

    def test_the_bytes_are_those_that_are_stored(self, gcs_proxy, backend, stored):
        assert content(backend) == backend.read("key", 10**6).read() == stored
        assert {request.headers["accept-encoding"] for request in gcs_proxy.requests if is_media(request)} == {"gzip"}
        info = backend.stat("key")
        assert info.size == len(stored)
        assert Digest("md5", hashlib.md5(stored).hexdigest()) in info.digests
        assert info.attributes.content_encoding == "gzip"

    def test_so_are_those_of_a_range(self, backend, stored):
        assert content(backend, byte_range=ByteRange(5, 500)) == stored[5:500]

    def test_so_are_those_of_an_object_that_is_read_in_parts(self, gcs, backend, bucket):
        packed = gzip.compress(os.urandom(RANGE + 100_000))
        gcs.put(bucket, "large", packed, contentEncoding="gzip")
        assert content(backend, "large") == packed

    def test_it_goes_through_a_copy_and_a_put_as_it_is(self, gcs, backend, bucket, stored):
        with backend.get("key") as reader:
            written = backend.put("again", reader.body(), attributes=reader.info.attributes)
        backend.copy(backend, written, "copy")
        assert set(gcs.contents(bucket).values()) == {stored}
        assert gcs.resource(bucket, "copy")["contentEncoding"] == "gzip"
        assert gcs.client.bucket(bucket).get_blob("again").download_as_bytes() == gzip.decompress(stored)

    def test_a_server_that_unpacks_it_all_the_same_is_not_believed(self, gcs_proxy, backend, stored):
        gcs_proxy.rule = lambda request, forward: (
            Response(200, gzip.decompress(stored)) if is_media(request) else forward()
        )
        for read in (lambda: content(backend), lambda: backend.read("key", 10**6)):
            with pytest.raises(UnexpectedBackendError, match="other bytes"):
                read()


def test_B11_a_composite_object_is_verified_by_its_crc(gcs, gcs_proxy, backend, bucket):
    gcs.compose(bucket, "key", [b"first,", b"second"])
    assert [digest.algorithm for digest in backend.stat("key").digests] == ["crc32c"]
    assert content(backend) == b"first,second"
    gcs_proxy.rule = lambda request, forward: Response(200, b"first;second") if is_media(request) else forward()
    with pytest.raises(IntegrityError, match="crc32c"):
        content(backend)


class TestChanged:
    """G1 and D17: the bytes of two generations are never put together."""

    def replaced(self, gcs, gcs_proxy, bucket, data, when):
        """Let another writer replace the object before the first request that is chosen is answered."""
        once = threading.Semaphore(1)

        def rule(request, forward):
            if when(request) and once.acquire(blocking=False):
                gcs.put(bucket, "key", data)
            return forward()

        gcs_proxy.rule = rule

    @pytest.mark.parametrize("read", [content, lambda backend: backend.read("key", 10)])
    def test_between_the_look_and_the_bytes(self, gcs, gcs_proxy, backend, bucket, read):
        gcs.put(bucket, "key", b"old")
        self.replaced(gcs, gcs_proxy, bucket, b"new", is_media)
        with pytest.raises(PreconditionFailedError, match=r"get gs://.*/key: it changed while it was read") as caught:
            read(backend)
        assert caught.value.disposition is Disposition.RETRY

    def test_between_two_ranges(self, gcs, gcs_proxy, backend, bucket):
        gcs.put(bucket, "key", b"o" * (RANGE + 10))
        self.replaced(
            gcs,
            gcs_proxy,
            bucket,
            b"n" * (RANGE + 10),
            lambda request: is_media(request) and not request.headers["range"].startswith("bytes=0-"),
        )
        with pytest.raises(PreconditionFailedError, match="it changed while it was read"):
            content(backend)

    def test_in_a_bucket_with_versions_the_old_one_is_read_to_its_end(self, gcs, gcs_proxy, open_gcs):
        bucket = gcs.make_bucket(versioning={"enabled": True})
        old = b"o" * (RANGE + 10)
        gcs.put(bucket, "key", old)
        self.replaced(gcs, gcs_proxy, bucket, b"new", is_media)
        assert content(open_gcs(gcs_proxy.server, bucket)) == old
        assert gcs.contents(bucket) == {"key": b"new"}

    def test_a_server_that_knows_no_generations_is_found_out(self, gcs, gcs_proxy, backend, bucket):
        gcs.put(bucket, "key", b"content")
        gcs_proxy.rule = lambda request, forward: (
            Response(200, b"another", {"x-goog-generation": "5"}) if is_media(request) else forward()
        )
        for read in (lambda: content(backend), lambda: backend.read("key", 10)):
            with pytest.raises(PreconditionFailedError, match="changed"):
                read()

    def test_G1_if_match_wants_that_generation(self, gcs, backend, bucket):
        first = Version(None, str(gcs.put(bucket, "key", b"one")))
        assert content(backend, if_match=first) == b"one"
        gcs.put(bucket, "key", b"two")
        for stale in (first, Version("stale"), Version("1", "1"), Version()):
            with pytest.raises(PreconditionFailedError):
                content(backend, if_match=stale)
        with pytest.raises(ObjectNotFoundError):
            content(backend, "missing", if_match=first)

    def test_G1_also_where_the_server_does_not_compare(self, gcs, gcs_proxy, backend, bucket):
        first = Version(None, str(gcs.put(bucket, "key", b"one")))
        gcs.put(bucket, "key", b"two")

        def without_conditions(request, forward):
            target = request.target.replace("ifGenerationMatch", "ignored")
            return gcs_proxy.forward(type(request)(request.method, target, request.headers, request.body))

        gcs_proxy.rule = without_conditions
        with pytest.raises(PreconditionFailedError):
            content(backend, if_match=first)


class TestCutShort:
    """G2 and D16: fewer bytes than promised are an error."""

    @pytest.mark.parametrize("cut", [0, 1, 6])
    def test_the_connection_ends_early(self, gcs, gcs_proxy, backend, bucket, cut):
        gcs.put(bucket, "key", b"content")
        gcs_proxy.rule = lambda request, forward: Response(200, b"content", cut=cut) if is_media(request) else forward()
        for read in (lambda: content(backend), lambda: backend.read("key", 10)):
            with pytest.raises(IntegrityError, match=r"get gs://.*the connection ended before the object did"):
                read()

    @pytest.mark.parametrize("answer", [b"short", b"", b"longer than it was"])
    def test_the_server_says_another_length(self, gcs, gcs_proxy, backend, bucket, answer):
        gcs.put(bucket, "key", b"content")
        gcs_proxy.rule = lambda request, forward: Response(200, answer) if is_media(request) else forward()
        for read in (lambda: content(backend), lambda: backend.read("key", 10)):
            with pytest.raises(BackendError, match="other bytes"):
                read()

    @pytest.mark.parametrize(
        "answer",
        [
            Response(200, b"content"),
            Response(206, b"content"),
            Response(206, b"ont", {"content-range": "bytes 1-3/8"}),
            Response(206, b"con", {"content-range": "bytes 0-2/7"}),
            Response(206, b"onte", {"content-range": "bytes 1-3/7"}),
        ],
        ids=["no-ranges", "no-words", "another-size", "another-range", "another-length"],
    )
    def test_a_range_is_another_one(self, gcs, gcs_proxy, backend, bucket, answer):
        gcs.put(bucket, "key", b"content")
        gcs_proxy.rule = lambda request, forward: answer if is_media(request) else forward()
        with pytest.raises(UnexpectedBackendError):
            content(backend, byte_range=ByteRange(1, 4))

    def test_D18_a_flipped_bit_is_noticed(self, gcs, gcs_proxy, backend, bucket):
        gcs.put(bucket, "key", b"content")
        gcs_proxy.rule = lambda request, forward: Response(200, b"coNtent") if is_media(request) else forward()
        with pytest.raises(IntegrityError, match="md5"):
            content(backend)
        with pytest.raises(IntegrityError, match="md5"):
            backend.read("key", 10).read()


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_a_refusal_of_the_bytes_is_said_as_it_is(gcs, gcs_proxy, backend, bucket, status):
    gcs.put(bucket, "key", b"content")
    gcs_proxy.answer(is_media, gcs_error(status, "odd", "no"), times=2)
    for read in (lambda: content(backend), lambda: backend.read("key", 10)):
        with pytest.raises(BackendError, match=r"get gs://.*/key: "):
            read()


def test_T1_large_reads_of_many_threads_share_the_memory(gcs, open_gcs, bucket, monkeypatch):
    monkeypatch.setattr(reading, "LARGE_OBJECT", RANGE)
    data = os.urandom(3 * RANGE + 5)
    gcs.put(bucket, "key", data)
    backend = open_gcs(gcs, bucket)
    found = []

    def read():
        found.append(hashlib.md5(content(backend)).digest())

    threads = [threading.Thread(target=read) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [hashlib.md5(data).digest()] * 6


def test_a_put_and_a_get_of_an_object_keep_what_it_carries(backend):
    backend.put("key", Body(b"content"))
    with backend.get("key") as reader:
        assert reader.info == backend.stat("key")
