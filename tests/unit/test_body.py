"""A body passes exactly the promised bytes on, or raises before the consumer has the last of them."""

import dataclasses
import hashlib
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudsync_core.body import Body, ObjectReader, add_algorithm, computable
from cloudsync_core.errors import IntegrityError
from cloudsync_core.models import Digest, ObjectInfo

CHUNKS = st.lists(st.binary(max_size=40), max_size=8)
PART = st.integers(1, 50)


def md5(data):
    return hashlib.md5(data, usedforsecurity=False)


def md5_of_parts(data, part_size):
    """Compute the MD5 of the MD5s of the parts the plain way, from the whole content."""
    parts = [data[at : at + part_size] for at in range(0, len(data), part_size)]
    return md5(b"".join(md5(part).digest() for part in parts)).hexdigest()


def consume(body):
    """Return what the consumer got, and the error that ended it."""
    received = []
    try:
        received.extend(body.chunks())
    except IntegrityError as error:
        return b"".join(received), error
    return b"".join(received), None


class TestContent:
    @given(CHUNKS)
    def test_the_content_passes_unchanged_in_chunks_that_are_never_empty(self, chunks):
        body = Body(iter(chunks))
        passed = list(body.chunks())
        assert b"".join(passed) == b"".join(chunks)
        assert all(passed)
        assert body.bytes_passed == sum(map(len, chunks))
        assert body.size is None

    @given(st.binary(max_size=100))
    def test_bytes_know_their_size(self, data):
        body = Body(data)
        assert body.size == len(data)
        assert body.read() == data

    def test_a_body_is_consumed_once(self):
        body = Body(b"x")
        body.read()
        with pytest.raises(RuntimeError, match="once"):
            body.read()

    @given(CHUNKS)
    def test_every_chunk_is_counted_before_it_is_passed_on(self, chunks):
        counted, seen = [], []
        body = Body(iter(chunks), on_chunk=counted.append)
        for chunk in body.chunks():
            seen.append(len(chunk))
            assert sum(counted) >= sum(seen)
        assert counted == seen

    def test_what_the_counter_raises_ends_the_transfer(self):
        def stop(_):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            Body(b"x", on_chunk=stop).read()


class TestDigests:
    @given(CHUNKS, PART)
    def test_digests_are_those_of_the_content_however_it_is_cut(self, chunks, part_size):
        data = b"".join(chunks)
        body = Body(iter(chunks))
        for algorithm in ("md5", "sha256", f"md5/{part_size}"):
            body.require(algorithm)
        body.read()
        assert body.digest("md5") == Digest("md5", md5(data).hexdigest())
        assert body.digest("sha256") == Digest("sha256", hashlib.sha256(data).hexdigest())
        assert body.digest(f"md5/{part_size}").value == md5_of_parts(data, part_size)
        assert {digest.algorithm for digest in body.digests()} == {"md5", "sha256", f"md5/{part_size}"}

    @given(st.integers(1, 4), PART)
    def test_B08_parts_that_end_with_the_content_make_no_empty_part(self, parts, part_size):
        data = b"x" * (parts * part_size)
        body = Body(data)
        body.require(f"md5/{part_size}")
        body.read()
        assert body.digest(f"md5/{part_size}").value == md5_of_parts(data, part_size)

    @pytest.mark.parametrize(
        ("algorithm", "can"),
        [("md5", True), ("sha256", True), ("md5/8388608", True), ("sha256/8", False), ("crc64", False), ("", False)],
    )
    def test_what_can_be_computed_is_said(self, algorithm, can):
        assert computable(algorithm) is can
        if not can:
            with pytest.raises(ValueError, match="unknown digest algorithm"):
                Body(b"").require(algorithm)

    @given(CHUNKS)
    def test_an_algorithm_that_was_added_is_computed_and_checked(self, chunks):
        made = []

        class Length:
            def __init__(self):
                made.append(self)
                self.bytes = 0

            def update(self, data):
                self.bytes += len(data)

            def hexdigest(self):
                return f"{self.bytes:08x}"

        add_algorithm("length-of-a-test", Length)
        add_algorithm("length-of-a-test", list)
        assert computable("length-of-a-test")
        made.clear()
        data = b"".join(chunks)
        body = Body(iter(chunks))
        body.read()
        assert not made, "it was computed though nobody asked for it"
        right, wrong = (Digest("length-of-a-test", f"{size:08x}") for size in (len(data), len(data) + 1))
        body = Body(iter(chunks), expect=[right])
        assert body.read() == data
        assert body.digests() == (right,)
        with pytest.raises(IntegrityError, match="length-of-a-test"):
            Body(iter(chunks), expect=[wrong]).read()

    def test_digests_are_asked_for_before_and_known_after(self):
        body = Body(b"x")
        body.require("md5")
        with pytest.raises(RuntimeError, match="known when it has been consumed"):
            body.digest("md5")
        body.read()
        assert body.finished
        with pytest.raises(RuntimeError, match="before the body is consumed"):
            body.require("sha256")

    def test_asking_twice_computes_once(self):
        body = Body(b"x", expect=[Digest("md5", md5(b"x").hexdigest())])
        body.require("md5")
        body.read()
        assert body.digests() == body.expected


