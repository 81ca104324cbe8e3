"""Large objects are read by ranges side by side: all bytes of one version (G1), none missing (G2), bounded memory."""

import threading
import time

import pytest

from cloudsync_core.backends.objectstore import ahead
from cloudsync_core.errors import (
    BackendError,
    Disposition,
    IntegrityError,
    ObjectNotFoundError,
    PreconditionFailedError,
    ThrottledError,
    UnexpectedBackendError,
)
from cloudsync_core.models import ByteRange, Version
from tests.servers.proxy import Response, error

RANGE = 1000
LARGE = 4 * RANGE
SIZES = (0, 1, RANGE - 1, RANGE, RANGE + 1, LARGE - 1, LARGE, LARGE + 1, 5 * RANGE, 5 * RANGE + 1, 20 * RANGE)


def data_of(size):
    return bytes(number * 31 % 251 for number in range(size))


@pytest.fixture(autouse=True)
def _small_ranges(monkeypatch):
    monkeypatch.setattr("cloudsync_core.backends.objectstore.ahead.RANGE", RANGE)
    monkeypatch.setattr("cloudsync_core.backends.objectstore.reading.RANGE", RANGE)
    monkeypatch.setattr("cloudsync_core.backends.objectstore.reading.LARGE_OBJECT", LARGE)


@pytest.fixture
def large(moto_proxy, open_s3):
    """A backend with an object of ten ranges, and the proxy before its server."""
    backend = open_s3(moto_proxy.server, moto_proxy.server.make_bucket())
    store(backend, data_of(10 * RANGE))
    return backend


def store(backend, data):
    backend.server.client.put_object(Bucket=backend.place.bucket, Key="key", Body=data)


def read(backend, **options):
    with backend.get("key", **options) as reader:
        return reader.read()


def by_the_exact_way(backend):
    """Let a backend do without the wire, as for the buckets that the wire cannot address."""
    backend.place.connection._wires[backend.place.bucket] = None
    return backend


def begins(request):
    """Tell where the range of a request begins, `None` where it asks for none."""
    value = request.headers.get("range", "")
    return int(value.removeprefix("bytes=").partition("-")[0]) if request.method == "GET" and value else None


class TestContent:
    @pytest.mark.parametrize("size", SIZES)
    def test_G2_every_size_around_the_borders(self, s3_server, open_s3, size):
        backend = open_s3(s3_server, s3_server.make_bucket())
        store(backend, data_of(size))
        with backend.get("key") as reader:
            assert reader.size == reader.info.size == size
            assert b"".join(reader.chunks()) == data_of(size)

    @pytest.mark.parametrize("size", SIZES)
    def test_the_exact_way_brings_the_same(self, s3_server, open_s3, size):
        backend = by_the_exact_way(open_s3(s3_server, s3_server.make_bucket()))
        store(backend, data_of(size))
        assert read(backend) == data_of(size)

    def test_G2_the_exact_way_finds_out_what_is_cut_short(self, large, moto_proxy):
        by_the_exact_way(large)
        moto_proxy.rule = lambda request, forward: _cut(forward()) if begins(request) == 5 * RANGE else forward()
        with pytest.raises(IntegrityError, match=r"get s3://.*/key"):
            read(large)

    @pytest.mark.parametrize(("size", "requests"), [(1, 1), (RANGE, 1), (RANGE + 1, 2), (LARGE - 1, 2), (LARGE, 4)])
    def test_no_request_is_wasted(self, moto_proxy, open_s3, size, requests):
        backend = open_s3(moto_proxy.server, moto_proxy.server.make_bucket())
        moto_proxy.server.client.put_object(Bucket=backend.place.bucket, Key="key", Body=data_of(size))
        del moto_proxy.requests[:]
        assert read(backend) == data_of(size)
        assert moto_proxy.count() == requests

    def test_G1_what_follows_is_asked_for_by_the_version_that_began(self, large, moto_proxy):
        del moto_proxy.requests[:]
        with large.get("key") as reader:
            etag = reader.info.version.etag
            reader.read()
        first, *others = moto_proxy.requests
        assert "if-match" not in first.headers
        assert {request.headers["if-match"] for request in others} == {f'"{etag}"'}
        assert sorted(map(begins, others)) == list(range(RANGE, 10 * RANGE, RANGE))

    def test_the_digest_is_that_of_the_whole(self, large):
        with large.get("key") as reader:
            assert reader.body().expected == large.stat("key").digests != ()

    def test_a_range_is_one_request_of_any_size(self, large, moto_proxy):
        del moto_proxy.requests[:]
        assert read(large, byte_range=ByteRange(5, 9 * RANGE)) == data_of(10 * RANGE)[5 : 9 * RANGE]
        assert moto_proxy.count() == 1

    def test_a_version_is_asked_for_from_the_beginning(self, large):
        version = large.stat("key").version
        assert read(large, if_match=version) == data_of(10 * RANGE)
        with pytest.raises(PreconditionFailedError):
            read(large, if_match=Version("0" * 32))

    def test_a_missing_object_is_one(self, large):
        with pytest.raises(ObjectNotFoundError), large.get("missing"):
            pass


