"""Uploads: in one request or by a session, verified, and nothing left behind (D06, D08, D09)."""

import base64
import hashlib
import os
import threading

import google_crc32c
import pytest
from cloudsync_gcs.config import MIB, UNIT

from cloudsync_core.backends.file import FileBackend
from cloudsync_core.backends.objectstore.wire import Answer
from cloudsync_core.body import Body
from cloudsync_core.errors import (
    BackendError,
    Disposition,
    IntegrityError,
    ObjectExistsError,
    ObjectNotFoundError,
    PreconditionFailedError,
    ThrottledError,
    UnavailableError,
    UnexpectedBackendError,
)
from cloudsync_core.location import Location
from cloudsync_core.models import IF_ABSENT, Attributes, Digest, IfMatch, Version
from tests.engine.transfers import action, transfer
from tests.servers.gcs import gcs_error
from tests.servers.proxy import Response

T = 1000
SIZES = (
    *(0, 1, T - 1, T, T + 1),
    *(boundary + more for boundary in (UNIT, 2 * UNIT, 5 * UNIT) for more in (-1, 0, 1)),
)


def data_of(size):
    return (bytes(range(251)) * (size // 251 + 1))[:size]


def md5(data):
    return Digest("md5", hashlib.md5(data).hexdigest())


def chunked(data, size=33_333):
    return (data[start : start + size] for start in range(0, len(data), size))


def is_begin(request):
    return request.method == "POST" and request.query.get("uploadType") == "resumable"


def is_chunk(request):
    return request.method == "PUT"


def is_last(request):
    return is_chunk(request) and not request.headers["content-range"].endswith("*")


@pytest.fixture
def small(gcs, gcs_proxy, open_gcs):
    """A backend that uploads by sessions from 1000 bytes on, in chunks of 256 KiB, and the proxy before its server."""
    return open_gcs(gcs_proxy.server, gcs.make_bucket(), resumable_threshold=T, chunk_size=UNIT)


def bucket_of(backend):
    return backend.place.address.bucket


def stored(backend):
    return backend.server.contents(bucket_of(backend))


def unfinished(backend):
    return backend.server.open_uploads(bucket_of(backend))


class TestSizes:
    @pytest.mark.parametrize("known", [True, False], ids=["size-known", "size-unknown"])
    @pytest.mark.parametrize("size", SIZES)
    def test_D09_every_size_around_the_borders(self, gcs, open_gcs, size, known):
        backend = open_gcs(gcs, gcs.make_bucket(), resumable_threshold=T, chunk_size=UNIT)
        data = data_of(size)
        written = backend.put("key", Body(chunked(data), size if known else None))
        assert stored(backend) == {"key": data}
        assert (written.size, written.digests) == (size, (md5(data),))
        assert written.version == backend.stat("key").version
        assert set(written.digests) <= set(backend.stat("key").digests)
        assert unfinished(backend) == []

    @pytest.mark.parametrize(
        ("size", "known", "requests"),
        [
            (T, True, ["POST"]),
            (T + 1, True, ["POST", "PUT"]),
            (UNIT, True, ["POST", "PUT"]),
            (UNIT + 1, True, ["POST", "PUT", "PUT"]),
            (9 * UNIT, True, ["POST", "PUT", "PUT"]),
            (T, False, ["POST"]),
            (3 * UNIT, False, ["POST", "PUT", "PUT", "PUT"]),
        ],
    )
    def test_no_request_is_wasted(self, small, gcs_proxy, size, known, requests):
        data = data_of(size)
        small.put("key", Body(chunked(data), size if known else None))
        assert [request.method for request in gcs_proxy.requests] == requests

    def test_64_mib_go_up_and_come_down(self, gcs, open_gcs):
        block = os.urandom(MIB)
        whole = hashlib.md5(block * 64).hexdigest()
        backend = open_gcs(gcs, gcs.make_bucket())
        written = backend.put("key", Body((block for _ in range(64)), 64 * MIB))
        assert written.digests == (Digest("md5", whole),)
        found = hashlib.md5()
        with backend.get("key") as reader:
            for chunk in reader.chunks():
                found.update(chunk)
        assert found.hexdigest() == whole

    @pytest.mark.parametrize("known", [True, False], ids=["size-known", "size-unknown"])
    def test_what_is_held_in_memory_does_not_depend_on_the_size(self, gcs, open_gcs, known):
        backend = open_gcs(gcs, "bucket", resumable_threshold=T, chunk_size=UNIT)
        piece, count = UNIT // 4, 200
        made, taken, most = 0, 0, 0

        def content():
            nonlocal made, most
            for _ in range(count):
                made += piece
                most = max(most, made - taken)
                yield bytes(piece)

        class Sink:
            """A way to a server that reads everything and keeps nothing."""

            def request(self, request, most=None):
                nonlocal taken
                if request.method == "POST":
                    return Answer(200, {"location": "/upload?upload_id=1"}, b"")
                for part in (request.body,) if isinstance(request.body, bytes) else request.body:
                    taken += len(part)
                if taken < piece * count:
                    return Answer(308, {"range": f"bytes=0-{taken - 1}"}, b"")
                told = f'{{"generation": "1", "size": "{taken}", "timeCreated": "2026-01-01T00:00:00Z"}}'
                return Answer(200, {}, told.encode())

            def close(self):
                pass

        backend.place.connection._way = Sink()
        assert backend.put("key", Body(content(), piece * count if known else None)).size == piece * count
        assert most <= backend.capabilities.put_memory < piece * count


class TestVerified:
    """What the server is told of the content, and what it tells."""

    @pytest.mark.parametrize("size", [10, T + 1, 2 * UNIT])
    def test_D18_the_server_compares_before_the_object_is_visible(self, small, gcs_proxy, size):
        """A bit flips on the way: what arrives is refused, and the old object stays."""
        small.put("key", Body(b"old"))
        flipped = threading.Event()

        def flip(request, forward):
            if request.body.endswith(b"\xff") or b"\xff\r\n--" in request.body[-60:]:
                flipped.set()
                body = request.body.replace(b"\xff", b"\xfe")
                return gcs_proxy.forward(type(request)(request.method, request.target, request.headers, body))
            return forward()

        gcs_proxy.rule = flip
        with pytest.raises(IntegrityError) as caught:
            small.put("key", Body(bytes(size - 1) + b"\xff"))
        assert flipped.is_set()
        assert caught.value.disposition is Disposition.RETRY
        assert stored(small) == {"key": b"old"}
        assert unfinished(small) == []

    def test_D18_a_server_that_tells_another_digest_is_not_believed(self, small, gcs_proxy):
        wrong = base64.b64encode(bytes(16)).decode()
        told = f'{{"generation": "1", "size": "3", "md5Hash": "{wrong}", "timeCreated": "2026-01-01T00:00:00Z"}}'
        gcs_proxy.rule = lambda request, forward: Response(200, told.encode())
        with pytest.raises(IntegrityError, match=r"put gs://.*/key: the server stored the object with the md5 0000"):
            small.put("key", Body(b"new"))

    def test_D16_a_server_that_stored_fewer_bytes_is_not_believed(self, small, gcs_proxy):
        told = '{"generation": "1", "size": "2", "timeCreated": "2026-01-01T00:00:00Z"}'
        gcs_proxy.rule = lambda request, forward: Response(200, told.encode())
        with pytest.raises(IntegrityError, match="stored 2 bytes, sent were 3"):
            small.put("key", Body(b"new"))

    @pytest.mark.parametrize("size", [10, 2 * UNIT])
    def test_B11_content_whose_crc_alone_is_known_is_proven_by_that(self, small, size):
        data = data_of(size)
        crc = Digest("crc32c", f"{google_crc32c.value(data):08x}")
        body = Body(chunked(data), size, expect=[crc])
        body.require_any("md5")
        assert small.put("key", body).digests == (crc,) == body.digests()
        with pytest.raises(IntegrityError, match="crc32c"):
            small.put("key", Body(chunked(data[:-1] + b"!"), size, expect=[crc]))
        assert stored(small) == {"key": data}

    @pytest.mark.parametrize("answer", [b"", b"no json", b"[]", b"{}", b'{"generation": "1"}', b'{"size": "3"}'])
    def test_an_answer_that_tells_nothing_is_no_success(self, small, gcs_proxy, answer):
        gcs_proxy.rule = lambda request, forward: Response(200, answer)
        with pytest.raises(UnexpectedBackendError):
            small.put("key", Body(b"new"))


class TestFailing:
    """P2: whatever fails, nothing is visible and no session stays open."""

    @pytest.mark.parametrize(
        "failure", [gcs_error(503, "backendError", "no"), gcs_error(429, "rateLimitExceeded", "slowly"), None]
    )
    @pytest.mark.parametrize("which", [is_begin, is_chunk, is_last], ids=["begin", "chunk", "last"])
    def test_D08_a_request_that_fails_cancels_the_session(self, small, gcs_proxy, which, failure):
        small.put("key", Body(b"old"))
        gcs_proxy.answer(which, failure)
        with pytest.raises((UnavailableError, ThrottledError)) as caught:
            small.put("key", Body(data_of(3 * UNIT)))
        assert caught.value.disposition is Disposition.RETRY
        assert stored(small) == {"key": b"old"}
        assert unfinished(small) == []

    @pytest.mark.parametrize("known", [True, False], ids=["size-known", "size-unknown"])
    @pytest.mark.parametrize("error", [OSError("disk"), ConnectionResetError(), TimeoutError(), ValueError("x")])
    def test_E1_what_the_body_raises_comes_as_it_is(self, small, known, error):
        def content():
            yield data_of(3 * UNIT)
            yield data_of(UNIT)
            raise error

        with pytest.raises(type(error)) as caught:
            small.put("key", Body(content(), 9 * UNIT if known else None))
        assert caught.value is error
        assert stored(small) == {}
        assert unfinished(small) == []

    @pytest.mark.parametrize("error", [PreconditionFailedError("changed"), ObjectNotFoundError("gone")], ids=repr)
    @pytest.mark.parametrize("there", [False, True], ids=["if-absent", "if-match"])
    def test_E1_what_the_body_raises_is_not_taken_for_a_refusal(self, small, error, there):
        condition = IfMatch(small.put("key", Body(b"old")).version) if there else IF_ABSENT

        def content():
            yield data_of(3 * UNIT)
            raise error

        with pytest.raises(type(error)) as caught:
            small.put("key", Body(content(), 9 * UNIT), condition=condition)
        assert caught.value is error

    def test_P2_an_interrupt_cancels_the_session(self, small):
        def content():
            yield data_of(2 * UNIT)
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            small.put("key", Body(content(), 9 * UNIT))
        assert unfinished(small) == []

    def test_D14_a_server_that_claims_more_than_was_sent_is_not_followed(self, small, gcs_proxy):
        gcs_proxy.answer(is_chunk, Response(308, b"", {"range": f"bytes=0-{9 * UNIT}"}))
        with pytest.raises(UnexpectedBackendError) as caught:
            small.put("key", Body(data_of(3 * UNIT)))
        assert caught.value.disposition is Disposition.RETRY
        assert unfinished(small) == []

    @pytest.mark.parametrize("held", [{}, {"range": f"bytes=0-{UNIT - 1}"}], ids=["nothing", "a-part"])
    def test_D14_a_server_that_kept_less_loses_the_attempt(self, small, gcs_proxy, held):
        gcs_proxy.answer(is_chunk, Response(308, b"", held))
        with pytest.raises(UnavailableError, match="did not keep all"):
            small.put("key", Body(data_of(3 * UNIT)))
        assert unfinished(small) == []

    def test_D14_also_with_the_last_chunk(self, small, gcs_proxy):
        gcs_proxy.answer(is_last, Response(308, b"", {"range": f"bytes=0-{UNIT - 1}"}))
        with pytest.raises(UnavailableError, match="did not keep all"):
            small.put("key", Body(data_of(3 * UNIT)))
        assert stored(small) == {}
        assert unfinished(small) == []

    def test_a_session_that_cannot_be_cancelled_is_said(self, small, gcs_proxy):
        gcs_proxy.answer(
            lambda request: request.method in {"PUT", "DELETE"}, gcs_error(503, "backendError", "no"), times=100
        )
        with pytest.raises(UnavailableError) as caught:
            small.put("key", Body(data_of(3 * UNIT)))
        assert any("could not be cancelled" in note for note in caught.value.__notes__)
        assert gcs_proxy.count("DELETE") == 3

    @pytest.mark.parametrize("location", ["", "nonsense", "http://127.0.0.1/upload?x=1"])
    def test_a_session_without_a_name_is_no_session(self, small, gcs_proxy, location):
        gcs_proxy.answer(is_begin, Response(200, b"", {"location": location}))
        with pytest.raises(UnexpectedBackendError) as caught:
            small.put("key", Body(data_of(3 * UNIT)))
        assert caught.value.disposition is Disposition.RETRY

    def test_a_session_is_asked_for_at_the_server_of_the_location(self, small, gcs_proxy):
        """Whatever host an emulator believes it has."""

        def elsewhere(request, forward):
            answer = forward()
            if is_begin(request):
                answer.headers["location"] = answer.headers.pop("location", answer.headers.pop("Location", "")).replace(
                    "127.0.0.1", "emulator.invalid"
                )
            return answer

        gcs_proxy.rule = elsewhere
        small.put("key", Body(data_of(3 * UNIT)))
        assert len(stored(small)["key"]) == 3 * UNIT


class TestConditions:
    """P4, in one request and by a session."""

    @pytest.mark.parametrize("size", [10, 3 * UNIT])
    def test_P4_of_what_is_there(self, small, size):
        data = data_of(size)
        first = small.put("key", Body(data), condition=IF_ABSENT).version
        with pytest.raises(ObjectExistsError, match="put gs://"):
            small.put("key", Body(data[::-1]), condition=IF_ABSENT)
        second = small.put("key", Body(data[::-1]), condition=IfMatch(first)).version
        assert second != first
        for stale in (first, Version("stale"), Version(None, "0"), Version("1")):
            with pytest.raises(PreconditionFailedError):
                small.put("key", Body(data), condition=IfMatch(stale))
        assert stored(small) == {"key": data[::-1]}
        small.delete("key")
        with pytest.raises(PreconditionFailedError):
            small.put("key", Body(data), condition=IfMatch(second))
        assert stored(small) == {}
        assert unfinished(small) == []

    @pytest.mark.parametrize("size", [10, 2 * UNIT])
    def test_P4_of_many_writers_one_replaces_a_version(self, gcs, open_gcs, size):
        backend = open_gcs(gcs, gcs.make_bucket(), resumable_threshold=T, chunk_size=UNIT)
        for condition in (IF_ABSENT, None):
            wanted = condition or IfMatch(backend.stat("key").version)
            start = threading.Barrier(6)
            won, lost = [], []

            def write(number, wanted=wanted, start=start, won=won, lost=lost):
                data = bytes([number]) * size
                start.wait()
                try:
                    backend.put("key", Body(data), condition=wanted)
                except (ObjectExistsError, PreconditionFailedError):
                    lost.append(number)
                else:
                    won.append(data)

            threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert len(won) == 1
            assert len(lost) == 5
            assert stored(backend) == {"key": won[0]}
            assert unfinished(backend) == []

    def test_a_change_of_metadata_is_no_change_of_content(self, gcs, open_gcs):
        backend = open_gcs(gcs, gcs.make_bucket())
        written = backend.put("key", Body(b"content"))
        blob = gcs.client.bucket(bucket_of(backend)).get_blob("key")
        blob.metadata = {"colour": "red"}
        blob.patch()
        assert backend.stat("key").fingerprint == written.fingerprint
        backend.put("key", Body(b"other"), condition=IfMatch(written.version))


class TestThroughTheEngine:
    """F01: an answer that was lost may be that of a success."""

    @pytest.mark.parametrize("size", [10, 3 * UNIT])
    def test_F01_a_retried_create_meets_its_own_object(self, small, gcs_proxy, tmp_path, size):
        (tmp_path / "key").write_bytes(data_of(size))
        source = FileBackend(Location.parse(str(tmp_path)))
        lost = threading.Semaphore(1)

        def lose(request, forward):
            answer = forward()
            done = request.method == "POST" if size == 10 else is_last(request)
            return None if done and lost.acquire(blocking=False) else answer

        gcs_proxy.rule = lose
        outcome = transfer(source, small).write(action(source, small, "key"))
        assert (outcome.status, outcome.verified) == ("done", "md5")
        assert stored(small) == {"key": data_of(size)}


def test_attributes_come_with_the_answer(small):
    given = Attributes(content_type="text/x-demo", mtime_ns=5)
    assert small.put("key", Body(b"content"), attributes=given).attributes == given


@pytest.mark.parametrize("status", [400, 401, 403, 404, 412, 413])
def test_E1_a_server_that_refuses_in_the_middle_is_an_error_of_the_contract(gcs, open_gcs, status):
    """It says why before it has read everything, and closes the connection."""
    import socket
    import socketserver

    class Refusing(socketserver.StreamRequestHandler):
        def handle(self):
            while self.rfile.readline().strip():
                pass
            body = gcs_error(status, "odd", "no").body
            self.wfile.write(b"HTTP/1.1 %d No\r\ncontent-length: %d\r\n\r\n" % (status, len(body)) + body)
            self.connection.shutdown(socket.SHUT_RDWR)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Refusing) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        backend = open_gcs(gcs, "bucket", endpoint_url=f"http://127.0.0.1:{server.server_address[1]}")
        with pytest.raises(BackendError, match=r"put gs://bucket/key: "):
            backend.put("key", Body(data_of(8 * MIB)))
        server.shutdown()
        thread.join()
