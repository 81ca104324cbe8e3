"""Uploads: in one request or in parts, verified, and nothing left behind (D06, D08, D09)."""

import dataclasses
import hashlib
import re
import threading

import pytest
from cloudsync_s3 import uploads
from cloudsync_s3.config import MIB
from cloudsync_s3.place import content_md5
from cloudsync_s3.versions import PART_SIZE_METADATA

from cloudsync_core.backends.file import FileBackend
from cloudsync_core.backends.objectstore import parts
from cloudsync_core.backends.objectstore.parts import LARGE_PART
from cloudsync_core.backends.objectstore.sending import Sender
from cloudsync_core.body import Body
from cloudsync_core.errors import (
    BackendError,
    Disposition,
    IntegrityError,
    ObjectExistsError,
    PreconditionFailedError,
    ThrottledError,
    UnavailableError,
    UnexpectedBackendError,
    UnsupportedOperationError,
)
from cloudsync_core.location import Location
from cloudsync_core.models import IF_ABSENT, Attributes, Digest, IfMatch, Version
from tests.engine.transfers import action, transfer
from tests.servers.proxy import Response, error

P = 1000
IN_FLIGHT = parts.in_flight(P)
SIZES = (0, 1, P - 1, P, P + 1, 2 * P - 1, 2 * P, 2 * P + 1, 10 * P)


def data_of(size):
    return bytes(number * 31 % 251 for number in range(size))


def digest_of_parts(data, part):
    whole = hashlib.md5()
    for start in range(0, len(data), part):
        whole.update(hashlib.md5(data[start : start + part]).digest())
    return whole.hexdigest()


def chunked(data, size=333):
    return (data[start : start + size] for start in range(0, len(data), size))


def is_part(request):
    return request.method == "PUT" and "partNumber" in request.query


def is_create(request):
    return request.method == "POST" and "uploads" in request.query


def is_complete(request):
    return request.method == "POST" and "uploadId" in request.query


def is_abort(request):
    return request.method == "DELETE" and "uploadId" in request.query


@pytest.fixture
def small(moto_proxy, open_s3):
    """A backend that uploads in parts of 1000 bytes, and the proxy before its server."""
    backend = open_s3(moto_proxy.server, moto_proxy.server.make_bucket(), multipart_threshold=P, part_size=P)
    del moto_proxy.requests[:]
    return backend


def unfinished(backend):
    return backend.server.client.list_multipart_uploads(Bucket=backend.place.bucket).get("Uploads", [])


def stored(backend):
    return backend.server.contents(backend.place.bucket)


class TestSizes:
    @pytest.mark.parametrize("known", [True, False], ids=["size-known", "size-unknown"])
    @pytest.mark.parametrize("size", SIZES)
    def test_D09_every_size_around_the_borders(self, s3_server, open_s3, size, known):
        bucket = s3_server.make_bucket()
        backend = open_s3(s3_server, bucket, multipart_threshold=P, part_size=P)
        data = data_of(size)
        written = backend.put("key", Body(chunked(data), size if known else None))
        assert s3_server.contents(bucket) == {"key": data}
        if size <= P:
            assert written.digests == (Digest("md5", hashlib.md5(data).hexdigest()),)
        else:
            assert written.digests == (Digest(f"md5/{P}", digest_of_parts(data, P)),)
        assert written.size == size
        if s3_server.name != "rclone":  # which from then on has the ETag of a file
            assert written.version == backend.stat("key").version
            assert written.digests == backend.stat("key").digests

    @pytest.mark.parametrize("size", SIZES)
    def test_the_exact_way_stores_the_same(self, s3_server, open_s3, size):
        """Uploads to buckets that the wire cannot address."""
        bucket = s3_server.make_bucket()
        backend = open_s3(s3_server, bucket, multipart_threshold=P, part_size=P)
        backend.place.connection._wires[bucket] = None
        data = data_of(size)
        written = backend.put("key", Body(chunked(data), size))
        assert s3_server.contents(bucket) == {"key": data}
        assert [digest.algorithm for digest in written.digests] == ["md5" if size <= P else f"md5/{P}"]

    def test_what_the_source_knows_of_its_parts_is_the_one_digest(self, small):
        """An object in parts goes from bucket to bucket with its ETag."""
        data = data_of(7 * P)
        body = Body(chunked(data), len(data), expect=[Digest("md5/2000", digest_of_parts(data, 2000))])
        body.require_any("md5")
        written = small.put("key", body)
        assert written.digests == body.digests() == (Digest("md5/2000", digest_of_parts(data, 2000)),)

    @pytest.mark.parametrize("size", [P - 1, LARGE_PART + 1])
    def test_but_not_where_its_parts_are_too_small_or_too_large(self, small, size):
        data = data_of(3 * P)
        body = Body(chunked(data), len(data), expect=[Digest(f"md5/{size}", digest_of_parts(data, size))])
        assert small.put("key", body).digests == (Digest(f"md5/{P}", digest_of_parts(data, P)),)

    @pytest.mark.parametrize(
        ("size", "requests"),
        [(P, ["PUT"]), (P + 1, ["POST", "PUT", "PUT", "POST"]), (2 * P, ["POST", "PUT", "PUT", "POST"])],
    )
    def test_no_request_is_wasted(self, small, moto_proxy, size, requests):
        small.put("key", Body(data_of(size)))
        assert [request.method for request in moto_proxy.requests] == requests

    def test_D09_unknown_content_of_too_many_parts_is_refused_with_the_way_out(self, small, monkeypatch):
        monkeypatch.setattr("cloudsync_s3.uploads.MOST_PARTS", 3)
        with pytest.raises(UnsupportedOperationError, match="Set a larger part_size") as caught:
            small.put("key", Body(chunked(data_of(3 * P + 1))))
        assert caught.value.disposition is Disposition.SKIP
        assert unfinished(small) == []


