"""Threads that move small objects stay together on one processor, and those of large ones run anywhere."""

import os
import sys
import threading

import pytest

from cloudsync_core.engine import affinity
from cloudsync_core.engine.affinity import SMALL, Gathering

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system has no such call")

EVERYWHERE = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()


def places(gathering, *sizes):
    """Return where a thread runs, after each of several transfers."""
    found = []

    def work():
        for size in sizes:
            gathering.place(size)
            found.append(os.sched_getaffinity(0))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return found


@pytest.fixture
def asked(monkeypatch):
    """What the system is asked for; it has four processors, and does not really move anything."""
    calls = []
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3})
    monkeypatch.setattr(os, "sched_setaffinity", lambda _, processors: calls.append(set(processors)))
    return calls


@pytest.mark.skipif(len(EVERYWHERE) < 2, reason="there is one processor only")
def test_small_objects_share_one_processor_and_large_ones_have_all():
    gathering = Gathering()
    [one, everywhere, again] = places(gathering, 0, SMALL + 1, SMALL)
    assert len(one) == 1
    assert everywhere == EVERYWHERE
    assert again == one
    assert places(gathering, 1) == [one]
    assert os.sched_getaffinity(0) == EVERYWHERE, "the caller's thread was moved"


def test_the_system_is_asked_only_when_that_changes(asked):
    gathering = Gathering()
    places(gathering, 1, 2, 3, SMALL + 1, SMALL + 2, 4)
    assert [len(processors) for processors in asked] == [1, 4, 1]


def test_a_thread_that_moves_large_objects_from_the_first_is_left_alone(asked):
    places(Gathering(), SMALL + 1, SMALL * 10)
    assert asked == []


def test_processes_choose_by_chance(asked):
    for _ in range(100):
        places(Gathering(), 1)
    assert len({frozenset(processors) for processors in asked}) == 4


def test_one_processor_is_left_alone(asked, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {2})
    places(Gathering(), 1)
    assert asked == []


def test_a_python_whose_threads_do_not_take_turns_is_left_alone(asked, monkeypatch):
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: False, raising=False)
    places(Gathering(), 1)
    assert asked == []


def test_a_system_without_such_a_call_is_left_alone(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.delattr(os, "sched_setaffinity")
    gathering = affinity.Gathering()
    gathering.place(1)


def test_a_processor_that_was_taken_away_is_no_error(asked, monkeypatch):
    gathering = Gathering()

    def refuse(*_):
        asked.append("refused")
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    gathering.place(1)
    gathering.place(SMALL + 1)
    assert asked == ["refused"]
