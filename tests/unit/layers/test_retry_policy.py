"""When an operation is tried again, how long is waited before it, and what ends the waiting."""

import contextlib
import threading
import time

import pytest

from cloudsync_core.errors import (
    AccessDeniedError,
    Disposition,
    IntegrityError,
    ObjectNotFoundError,
    ThrottledError,
    UnauthenticatedError,
    UnavailableError,
)
from cloudsync_core.layers.retry import RetryPolicy

AT_ONCE = RetryPolicy(first_wait=0)


class RecordedWaits(threading.Event):
    """A stop signal that is never given, and lets the waits pass at once."""

    def __init__(self):
        super().__init__()
        self.waits = []

    def wait(self, timeout=None):
        self.waits.append(timeout)
        return False


class Operation:
    """Raises its errors in turn, then returns "done"."""

    def __init__(self, *errors):
        self.errors = list(errors)
        self.calls = 0

    def __call__(self):
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


def down(count, **kwargs):
    return [UnavailableError(f"down {number}", **kwargs) for number in range(count)]


@pytest.mark.parametrize("error", [UnavailableError("x"), ThrottledError("x"), IntegrityError("x")])
def test_what_may_pass_is_tried_again(error):
    operation = Operation(error)
    assert AT_ONCE.call(operation) == "done"
    assert operation.calls == 2


@pytest.mark.parametrize(
    "error",
    [
        ObjectNotFoundError("x"),
        AccessDeniedError("x"),
        UnauthenticatedError("x"),
        UnavailableError("x", disposition=Disposition.ABORT),
        ValueError("x"),
    ],
)
def test_what_will_not_pass_is_not_tried_again(error):
    operation = Operation(error)
    with pytest.raises(type(error)):
        AT_ONCE.call(operation)
    assert operation.calls == 1


def test_attempts_are_limited_and_the_last_error_is_raised():
    operation = Operation(*down(10))
    with pytest.raises(UnavailableError, match="down 4"):
        AT_ONCE.call(operation)
    assert operation.calls == 5


def test_one_attempt_never_retries():
    operation = Operation(*down(1))
    with pytest.raises(UnavailableError):
        RetryPolicy(attempts=1).call(operation)
    assert operation.calls == 1


def test_nested_calls_do_not_multiply_attempts():
    operation = Operation(*down(100))
    with pytest.raises(UnavailableError):
        AT_ONCE.call(lambda: AT_ONCE.call(operation))
    assert operation.calls == 5


def test_after_a_nested_call_the_thread_retries_again():
    AT_ONCE.call(lambda: AT_ONCE.call(Operation()))
    operation = Operation(*down(1))
    assert AT_ONCE.call(operation) == "done"


class TestWaiting:
    def test_waits_lie_under_a_doubling_ceiling_up_to_the_longest(self):
        policy = RetryPolicy(attempts=7, first_wait=1, max_wait=10, budget=1e6)
        longest = [0.0] * 6
        for _ in range(300):
            stop = RecordedWaits()
            policy.call(Operation(*down(6)), stop)
            longest = [max(pair) for pair in zip(longest, stop.waits, strict=True)]
        for wait, ceiling in zip(longest, [1, 2, 4, 8, 10, 10], strict=True):
            assert ceiling * 0.9 < wait <= ceiling, "300 random waits reach nearly the ceiling and never pass it"

    def test_a_provider_that_asks_for_time_gets_it(self):
        stop = RecordedWaits()
        RetryPolicy(first_wait=0.5).call(Operation(ThrottledError("slow", retry_after=30)), stop)
        assert 30 <= stop.waits[0] <= 30.5

    def test_a_wait_that_would_outlast_the_budget_is_not_begun(self):
        stop = RecordedWaits()
        operation = Operation(ThrottledError("slow", retry_after=121))
        with pytest.raises(ThrottledError):
            RetryPolicy().call(operation, stop)
        assert (operation.calls, stop.waits) == (1, [])

    def test_all_waits_together_stay_within_the_budget(self):
        policy = RetryPolicy(attempts=1000, first_wait=0, budget=0.1)
        operation = Operation(*down(1000, retry_after=0.03))
        started = time.monotonic()
        with pytest.raises(UnavailableError):
            policy.call(operation)
        assert time.monotonic() - started >= 0.03
        assert 2 <= operation.calls <= 4

    def test_stop_ends_a_wait_at_once_with_the_error_that_was_met(self):
        stop, failed, caught = threading.Event(), threading.Event(), []

        def operation():
            failed.set()
            raise ThrottledError("slow", retry_after=60)

        def run():
            with pytest.raises(ThrottledError) as error:
                RetryPolicy().call(operation, stop)
            caught.append(error.value)

        thread = threading.Thread(target=run)
        thread.start()
        assert failed.wait(10)
        stop.set()
        thread.join(10)
        assert not thread.is_alive()
        assert len(caught) == 1

    def test_no_attempt_follows_when_the_run_is_stopped(self):
        stop = threading.Event()
        stop.set()
        operation = Operation(*down(1))
        with pytest.raises(UnavailableError):
            AT_ONCE.call(operation, stop)
        assert operation.calls == 1


class TestWhoIsTold:
    """Concurrency, of refusals."""

    def told(self, *errors, attempts=5, operation=None):
        heard = []
        policy = RetryPolicy(attempts=attempts, first_wait=0, told=heard.append)
        with contextlib.suppress(type(errors[-1])):
            policy.call(operation or Operation(*errors))
        return heard

    def test_hears_every_error_that_may_pass(self):
        errors = [ThrottledError("slow down"), UnavailableError("down")]
        assert self.told(*errors) == errors

    def test_hears_the_last_one_too(self):
        errors = [ThrottledError("slow down"), ThrottledError("slow down")]
        assert self.told(*errors, attempts=2) == errors

    def test_hears_nothing_of_what_is_final(self):
        assert self.told(ObjectNotFoundError("gone")) == []

    def test_hears_an_error_once_though_one_operation_is_made_of_another(self):
        heard = []
        policy = RetryPolicy(first_wait=0, told=heard.append)
        inner = Operation(ThrottledError("slow down"))
        assert policy.call(lambda: policy.call(inner)) == "done"
        assert len(heard) == 1