class TestAttributes:
    @pytest.mark.parametrize("size", [10, 3 * P])
    def test_both_ways_carry_the_same(self, small, size):
        carried = Attributes("text/x-demo", "no-cache", mtime_ns=5, metadata={"a": "b"})
        small.put("key", Body(data_of(size)), attributes=carried)
        assert small.stat("key").attributes == carried

    def test_part_size_is_kept_with_the_object(self, small):
        small.put("key", Body(data_of(3 * P)))
        head = small.server.client.head_object(Bucket=small.place.bucket, Key="key")
        assert head["Metadata"] == {PART_SIZE_METADATA: str(P)}


class TestVerification:
    def test_parts_carry_their_md5_until_etags_are_known_to_prove_them(self, small, moto_proxy):
        small.put("key", Body(data_of(2 * P + 1)))
        first = next(filter(is_part, moto_proxy.requests))
        assert first.headers["content-md5"] == content_md5(hashlib.md5(first.body).hexdigest())
        del moto_proxy.requests[:]
        written = small.put("key", Body(data_of(2 * P + 1)))
        assert [request.headers.get("content-md5") for request in moto_proxy.requests if is_part(request)] == [None] * 3
        assert written.digests == (Digest(f"md5/{P}", digest_of_parts(data_of(2 * P + 1), P)),)

    def test_parts_that_no_etag_proves_are_sent_again_with_their_md5(self, small, moto_proxy):
        """The server has shown ETags that do, and then shows others."""

        def rule(request, forward):
            answer = forward()
            opaque = {**_without_etag(answer), "etag": '"opaque"'}
            return Response(answer.status, answer.body, opaque) if is_part(request) else answer

        small.put("key", Body(data_of(3 * P)))
        del moto_proxy.requests[:]
        moto_proxy.rule = rule
        with pytest.raises(BackendError):
            # Moto wants its own ETags back.
            small.put("key", Body(data_of(3 * P)))
        sent = {number: [] for number in "123"}
        for request in filter(is_part, moto_proxy.requests):
            sent[request.query["partNumber"]].append(request.headers.get("content-md5"))
        wanted = [content_md5(hashlib.md5(data_of(3 * P)[at : at + P]).hexdigest()) for at in range(0, 3 * P, P)]
        assert {number: md5s[-1] for number, md5s in sent.items()} == dict(zip("123", wanted, strict=True))
        assert [md5 for md5s in sent.values() for md5 in md5s].count(None) >= 1
        assert unfinished(small) == []

    @pytest.mark.parametrize("size", [P, 3 * P])
    def test_D18_server_that_stored_something_else_is_found_out(self, small, moto_proxy, size):
        def rule(request, forward):
            answer = forward()
            if request.method in {"PUT", "HEAD"}:
                return Response(answer.status, answer.body, {**_without_etag(answer), "etag": '"' + "0" * 32 + '"'})
            return answer

        moto_proxy.rule = rule
        with pytest.raises(IntegrityError, match=r"put s3://.*/key(?s:.*)etag_is_md5: false"):
            small.put("key", Body(data_of(size)))
        if size > P:
            assert stored(small) == {}
        assert unfinished(small) == []

    def test_E1_part_without_an_etag_cannot_be_completed(self, small, moto_proxy):
        def rule(request, forward):
            answer = forward()
            return Response(answer.status, answer.body, _without_etag(answer)) if is_part(request) else answer

        moto_proxy.rule = rule
        with pytest.raises(UnexpectedBackendError, match=r"put s3://.*/key: .*ETag of part \d"):
            small.put("key", Body(data_of(3 * P)))
        assert unfinished(small) == []

    def test_D18_server_that_put_parts_together_wrongly_is_found_out(self, small, moto_proxy):
        def rule(request, forward):
            answer = forward()
            if is_complete(request):
                return Response(200, answer.body.replace(b"-3", b"-2"), answer.headers)
            return answer

        moto_proxy.rule = rule
        with pytest.raises(IntegrityError, match="the server's ETag is"):
            small.put("key", Body(data_of(3 * P)))

    @pytest.mark.parametrize("size", [P, 3 * P])
    def test_B10_opaque_etags_are_taken_as_they_are_when_they_are_said_to_be(self, moto_proxy, open_s3, size):
        def rule(request, forward):
            answer = forward()
            if request.method == "PUT":
                return Response(answer.status, answer.body, {**_without_etag(answer), "etag": '"' + "0" * 32 + '"'})
            return answer

        bucket = moto_proxy.server.make_bucket()
        backend = open_s3(moto_proxy.server, bucket, multipart_threshold=P, part_size=P, etag_is_md5=False)
        if size == P:
            moto_proxy.rule = rule
        assert backend.put("key", Body(data_of(size))).digests == ()

    @pytest.mark.parametrize("size", [P, 3 * P])
    def test_B09_encrypted_bucket_confirms_nothing_and_fails_nothing(self, moto_s3, open_s3, size):
        bucket = moto_s3.make_bucket()
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
        moto_s3.client.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
        backend = open_s3(moto_s3, bucket, multipart_threshold=P, part_size=P)
        backend.put("key", Body(data_of(size)))
        assert backend.stat("key").digests == ()
        with backend.get("key") as reader:
            assert reader.read() == data_of(size)


