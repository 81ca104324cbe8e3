"""Ranges that are fetched ahead come in their order, and leave their places in memory whatever happens."""

import threading

import pytest

from cloudsync_core.backends.objectstore import ahead
from cloudsync_core.backends.objectstore.ahead import RANGES_AHEAD, side_by_side
from cloudsync_core.backends.objectstore.threads import Threads

PLACES = 2


@pytest.fixture(autouse=True)
def _small_ranges(monkeypatch):
    monkeypatch.setattr(ahead, "RANGE", 10)


@pytest.fixture
def threads():
    made = Threads(4, "ahead")
    yield made
    made.close()


@pytest.fixture
def memory():
    return threading.BoundedSemaphore(PLACES)


def fetch(start, end, left):
    return [bytes(range(start, end))]


def read(start, end):
    yield bytes(range(start, end))


def is_free(memory):
    """Tell whether every place in memory has been given back."""
    taken = [memory.acquire(timeout=5) for _ in range(PLACES)]
    for _ in range(sum(taken)):
        memory.release()
    return all(taken)


def ranges(threads, memory, fetch=fetch, read=read, end=95):
    return side_by_side([bytes(10)], (10, end), fetch, read, begin=threads.submit, memory=memory)


@pytest.mark.parametrize("end", [10, 11, 20, 95, 100])
def test_ranges_come_in_their_order(threads, memory, end):
    found = b"".join(b"".join(chunks) for chunks in ranges(threads, memory, end=end))
    assert found == bytes(10) + bytes(range(10, end))
    assert is_free(memory)


def test_without_memory_they_are_read_one_by_one(threads, memory):
    for _ in range(PLACES):
        memory.acquire()

    def unused(start, end, left):
        raise AssertionError("a range was fetched where there was no room for it")

    assert b"".join(b"".join(chunks) for chunks in ranges(threads, memory, unused)) == bytes(10) + bytes(range(10, 95))
    for _ in range(PLACES):
        memory.release()


def test_nothing_is_fetched_before_somebody_reads(memory):
    begun = []
    reading = side_by_side([], (10, 95), fetch, read, begin=begun.append, memory=memory)
    assert begun == []
    reading.close()
    assert begun == []


def test_few_are_fetched_ahead(threads):
    begun = []

    def noting(start, end, left):
        begun.append(start)
        return fetch(start, end, left)

    reading = ranges(threads, threading.BoundedSemaphore(9), noting)
    next(reading)
    assert len(begun) <= RANGES_AHEAD
    reading.close()


def test_who_leaves_early_is_told_to_those_that_fetch(threads, memory):
    told = threading.Semaphore(0)

    def waits(start, end, left):
        if left.wait(10):
            told.release()
        return []

    reading = ranges(threads, memory, waits)
    next(reading)
    reading.close()
    assert all(told.acquire(timeout=10) for _ in range(PLACES))
    assert is_free(memory)


def test_failure_of_a_range_comes_in_its_turn_and_frees_the_others(threads, memory):
    def fails(start, end, left):
        if start == 20:
            raise LookupError
        return fetch(start, end, left)

    reading = ranges(threads, memory, fails)
    assert [b"".join(next(reading)) for _ in range(2)] == [bytes(10), bytes(range(10, 20))]
    with pytest.raises(LookupError):
        next(reading)
    assert is_free(memory)