class TestServersWithoutRanges:
    def test_what_comes_whole_is_read_as_it_comes(self, large, moto_proxy):
        def rule(request, forward):
            request.headers.pop("range", None)
            return forward()

        moto_proxy.rule = rule
        del moto_proxy.requests[:]
        assert read(large) == data_of(10 * RANGE)
        assert moto_proxy.count() == 1

    def test_ranges_that_are_answered_with_200_are_ranges(self, large, moto_proxy):
        moto_proxy.rule = lambda request, forward: _with_status(forward(), 200)
        assert read(large) == data_of(10 * RANGE)

    def test_a_server_that_stops_serving_them_is_found_out(self, large, moto_proxy):
        def rule(request, forward):
            if begins(request) == 3 * RANGE:
                del request.headers["range"]
            return forward()

        moto_proxy.rule = rule
        with pytest.raises(UnexpectedBackendError, match="other bytes than the range"):
            read(large)

    @pytest.mark.parametrize("etag", [{"etag": 'W/"weak"'}, {}], ids=["weak", "none"])
    def test_G1_without_an_etag_to_hold_the_ranges_together_there_are_none(self, large, moto_proxy, etag):
        def rule(request, forward):
            answer = forward()
            headers = {name: value for name, value in answer.headers.items() if name.lower() != "etag"}
            return Response(answer.status, answer.body, {**headers, **etag})

        moto_proxy.rule = rule
        del moto_proxy.requests[:]
        assert read(large) == data_of(10 * RANGE)
        assert list(map(begins, moto_proxy.requests)) == [0, None]


class TestChangesInMidRead:
    """G1: the bytes belong to one version; a change in mid-read raises, and is worth another attempt."""

    def changed(self, large, proxy, change, position):
        """Read the object, which changes when the range at this position is asked for."""
        proxy.rule = _changing(change, position)
        with pytest.raises(PreconditionFailedError, match=r"get s3://.*/key: it changed while it was read") as caught:
            read(large)
        assert caught.value.disposition is Disposition.RETRY

    @pytest.mark.parametrize("position", [RANGE, 5 * RANGE, 9 * RANGE])
    def test_another_object_of_the_same_size(self, large, moto_proxy, position):
        other = bytes(10 * RANGE)
        self.changed(large, moto_proxy, lambda: store(large, other), position)
        moto_proxy.rule = lambda request, forward: forward()
        assert read(large) == other

    def test_no_object_any_more(self, large, moto_proxy):
        client, bucket = large.server.client, large.place.bucket
        self.changed(large, moto_proxy, lambda: client.delete_object(Bucket=bucket, Key="key"), 5 * RANGE)

    def test_a_server_that_ignores_if_match_is_found_out(self, large, moto_proxy):
        changing = _changing(lambda: store(large, bytes(10 * RANGE)), 5 * RANGE)

        def rule(request, forward):
            request.headers.pop("if-match", None)
            return changing(request, forward)

        moto_proxy.rule = rule
        with pytest.raises(PreconditionFailedError, match="changed while it was read"):
            read(large)


class TestFaults:
    @pytest.mark.parametrize("position", [0, RANGE, 5 * RANGE, 9 * RANGE])
    def test_G2_a_range_that_is_cut_short_is_an_error(self, large, moto_proxy, position):
        moto_proxy.rule = lambda request, forward: _cut(forward()) if begins(request) == position else forward()
        with pytest.raises(IntegrityError, match=r"get s3://.*/key") as caught:
            read(large)
        assert caught.value.disposition is Disposition.RETRY

    @pytest.mark.parametrize("position", [RANGE, 5 * RANGE, 9 * RANGE])
    def test_a_range_that_is_refused_is_an_error_of_its_kind(self, large, moto_proxy, position):
        moto_proxy.answer(lambda request: begins(request) == position, error(503, "SlowDown"))
        with pytest.raises(ThrottledError, match=r"get s3://.*/key"):
            read(large)

    @pytest.mark.parametrize("position", [RANGE, 5 * RANGE])
    def test_a_connection_that_is_lost_is_an_error(self, large, moto_proxy, position):
        moto_proxy.answer(lambda request: begins(request) == position, None)
        with pytest.raises(BackendError) as caught:
            read(large)
        assert caught.value.disposition is Disposition.RETRY

    def test_what_the_reader_of_the_bytes_raises_comes_out_as_it_is(self, large):
        with pytest.raises(OSError, match="the disk is full"), large.get("key") as reader:  # noqa: PT012 - as a put does
            for _ in reader.chunks():
                raise OSError("the disk is full")