class TestProofByParts:
    """Where every part was the server's own MD5 of what was sent, the object is proven whatever its ETag is."""

    @staticmethod
    def retag(proxy, chosen, etag):
        """Give the answers to the chosen requests another ETag: in the header, and in the body of a completion."""

        def rule(request, forward):
            answer = forward()
            if not chosen(request) or answer.status != 200:
                return answer
            body = re.sub(rb"<ETag>.*?</ETag>", f"<ETag>{etag}</ETag>".encode(), answer.body)
            headers = _without_etag(answer)
            return Response(200, body, headers if is_complete(request) else {**headers, "etag": f'"{etag}"'})

        proxy.rule = rule

    def test_an_opaque_etag_of_the_object_takes_nothing_from_it(self, small, moto_proxy):
        self.retag(moto_proxy, is_complete, "opaque")
        written = small.put("key", Body(data_of(3 * P)))
        assert written.digests == (Digest(f"md5/{P}", digest_of_parts(data_of(3 * P), P)),)
        assert written.version.etag == "opaque"

    def test_so_it_is_on_a_server_that_makes_an_etag_of_the_file(self, rclone_s3, open_s3):
        backend = open_s3(rclone_s3, rclone_s3.make_bucket(), multipart_threshold=P, part_size=P)
        written = backend.put("key", Body(data_of(3 * P)))
        assert written.digests == (Digest(f"md5/{P}", digest_of_parts(data_of(3 * P), P)),)

    def test_D18_an_etag_that_is_one_of_parts_and_of_others_is_an_error(self, small, moto_proxy):
        self.retag(moto_proxy, is_complete, "0" * 32 + "-3")
        with pytest.raises(IntegrityError, match="the server's ETag is"):
            small.put("key", Body(data_of(3 * P)))

    def test_one_part_without_an_md5_is_enough_for_no_proof(self, small, moto_proxy):
        opaque = 0

        def rule(request, forward):
            nonlocal opaque
            answer = forward()
            if is_part(request) and request.query["partNumber"] == "2":
                opaque += 1
                return Response(200, b"", {**_without_etag(answer), "etag": '"opaque"'})
            if is_complete(request):
                # The server, which knows the part by its MD5, is told so.
                return complete(request)
            return answer

        def complete(request):
            md5 = hashlib.md5(data_of(2 * P)[P:]).hexdigest()
            body = re.sub(rb"opaque", md5.encode(), request.body)
            headers = {**request.headers, "content-length": str(len(body))}
            answer = moto_proxy.forward(dataclasses.replace(request, body=body, headers=headers))
            return Response(200, re.sub(rb"<ETag>.*?</ETag>", b"<ETag>opaque</ETag>", answer.body), {})

        moto_proxy.rule = rule
        assert small.put("key", Body(data_of(3 * P))).digests == ()
        assert opaque == 1

    def test_B09_parts_of_an_encrypted_object_prove_nothing(self, small, moto_proxy):
        def rule(request, forward):
            answer = forward()
            if not is_part(request):
                return answer
            return Response(200, b"", {**answer.headers, "x-amz-server-side-encryption": "aws:kms"})

        moto_proxy.rule = rule
        assert small.put("key", Body(data_of(3 * P))).digests == ()

    def test_B10_opaque_etags_of_parts_are_no_proof_and_no_error_when_they_are_said_to_be(self, moto_s3, open_s3):
        backend = open_s3(moto_s3, moto_s3.make_bucket(), multipart_threshold=P, part_size=P, etag_is_md5=False)
        assert backend.put("key", Body(data_of(3 * P))).digests == ()

    def test_a_run_reads_nothing_back(self, rclone_proxy, open_s3, tmp_path):
        backend = open_s3(
            rclone_proxy.server,
            rclone_proxy.server.make_bucket(),
            multipart_threshold=P,
            part_size=P,
            ordered_listing=False,
        )
        (tmp_path / "key").write_bytes(data_of(3 * P))
        source = FileBackend(Location.parse(str(tmp_path)))
        outcome = transfer(source, backend).write(action(source, backend, "key"))
        assert (outcome.status, outcome.verified) == ("done", "md5")
        assert outcome.digest == f"md5/{P}:{digest_of_parts(data_of(3 * P), P)}"
        assert is_complete(rclone_proxy.requests[-1])