class TestOneDigest:
    """`require_any`: a digest there always is, and no more than somebody can use."""

    @pytest.mark.parametrize(
        ("expected", "required", "computed"),
        [
            ((), (), ("md5",)),
            ((), ("md5/8",), ("md5/8",)),
            ((), ("md5", "sha256"), ("md5", "sha256")),
            (("sha256",), (), ("sha256",)),
            (("sha256",), ("md5/8",), ("sha256", "md5/8")),
            (("crc64",), (), ("md5",)),
        ],
    )
    def test_the_default_is_computed_only_where_nobody_asks_for_another(self, expected, required, computed):
        data = b"some content of more than one part"
        values = {"sha256": hashlib.sha256(data).hexdigest(), "crc64": "not computed here"}
        body = Body(data, expect=[Digest(name, values[name]) for name in expected])
        body.require_any("md5")
        for algorithm in required:
            body.require(algorithm)
        body.read()
        assert tuple(digest.algorithm for digest in body.digests()) == computed

    def test_it_is_asked_for_before_the_body_is_consumed(self):
        body = Body(b"x")
        body.read()
        with pytest.raises(RuntimeError, match="before the body is consumed"):
            body.require_any("md5")

    def test_the_default_must_be_computable(self):
        with pytest.raises(ValueError, match="unknown digest algorithm"):
            Body(b"").require_any("crc64")