class TestMemory:
    def test_only_a_few_ranges_are_fetched_ahead(self, large, moto_proxy):
        del moto_proxy.requests[:]
        with large.get("key") as reader:
            chunks = reader.chunks()
            next(chunks)
            time.sleep(0.3)
            # A body holds one chunk back, so that of the second range is in its hands.
            assert len(moto_proxy.requests) <= 1 + ahead.RANGES_AHEAD + 2
            assert sum(map(len, chunks)) == 9 * RANGE

    def test_nothing_is_fetched_before_it_is_wanted(self, large, moto_proxy):
        del moto_proxy.requests[:]
        with large.get("key"):
            time.sleep(0.1)
        assert moto_proxy.count() == 1

    @pytest.mark.parametrize("places", [0, 1, 2])
    def test_without_memory_for_more_ranges_are_read_one_by_one(self, moto_s3, open_s3, monkeypatch, places):
        monkeypatch.setattr("cloudsync_core.backends.objectstore.reading.RANGES_IN_MEMORY", places)
        backend = open_s3(moto_s3, moto_s3.make_bucket())
        store(backend, data_of(10 * RANGE))
        contents = []
        threads = [threading.Thread(target=lambda: contents.append(read(backend))) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert contents == [data_of(10 * RANGE)] * 6

    def test_places_are_given_back_however_it_ends(self, large, moto_proxy, monkeypatch):
        free = _counted(large, monkeypatch)
        read(large)
        assert free() == 0
        with large.get("key") as reader:
            next(reader.chunks())
        moto_proxy.answer(lambda request: begins(request) == 5 * RANGE, error(500, "InternalError"))
        with pytest.raises(BackendError):
            read(large)
        deadline = time.monotonic() + 10
        while free() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert free() == 0


class TestSmallObjects:
    """`Backend.read`: whole in one request, held to the digest that the answer tells when it is used."""

    def test_every_one_is_one_request(self, moto_proxy, open_s3):
        backend = open_s3(moto_proxy.server, moto_proxy.server.make_bucket())
        store(backend, b"content")
        del moto_proxy.requests[:]
        for _ in range(3):
            reader = backend.read("key", 7)
            assert (reader.read(), reader.info) == (b"content", backend.stat("key"))
        assert [request.method for request in moto_proxy.requests] == ["GET", "HEAD"] * 3

    def test_a_larger_one_is_not_read(self, moto_s3, open_s3):
        backend = open_s3(moto_s3, moto_s3.make_bucket())
        store(backend, b"content")
        assert [backend.read("key", 6) for _ in range(2)] == [None, None]
        assert backend.read("key", 7).read() == b"content"

    def test_D18_damaged_bytes_are_found_out(self, moto_proxy, open_s3):
        backend = open_s3(moto_proxy.server, moto_proxy.server.make_bucket())
        store(backend, b"content")
        backend.read("key", 100)
        moto_proxy.rule = lambda request, forward: _with_body(forward(), b"CONTENT")
        with pytest.raises(IntegrityError, match="the content has md5"):
            backend.read("key", 100).read()

    def test_B09_an_encrypted_object_among_others_tells_no_digest(self, moto_proxy, open_s3):
        backend = open_s3(moto_proxy.server, moto_proxy.server.make_bucket())
        store(backend, b"content")
        backend.read("key", 100)

        def rule(request, forward):
            answer = forward()
            headers = {name: value for name, value in answer.headers.items() if name.lower() != "etag"}
            opaque = {"etag": '"' + "0" * 32 + '"', "x-amz-server-side-encryption": "aws:kms"}
            return Response(answer.status, answer.body, {**headers, **opaque})

        moto_proxy.rule = rule
        reader = backend.read("key", 100)
        assert (reader.read(), reader.info.digests) == (b"content", ())


def _changing(change, position):
    """A rule by which the object changes when the range at this position is asked for, the first time.

    Moto fails when an object is replaced while it is read, so nothing is read meanwhile. The change itself comes this
    way too.
    """
    waiting, one_at_a_time = [change], threading.Lock()

    def rule(request, forward):
        if request.method != "GET":
            return forward()
        with one_at_a_time:
            if begins(request) == position and waiting:
                waiting.pop()()
            return forward()

    return rule


def _cut(answer):
    return Response(answer.status, answer.body, answer.headers, cut=RANGE - 1)


def _with_status(answer, status):
    return Response(status if answer.status < 300 else answer.status, answer.body, answer.headers)


def _with_body(answer, body):
    return Response(answer.status, body, answer.headers)


def _counted(backend, monkeypatch):
    """Return a function that tells how many places in memory are taken."""
    taken = []
    reader = backend._reader

    class Counting:
        def acquire(self, *, blocking):
            taken.append(1)
            return True

        def release(self):
            taken.pop()

    monkeypatch.setattr(reader, "_memory", Counting())
    return lambda: len(taken)