class TestNothingIsLeftBehind:
    @pytest.mark.parametrize("failure", [OSError, KeyboardInterrupt, SystemExit, TimeoutError, GeneratorExit])
    @pytest.mark.parametrize("after", [0, P, 3 * P + 5, 9 * P])
    def test_D08_body_that_raises(self, small, failure, after):
        def content():
            yield from chunked(data_of(after))
            raise failure

        with pytest.raises(failure) as caught:
            small.put("key", Body(content()))
        assert not isinstance(caught.value, BackendError)
        assert stored(small) == {}
        assert unfinished(small) == []

    @pytest.mark.parametrize("number", [1, 2, 5])
    def test_D08_part_that_fails(self, small, moto_proxy, number):
        moto_proxy.answer(
            lambda request: is_part(request) and request.query["partNumber"] == str(number), error(503, "SlowDown")
        )
        with pytest.raises(ThrottledError, match=r"put s3://.*/key"):
            small.put("key", Body(data_of(6 * P)))
        assert unfinished(small) == []
        assert sum(map(is_abort, moto_proxy.requests)) == 1

    @pytest.mark.parametrize("answer", [error(500, "InternalError"), error(200, "InternalError"), None])
    def test_D11_completion_that_fails_also_within_a_success(self, small, moto_proxy, answer):
        moto_proxy.answer(is_complete, answer)
        with pytest.raises(UnavailableError):
            small.put("key", Body(data_of(3 * P)))
        assert unfinished(small) == []
        assert stored(small) == {}

    def test_D08_creation_that_fails_uploads_nothing(self, small, moto_proxy):
        moto_proxy.answer(is_create, error(503, "SlowDown"))
        with pytest.raises(ThrottledError):
            small.put("key", Body(data_of(3 * P)))
        assert len(moto_proxy.requests) == 1

    def test_D08_interrupt_while_the_upload_is_created(self, small, moto_proxy, monkeypatch):
        """The name of the upload is waited for, to abort it by."""
        arrived, go_on = threading.Event(), threading.Event()

        def rule(request, forward):
            answer = forward()
            if is_create(request):
                arrived.set()
                go_on.wait(10)
            return answer

        moto_proxy.rule = rule
        connection = small.place.connection
        start = connection.start

        class Interrupted:
            """A future whose first result is an interrupt of the waiting thread."""

            def __init__(self, future):
                self._future, self._first = future, True

            def result(self):
                if self._first:
                    self._first = False
                    assert arrived.wait(10)
                    go_on.set()
                    raise KeyboardInterrupt
                return self._future.result()

            def exception(self):
                return self._future.exception()

        monkeypatch.setattr(
            connection,
            "start",
            lambda operation, **rest: (
                Interrupted(start(operation, **rest))
                if operation == "create_multipart_upload"
                else start(operation, **rest)
            ),
        )
        with pytest.raises(KeyboardInterrupt):
            small.put("key", Body(data_of(3 * P)))
        assert unfinished(small) == []

    def test_D08_abort_that_fails_does_not_hide_the_failure(self, small, moto_proxy):
        def rule(request, forward):
            return error(500, "InternalError") if is_abort(request) or is_part(request) else forward()

        moto_proxy.rule = rule
        with pytest.raises(UnavailableError) as caught:
            small.put("key", Body(data_of(3 * P)))
        assert "could not be aborted" in caught.value.__notes__[0]

    def test_D08_abort_that_fails_is_tried_again(self, small, moto_proxy):
        aborts = []

        def rule(request, forward):
            if is_abort(request):
                aborts.append(request)
            refused = is_part(request) or (is_abort(request) and len(aborts) < uploads.ABORT_ATTEMPTS)
            return error(500, "InternalError") if refused else forward()

        moto_proxy.rule = rule
        with pytest.raises(UnavailableError) as caught:
            small.put("key", Body(data_of(3 * P)))
        assert not hasattr(caught.value, "__notes__")
        assert unfinished(small) == []

    def test_D08_parts_on_their_way_arrive_before_the_abort(self, small, moto_proxy):
        order = []

        def rule(request, forward):
            if is_part(request):
                late.wait(0.2)
            answer = forward()
            order.append("part" if is_part(request) else "abort" if is_abort(request) else "create")
            return answer

        def content():
            yield from chunked(data_of(4 * P))
            raise OSError("the disk is gone")

        late = threading.Event()
        moto_proxy.rule = rule
        with pytest.raises(OSError, match="the disk is gone"):
            small.put("key", Body(content()))
        assert order[0] == "create"
        assert order[-1] == "abort"

    def test_D08_parts_on_their_way_are_cut_off_when_the_upload_fails(self, moto_proxy, open_s3, monkeypatch):
        """The server gets the end of no part that was not sent yet, so that none arrives after the abort."""

        def content():
            yield from chunked(data_of(3 * P), 100)
            raise OSError("the disk is gone")

        backend = open_s3(moto_proxy.server, moto_proxy.server.make_bucket(), multipart_threshold=P, part_size=P)
        begin = Sender.begin

        def begin_late(self, part, abandoned, send):
            class Late:
                """The bytes of a part that are only there when the upload has failed."""

                pieces = property(lambda _: late(part.pieces, abandoned))
                size = part.size
                md5 = part.md5

            return begin(self, Late(), abandoned, send)

        def late(pieces, abandoned):
            first, *others = pieces
            yield first
            assert abandoned.wait(10)
            yield from others

        monkeypatch.setattr(Sender, "begin", begin_late)
        del moto_proxy.requests[:]
        with pytest.raises(OSError, match="the disk is gone"):
            backend.put("key", Body(content(), 5 * P))
        assert [request.method for request in moto_proxy.requests] == ["POST", "DELETE"]
        assert unfinished(backend) == []

    def test_upload_that_is_gone_needs_no_abort(self, small, moto_proxy):
        def rule(request, forward):
            return error(404, "NoSuchUpload") if is_complete(request) or is_abort(request) else forward()

        moto_proxy.rule = rule
        with pytest.raises(UnavailableError, match="lost the upload") as caught:
            small.put("key", Body(data_of(3 * P)))
        assert not hasattr(caught.value, "__notes__")

    def test_body_of_wrong_length_or_digest_is_not_stored(self, small):
        for body in (
            Body(chunked(data_of(3 * P)), 3 * P + 1),
            Body(chunked(data_of(3 * P)), 3 * P - 1),
            Body(data_of(3 * P), expect=(Digest("md5", "0" * 32),)),
            Body(data_of(P), expect=(Digest("md5", "0" * 32),)),
        ):
            with pytest.raises(IntegrityError):
                small.put("key", body)
        assert stored(small) == {}
        assert unfinished(small) == []