class TestPartMD5:
    @given(CHUNKS.filter(any), PART)
    def test_a_part_is_known_when_its_bytes_have_been_handed_out(self, chunks, part_size):
        data = b"".join(chunks)
        body = Body(iter(chunks))
        body.require(f"md5/{part_size}")
        handed = 0
        for chunk in body.chunks():
            handed += len(chunk)
            for index in range(handed // part_size):
                part = data[index * part_size : (index + 1) * part_size]
                assert body.part_md5(part_size, index) == md5(part).digest()
        last = (len(data) - 1) // part_size
        assert body.part_md5(part_size, last) == md5(data[last * part_size :]).digest()

    def test_a_part_that_has_not_passed_has_none(self):
        body = Body(iter([b"abc", b"d", b"e"]))
        body.require("md5/4")
        chunks = body.chunks()
        assert next(chunks) == b"abc"
        with pytest.raises(IndexError):
            body.part_md5(4, 1)


class TestPromises:
    @given(CHUNKS, st.integers(-60, 60).filter(bool))
    def test_G2_a_body_of_another_length_never_gives_its_last_byte(self, chunks, difference):
        data = b"".join(chunks)
        promised = max(0, len(data) + difference)
        received, error = consume(Body(iter(chunks), promised))
        if promised == len(data):
            assert (received, error) == (data, None)
            return
        assert error is not None
        assert len(received) < promised or received == b""
        assert data.startswith(received)

    @given(CHUNKS.filter(any), st.sampled_from(["md5", "sha256", "md5/7"]))
    def test_D18_a_body_of_another_digest_never_gives_its_last_byte(self, chunks, algorithm):
        data = b"".join(chunks)
        body = Body(iter(chunks), expect=[Digest(algorithm, "0" * 32)])
        received, error = consume(body)
        assert error is not None
        assert algorithm in str(error)
        assert len(received) < len(data)
        assert not body.finished

    @given(CHUNKS, PART)
    def test_D18_a_body_of_the_expected_digests_passes(self, chunks, part_size):
        data = b"".join(chunks)
        expect = [
            Digest("md5", md5(data).hexdigest()),
            Digest("sha256", hashlib.sha256(data).hexdigest()),
            Digest(f"md5/{part_size}", md5_of_parts(data, part_size)),
            Digest("crc64", "not computed here, so not compared"),
        ]
        body = Body(iter(chunks), len(data), expect=expect)
        assert body.read() == data
        assert body.expected == tuple(expect[:3])
        assert body.digests() == tuple(expect[:3])

    def test_an_empty_body_is_checked_too(self):
        with pytest.raises(IntegrityError):
            Body(iter([]), 1).read()
        with pytest.raises(IntegrityError):
            Body(b"", expect=[Digest("md5", "0" * 32)]).read()
        assert Body(iter([b""]), 0).read() == b""

    def test_P2_what_the_iteration_raises_comes_out_as_it_is(self):
        def broken():
            yield b"x"
            raise ConnectionResetError

        with pytest.raises(ConnectionResetError):
            Body(broken()).read()


class TestObjectReader:
    INFO = ObjectInfo("key", 6, "print", 0)

    def test_a_reader_yields_the_object(self):
        reader = ObjectReader(self.INFO, iter([b"abc", b"", b"def"]))
        assert (reader.size, list(reader.chunks())) == (6, [b"abc", b"def"])

    def test_a_reader_of_a_range_is_as_long_as_the_range(self):
        reader = ObjectReader(self.INFO, iter([b"cd"]), 2)
        assert (reader.size, reader.read()) == (2, b"cd")

    def test_what_is_held_is_held_to_the_same_promises(self):
        info = dataclasses.replace(self.INFO, digests=(Digest("md5", md5(b"abcdef").hexdigest()),))
        held = ObjectReader(info, iter([b"abc", b"def"])).held()
        assert [held.read(), held.held().read()] == [b"abcdef"] * 2
        assert held.body().expected == info.digests
        assert ObjectReader(info, iter([b"cd"]), 2).held().read() == b"cd"

    @pytest.mark.parametrize("chunks", [[b"abc"], [b"abc", b"defg"], []])
    def test_G2_fewer_or_more_bytes_than_promised_raise(self, chunks):
        with pytest.raises(IntegrityError):
            ObjectReader(self.INFO, iter(chunks)).read()


class TestLargeBodies:
    """They are hashed in a thread of their own, and promise the same."""

    @pytest.fixture(autouse=True)
    def small_is_large(self, monkeypatch):
        monkeypatch.setattr("cloudsync_core.body.LARGE_BODY", 1)

    def test_digests_are_those_of_the_content(self):
        data = bytes(range(256)) * 1000
        body = Body((data[start : start + 1000] for start in range(0, len(data), 1000)), len(data))
        body.require("md5")
        body.require("md5/5000")
        assert body.read() == data
        assert body.digest("md5").value == hashlib.md5(data).hexdigest()
        assert body.part_md5(5000, 1) == hashlib.md5(data[5000:10000]).digest()

    def test_the_md5_of_a_part_is_known_when_its_bytes_were_handed_out(self):
        body = Body((bytes([number]) * 10 for number in range(50)), 500)
        body.require("md5/100")
        for count, _ in enumerate(body.chunks()):
            if count % 10 == 9:
                data = b"".join(bytes([number]) * 10 for number in range(count - 9, count + 1))
                assert body.part_md5(100, count // 10) == hashlib.md5(data).digest()

    def test_a_wrong_digest_raises_before_the_end_of_the_content(self):
        body = Body(iter([b"one", b"two"]), 6, expect=(Digest("md5", "0" * 32),))
        chunks = body.chunks()
        assert next(chunks) == b"one"
        with pytest.raises(IntegrityError, match="its store says"):
            next(chunks)
        assert not body.finished

    def test_no_thread_is_left_when_the_consumer_wants_no_more(self):
        before = threading.active_count()
        body = Body(iter([b"one", b"two"]), 6)
        body.require("md5")
        chunks = body.chunks()
        next(chunks)
        chunks.close()
        for _ in range(100):
            if threading.active_count() == before:
                break
            time.sleep(0.01)
        assert threading.active_count() == before

    def test_where_there_are_no_more_threads_the_one_there_is_hashes(self, monkeypatch):
        def refuse(work):
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr("cloudsync_core.body.Beside", refuse)
        body = Body(iter([b"one", b"two"]), 6)
        body.require("md5")
        assert body.read() == b"onetwo"
        assert body.digest("md5").value == hashlib.md5(b"onetwo").hexdigest()


class TestGoingOn:
    """A consumer that has the beginning already gets the rest, and both are proven together."""

    DATA = bytes(range(200))

    def body(self, *, read, told=True, begins_anywhere=True, **options):
        def starting_at(start):
            read.append(start)
            yield from (self.DATA[at : at + 30] for at in range(start, len(self.DATA), 30))

        expect = [Digest("md5", md5(self.DATA).hexdigest())] if told else []
        starting = starting_at if begins_anywhere else None
        return Body(starting_at(0), len(self.DATA), expect=expect, starting_at=starting, **options)

    @pytest.mark.parametrize("held", [1, 30, 77, 199])
    def test_only_the_rest_is_read_and_handed_out(self, held):
        read, passed = [], []
        body = self.body(read=read, on_chunk=passed.append)
        assert body.go_on(lambda: [self.DATA[:held]], held)
        assert b"".join(body.chunks()) == self.DATA[held:]
        assert read == [held]
        assert (body.bytes_passed, body.bytes_held) == (len(self.DATA), held)
        assert sum(passed) == len(self.DATA)
        assert body.digest("md5").value == md5(self.DATA).hexdigest()

    def test_nothing_is_read_when_all_is_held(self):
        read = []
        body = self.body(read=read)
        assert body.go_on(lambda: [self.DATA], len(self.DATA))
        assert list(body.chunks()) == []
        assert (read, body.finished) == ([], True)

    @pytest.mark.parametrize("held", [b"\0" * 50, bytes(range(49))], ids=["other bytes", "fewer bytes"])
    def test_what_is_held_is_not_believed(self, held):
        body = self.body(read=[])
        assert body.go_on(lambda: [held], 50)
        with pytest.raises(IntegrityError):
            list(body.chunks())
        assert not body.finished

    @pytest.mark.parametrize("size", [0, -1, 201])
    def test_what_cannot_be_a_beginning_is_refused(self, size):
        read = []
        body = self.body(read=read)
        assert not body.go_on(lambda: [self.DATA], size)
        assert b"".join(body.chunks()) == self.DATA
        assert read == [0]

    @pytest.mark.parametrize("options", [{"told": False}, {"begins_anywhere": False}])
    def test_without_a_proof_or_a_way_there_it_begins_anew(self, options):
        body = self.body(read=[], **options)
        assert not body.go_on(lambda: [self.DATA[:50]], 50)
        assert b"".join(body.chunks()) == self.DATA

    def test_it_is_said_before_anything_is_read(self):
        body = self.body(read=[])
        list(body.chunks())
        with pytest.raises(RuntimeError, match="before"):
            body.go_on(lambda: [self.DATA[:50]], 50)

    def test_hashing_what_is_held_can_be_interrupted(self):
        def stop(_):
            raise InterruptedError

        body = self.body(read=[], on_chunk=stop)
        assert body.go_on(lambda: [self.DATA[:50]], 50)
        with pytest.raises(InterruptedError):
            list(body.chunks())
