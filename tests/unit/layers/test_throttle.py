"""No store is asked for more operations a second than is allowed."""

import pytest

from cloudsync_core.backends.memory import PAGE_SIZE
from cloudsync_core.body import Body
from cloudsync_core.errors import CancelledError, UnavailableError
from cloudsync_core.layers.retry import Retry, RetryPolicy
from cloudsync_core.layers.throttle import Throttle

from .clocks import Clock
from .scripted import Fault, Scripted


@pytest.fixture
def clock():
    return Clock()


def throttled(inner, clock, rate=1.0):
    """Return a side whose first operation has passed: every further one takes its time."""
    side = Throttle(inner, rate, clock.stop, clock=clock)
    list(side.list())
    return side


def seconds(clock, operation):
    begun = clock.now
    operation()
    return clock.now - begun


def test_each_verb_is_one_operation(memory, clock):
    info = memory.put("k", Body(b"content"))
    side = throttled(memory, clock)

    def get():
        with side.get("k") as reader:
            assert reader.read() == b"content"

    assert seconds(clock, get) == pytest.approx(1)
    assert seconds(clock, lambda: side.read("k", 100)) == pytest.approx(1)
    assert seconds(clock, lambda: side.stat("k")) == pytest.approx(1)
    assert seconds(clock, lambda: side.put("l", Body(b"content"))) == pytest.approx(1)
    assert seconds(clock, lambda: side.copy(side, info, "copied")) == pytest.approx(1)
    assert seconds(clock, lambda: side.delete("k")) == pytest.approx(1)


def test_the_first_one_need_not_wait_however_slow_the_pace(memory, clock):
    assert seconds(clock, lambda: list(Throttle(memory, 0.01, clock.stop, clock=clock).list())) == 0


def test_each_page_of_a_listing_is_one(memory, clock):
    for number in range(2 * PAGE_SIZE + 1):
        memory.put(f"{number}", Body(b""))
    side = throttled(memory, clock)
    clock.now += 60
    assert seconds(clock, lambda: list(side.list())) == pytest.approx(2)


@pytest.mark.parametrize(("bulk_delete_max", "operations"), [(1, 5), (2, 3), (5, 1), (1000, 1)])
def test_each_batch_of_a_bulk_delete_is_one(memory, clock, bulk_delete_max, operations):
    side = throttled(Scripted(memory, bulk_delete_max=bulk_delete_max), clock)
    items = [(f"{number}", None) for number in range(5)]
    results = []
    assert seconds(clock, lambda: results.extend(side.delete_many(items))) == pytest.approx(operations)
    assert [result.key for result in results] == [key for key, _ in items]


def test_inside_retry_every_attempt_is_one(memory, clock):
    memory.put("k", Body(b""))
    inner = Scripted(memory)
    inner.faults["stat"] = [Fault(UnavailableError("down"))] * 2
    side = Retry(throttled(inner, clock), RetryPolicy(first_wait=0))
    assert seconds(clock, lambda: side.stat("k")) == pytest.approx(3)


def test_a_stop_ends_the_wait_and_nothing_is_asked(memory, clock):
    memory.put("k", Body(b""))
    inner = Scripted(memory)
    side = throttled(inner, clock)
    clock.stop_at = clock.now + 0.5
    with pytest.raises(CancelledError):
        side.delete("k")
    assert inner.called("delete") == []
    assert memory.stat("k")


def test_a_bulk_delete_that_has_begun_reports_every_key_though_it_is_stopped(memory, clock):
    for key in "abc":
        memory.put(key, Body(b""))
    side = throttled(Scripted(memory, bulk_delete_max=1), clock)
    clock.stop_at = clock.now + 1.5
    results = list(side.delete_many([(key, None) for key in "abc"]))
    assert [(result.key, result.error) for result in results] == [("a", None), ("b", None), ("c", None)]


def test_a_bulk_delete_that_waits_for_its_turn_is_not_begun_when_it_is_stopped(memory, clock):
    inner = Scripted(memory)
    side = throttled(inner, clock)
    clock.stop_at = clock.now + 0.5
    with pytest.raises(CancelledError):
        list(side.delete_many([("a", None)]))
    assert inner.called("delete_many") == []
