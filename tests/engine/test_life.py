"""Whether a run goes on, as somebody outside of it can tell."""

import threading
import time

import pytest

from cloudsync_core.engine.executor import Stop


@pytest.fixture
def silent():
    """What ends a run of which nothing has been seen for a moment."""
    stop = Stop()
    time.sleep(0.05)
    assert stop.life.silence >= 0.05
    return stop


def elsewhere(call):
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()


def test_to_ask_whether_it_is_to_end_shows_that_a_run_goes_on(silent):
    assert not silent.is_set()
    assert silent.life.silence < 0.05


def test_other_threads_say_nothing_of_it(silent):
    elsewhere(silent.is_set)
    elsewhere(lambda: silent.wait(0))
    assert silent.life.silence >= 0.05


def test_a_part_of_the_run_shows_it_too(silent):
    assert not silent.child().is_set()
    assert silent.life.silence < 0.05


def test_it_may_wait_on_purpose_for_as_long_as_it_likes():
    found = []

    def run():
        stop = Stop()
        found.append(stop)
        stop.wait(30)

    thread = threading.Thread(target=run)
    thread.start()
    while not found:
        time.sleep(0.001)
    time.sleep(0.1)
    assert found[0].life.silence < 0.1
    found[0].set()
    thread.join()
