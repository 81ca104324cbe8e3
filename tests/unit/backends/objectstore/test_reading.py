"""Objects are read whole and of one version (G1, G2), whatever of HTTP their server knows."""

import contextlib
import dataclasses
import re
import threading
import time

import pytest

from cloudsync_core.backends.judging import naming
from cloudsync_core.backends.objectstore import ahead, reading
from cloudsync_core.backends.objectstore.reading import Incoming, Reader
from cloudsync_core.backends.objectstore.rules import transport_rule
from cloudsync_core.backends.objectstore.threads import Threads
from cloudsync_core.backends.objectstore.transport import ConnectionLostError
from cloudsync_core.errors import (
    Disposition,
    IntegrityError,
    ObjectNotFoundError,
    PreconditionFailedError,
    UnavailableError,
    UnexpectedBackendError,
)
from cloudsync_core.models import ByteRange, ObjectInfo, Version

RANGE = 100
LARGE = 4 * RANGE
SIZES = (0, 1, RANGE - 1, RANGE, RANGE + 1, LARGE - 1, LARGE, LARGE + 1, 20 * RANGE)
SPAN = re.compile(r"bytes=(\d+)-(\d*)")


class NoSuchRangeError(Exception):
    """What this store raises for a 416."""


@dataclasses.dataclass
class Store:
    """A store of one object, in memory, as the reader sees one.

    Attributes:
        data: its content.
        etag: its version.
        serves_ranges: it answers to ranges with ranges.
        honours_pins: it compares versions.
        pins: its answers tell a version that can be asked for.
        asked: the range and the pin of each request.
        opened: answers that have not been let go.
        before: called with the number of each request before it is answered.
        shortened: bytes that are missing at the end of every answer.
    """

    data: bytes
    threads: Threads
    etag: str = "v1"
    serves_ranges: bool = True
    honours_pins: bool = True
    pins: bool = True
    asked: list = dataclasses.field(default_factory=list)
    opened: int = 0
    before: object = None
    shortened: int = 0
    lock: object = dataclasses.field(default_factory=threading.Lock)

    def errors(self, operation, key=None):
        return naming(self.meaning, operation, "store://c", key)

    def meaning(self, failure, key):
        if isinstance(failure, NoSuchRangeError):
            return UnexpectedBackendError("no such range")
        rule = transport_rule(failure)
        return None if rule is None else rule.failure()

    @contextlib.contextmanager
    def open(self, key, span, pin):
        self.asked.append((span, pin))
        if self.before is not None:
            self.before(len(self.asked))
        if pin is not None and self.honours_pins and pin != self.etag:
            raise PreconditionFailedError("another")
        data, told = self.data, ""
        if span is not None and self.serves_ranges:
            start, last = SPAN.fullmatch(span).groups()
            data = data[int(start) : int(last) + 1 if last else None]
            if not data:
                raise NoSuchRangeError
            told = f"bytes {start}-{int(start) + len(data) - 1}/{len(self.data)}"
        coming = bytearray(data[: len(data) - self.shortened])

        def read(size):
            piece = bytes(coming[: min(size, 33)])
            del coming[: len(piece)]
            return piece

        etag = self.etag
        with self.lock:
            self.opened += 1
        try:
            yield Incoming(
                len(data),
                told,
                etag if self.pins else None,
                lambda size: ObjectInfo(key, size, etag, 0, Version(etag)),
                read,
            )
        finally:
            with self.lock:
                self.opened -= 1

    def pin(self, version):
        return version.etag

    def is_version(self, found, wanted):
        return found.etag == wanted.etag

    def has_no_such_range(self, failure):
        return isinstance(failure, NoSuchRangeError)

    def submit(self, work):
        return self.threads.submit(work)


@pytest.fixture(autouse=True)
def _small_ranges(monkeypatch):
    monkeypatch.setattr(ahead, "RANGE", RANGE)
    monkeypatch.setattr(reading, "RANGE", RANGE)
    monkeypatch.setattr(reading, "LARGE_OBJECT", LARGE)


@pytest.fixture
def store():
    """Return a function that makes a store of so many bytes."""
    threads = Threads(4, "reading")
    yield lambda size, **how: Store(data_of(size), threads, **how)
    threads.close()


def data_of(size):
    return bytes(number * 31 % 251 for number in range(size))


def read(store, byte_range=None, if_match=None):
    with Reader(store).get("key", byte_range, if_match) as reader:
        return b"".join(reader.chunks())


