"""Work beside the flow of content: in order, bounded, and never lost."""

import threading

import pytest

from cloudsync_core.beside import HELD, Beside


def test_every_chunk_is_worked_on_in_order():
    seen = []
    beside = Beside(seen.append)
    for number in range(100):
        beside.give(b"%d" % number)
    beside.settle()
    assert seen == [b"%d" % number for number in range(100)]
    beside.close()


def test_only_a_few_chunks_wait():
    allowed, begun = threading.Event(), threading.Event()

    def work(chunk):
        begun.set()
        assert allowed.wait(10)

    beside = Beside(work)
    given = []

    def give():
        for number in range(3 * HELD):
            beside.give(b"x")
            given.append(number)

    giving = threading.Thread(target=give)
    giving.start()
    assert begun.wait(10)
    giving.join(0.1)
    assert len(given) <= HELD + 1
    allowed.set()
    giving.join()
    beside.close()


def test_what_the_work_raises_is_raised_where_chunks_are_given():
    def work(chunk):
        raise ValueError(chunk)

    beside = Beside(work)
    beside.give(b"first")
    with pytest.raises(ValueError, match="first"):
        beside.settle()
    with pytest.raises(ValueError, match="first"):
        beside.give(b"second")
    beside.close()


def test_the_thread_ends_after_what_was_given():
    before = set(threading.enumerate())
    seen = []
    beside = Beside(seen.append)
    [thread] = set(threading.enumerate()) - before
    beside.give(b"x")
    beside.close()
    thread.join(10)
    assert not thread.is_alive()
    beside.settle()
    assert seen == [b"x"]