class TestMemory:
    def test_only_a_few_parts_are_taken_ahead(self, small, moto_proxy):
        """While the server holds the parts up, the body is not read on."""
        release = threading.Event()

        def rule(request, forward):
            if is_part(request):
                release.wait(10)
            return forward()

        moto_proxy.rule = rule
        taken = []
        enough = threading.Event()

        def content():
            for number in range(20):
                taken.append(number)
                if len(taken) == IN_FLIGHT + 2:
                    enough.set()
                yield data_of(P)

        putting = threading.Thread(target=lambda: small.put("key", Body(content(), 20 * P)))
        putting.start()
        try:
            assert enough.wait(10)
            assert len(taken) <= IN_FLIGHT + 3
        finally:
            release.set()
            putting.join()
        assert stored(small) == {"key": data_of(P) * 20}

    @pytest.mark.parametrize(
        ("options", "memory"),
        [
            ({}, 5 * 16 * MIB),
            ({"part_size": "5MiB"}, 5 * 16 * MIB),
            ({"part_size": "32MiB"}, 3 * 32 * MIB),
            ({"part_size": "100MiB"}, 3 * 100 * MIB),
            ({"multipart_threshold": "1GiB"}, 2 * 1024 * MIB),
        ],
    )
    def test_the_engine_is_told_the_most_that_a_put_holds(self, moto_s3, open_s3, options, memory):
        """The parts that are on their way and the next, or the content of one request and the chunks it is made of."""
        assert open_s3(moto_s3, "bucket", **options).capabilities.put_memory == memory

    def test_parts_of_all_uploads_together_are_bounded(self, moto_s3, open_s3, monkeypatch):
        monkeypatch.setattr("cloudsync_core.backends.objectstore.sending.PARTS_IN_MEMORY", 2)
        backend = open_s3(moto_s3, moto_s3.make_bucket(), multipart_threshold=P, part_size=P)
        threads = [
            threading.Thread(target=backend.put, args=(f"key{number}", Body(data_of(8 * P)))) for number in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert stored(backend) == {f"key{number}": data_of(8 * P) for number in range(6)}


class TestConditions:
    @pytest.fixture
    def conditional(self, moto_proxy, open_s3):
        return open_s3(
            moto_proxy.server,
            moto_proxy.server.make_bucket(),
            multipart_threshold=P,
            part_size=P,
            conditional_writes=True,
        )

    @pytest.mark.parametrize("size", [P, 3 * P])
    def test_P4_if_absent_is_judged_by_the_server(self, conditional, size):
        conditional.put("key", Body(data_of(size)), condition=IF_ABSENT)
        with pytest.raises(ObjectExistsError, match="there is an object"):
            conditional.put("key", Body(b"x" * size), condition=IF_ABSENT)
        assert stored(conditional) == {"key": data_of(size)}
        assert unfinished(conditional) == []

    @pytest.mark.parametrize("size", [P, 3 * P])
    def test_P4_if_match_is_sent_with_what_makes_the_object_visible(self, conditional, moto_proxy, size):
        first = conditional.put("key", Body(b"first"))
        del moto_proxy.requests[:]
        conditional.put("key", Body(data_of(size)), condition=IfMatch(first.version))
        sent = [request.headers.get("if-match") for request in moto_proxy.requests if request.method != "HEAD"]
        assert sent == [None] * (len(sent) - 1) + [f'"{first.version.etag}"']

    def test_P4_stale_version_is_refused(self, conditional):
        conditional.put("key", Body(b"first"))
        with pytest.raises(PreconditionFailedError):
            conditional.put("key", Body(b"second"), condition=IfMatch(Version(etag="0" * 32)))
        assert stored(conditional) == {"key": b"first"}

    def test_P4_version_without_an_etag_cannot_be_compared(self, conditional):
        with pytest.raises(UnsupportedOperationError, match="ETag"):
            conditional.put("key", Body(b"x"), condition=IfMatch(Version(id="7")))

    @pytest.mark.parametrize("size", [P, 3 * P])
    def test_F02_conflict_is_no_object_that_exists(self, conditional, moto_proxy, size):
        moto_proxy.answer(lambda request: "if-none-match" in request.headers, error(409, "ConditionalRequestConflict"))
        with pytest.raises(UnavailableError) as caught:
            conditional.put("key", Body(data_of(size)), condition=IF_ABSENT)
        assert caught.value.disposition is Disposition.RETRY

    def test_C1_condition_that_the_server_may_ignore_is_not_sent(self, small, moto_proxy):
        with pytest.raises(UnsupportedOperationError, match="conditional_writes"):
            small.put("key", Body(b"x"), condition=IF_ABSENT)
        assert moto_proxy.requests == []


def _without_etag(answer):
    return {name: value for name, value in answer.headers.items() if name.lower() != "etag"}