@pytest.mark.parametrize("how", [{}, {"serves_ranges": False}, {"pins": False}], ids=["all", "no-ranges", "no-pins"])
@pytest.mark.parametrize("size", SIZES)
def test_G2_every_size_is_read_whole_from_every_server(store, size, how):
    made = store(size, **how)
    with Reader(made).get("key", None, None) as reader:
        assert (reader.size, reader.info.size) == (size, size)
        assert b"".join(reader.chunks()) == data_of(size)
    assert made.opened == 0


def test_most_objects_are_one_request(store):
    made = store(RANGE)
    read(made)
    assert made.asked == [(f"bytes=0-{RANGE - 1}", None)]


def test_G1_what_follows_is_asked_for_by_the_version_that_began(store):
    made = store(RANGE + 1)
    read(made)
    assert made.asked == [(f"bytes=0-{RANGE - 1}", None), (f"bytes={RANGE}-{RANGE}", "v1")]


def test_without_a_version_to_ask_for_everything_comes_in_one_answer(store):
    made = store(20 * RANGE, pins=False)
    read(made)
    assert made.asked == [(f"bytes=0-{RANGE - 1}", None), (None, None)]


@pytest.mark.parametrize("honours_pins", [True, False])
@pytest.mark.parametrize("size", [2 * RANGE, 20 * RANGE])
def test_G1_object_that_changes_while_it_is_read_is_an_error(store, size, honours_pins):
    made = store(size, honours_pins=honours_pins)

    def change(number):
        if number == 2:
            made.etag = "v2"

    made.before = change
    with pytest.raises(PreconditionFailedError, match="get store://c/key: it changed while it was read") as caught:
        read(made)
    assert caught.value.disposition is Disposition.RETRY
    assert made.opened == 0


def test_G1_object_that_is_gone_while_it_is_read_has_changed(store):
    made = store(2 * RANGE)

    def remove(number):
        if number == 2:
            raise ObjectNotFoundError("gone")

    made.before = remove
    with pytest.raises(PreconditionFailedError, match="it changed while it was read"):
        read(made)


@pytest.mark.parametrize("honours_pins", [True, False])
def test_G1_another_version_than_was_asked_for_is_refused(store, honours_pins):
    assert read(store(5), if_match=Version("v1")) == data_of(5)
    with pytest.raises(PreconditionFailedError):
        read(store(5, honours_pins=honours_pins), if_match=Version("v0"))


@pytest.mark.parametrize("size", [50, 3 * RANGE, 20 * RANGE])
def test_G2_content_that_ends_early_is_an_error(store, size):
    with pytest.raises(IntegrityError, match="the connection ended before the object did"):
        read(store(size, shortened=1))


@pytest.mark.parametrize(("start", "end"), [(0, 1), (0, 50), (10, 20), (49, None), (0, None), (10, 500)])
def test_ranges_are_those_that_were_asked_for(store, start, end):
    made = store(50)
    with Reader(made).get("key", ByteRange(start, end), None) as reader:
        assert (reader.size, reader.info.size) == (len(data_of(50)[start:end]), 50)
        assert b"".join(reader.chunks()) == data_of(50)[start:end]


def test_other_bytes_than_were_asked_for_are_an_error(store):
    with pytest.raises(UnexpectedBackendError, match="other bytes"):
        read(store(50, serves_ranges=False), ByteRange(10, 20))


def test_range_beyond_the_end_is_what_the_store_makes_of_it(store):
    with pytest.raises(UnexpectedBackendError, match="no such range"):
        read(store(50), ByteRange(50, 60))


@pytest.mark.parametrize("failing", [1, 2, 5])
def test_E1_failure_on_the_way_says_what_was_read(store, failing):
    made = store(20 * RANGE)

    def fail(number):
        if number == failing:
            raise ConnectionLostError

    made.before = fail
    with pytest.raises(UnavailableError, match="get store://c/key"):
        read(made)


def test_object_that_is_left_early_is_let_go(store):
    made = store(20 * RANGE)
    with Reader(made).get("key", None, None) as reader:
        assert next(reader.chunks())
        assert made.opened
    deadline = time.monotonic() + 10
    while made.opened and time.monotonic() < deadline:
        time.sleep(0.005)
    assert made.opened == 0
    assert len(made.asked) <= 1 + ahead.RANGES_AHEAD


def test_ranges_that_wait_in_memory_are_bounded_over_all_objects(store, monkeypatch):
    monkeypatch.setattr(reading, "RANGES_IN_MEMORY", 2)
    made = store(20 * RANGE)
    reader = Reader(made)
    with contextlib.ExitStack() as stack:
        chunks = [stack.enter_context(reader.get("key", None, None)).chunks() for _ in range(5)]
        begun = [next(some) for some in chunks]
        assert len(made.asked) <= 5 + 2
        for first, rest in zip(begun, chunks, strict=True):
            assert first + b"".join(rest) == data_of(20 * RANGE)
