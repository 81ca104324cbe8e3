"""So much a second, whoever asks, and never more."""

import concurrent.futures
import threading
import time

import pytest

from cloudsync_core.errors import CancelledError
from cloudsync_core.layers.pace import Pace

from .clocks import Clock


@pytest.fixture
def clock():
    return Clock()


def pace(clock, rate, *, burst=0.1):
    return Pace(rate if callable(rate) else lambda: rate, clock.stop, burst=burst, clock=clock)


def seconds_for(clock, limit, amounts):
    begun = clock.now
    for amount in amounts:
        limit.take(amount)
    return clock.now - begun


def test_what_is_asked_for_takes_its_time(clock):
    assert seconds_for(clock, pace(clock, 100), [10] * 101) == pytest.approx(10)


def test_a_burst_passes_at_once_and_no_more(clock):
    limit = pace(clock, 100, burst=0.5)
    assert seconds_for(clock, limit, [50]) == 0
    assert seconds_for(clock, limit, [1]) == pytest.approx(0.01)


def test_a_pause_saves_up_no_more_than_a_burst(clock):
    limit = pace(clock, 100, burst=0.5)
    limit.take(50)
    clock.now += 3600
    assert seconds_for(clock, limit, [50]) == 0
    assert seconds_for(clock, limit, [50]) == pytest.approx(0.5)


def test_what_is_larger_than_a_burst_waits_for_its_whole_time(clock):
    limit = pace(clock, 100, burst=0.1)
    limit.take(10)
    assert seconds_for(clock, limit, [1000]) == pytest.approx(10)
    # And leaves nothing over for the next one.
    assert seconds_for(clock, limit, [10]) == pytest.approx(0.1)


def test_what_is_given_back_passes_without_a_wait(clock):
    limit = pace(clock, 100, burst=0.1)
    limit.take(10)
    limit.give_back(250)
    assert seconds_for(clock, limit, [100, 100]) == 0
    assert seconds_for(clock, limit, [100]) == pytest.approx(0.5)
    assert seconds_for(clock, limit, [100]) == pytest.approx(1)


def test_without_a_limit_nothing_waits(clock):
    assert seconds_for(clock, pace(clock, None), [10**12] * 10) == 0


def test_a_new_rate_holds_for_those_who_wait_already(clock):
    limit = pace(clock, lambda: 1 if clock.now < 110 else 1000, burst=1)
    limit.take(1)
    # At the old rate it would be an hour.
    assert seconds_for(clock, limit, [3600]) == pytest.approx(10 + 3.59, abs=1)


def test_a_limit_that_begins_later_does_not_make_up_for_what_passed_before(clock):
    limit = pace(clock, lambda: None if clock.now < 110 else 100)
    limit.take(10**9)
    clock.now = 110
    assert seconds_for(clock, limit, [100]) <= 1


def test_a_limit_that_ends_lets_everybody_pass(clock):
    limit = pace(clock, lambda: 1 if clock.now < 105 else None)
    assert seconds_for(clock, limit, [10**9]) == pytest.approx(5, abs=1)


def test_a_stop_ends_the_wait(clock):
    limit = pace(clock, 1)
    clock.stop_at = clock.now + 3
    with pytest.raises(CancelledError):
        limit.take(3600)
    assert clock.now == pytest.approx(103)


def test_many_threads_share_one_rate():
    stop = threading.Event()
    limit = Pace(lambda: 1000, stop, burst=0.001)
    begun = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(limit.take, [10] * 30))
    assert time.monotonic() - begun >= 0.29
