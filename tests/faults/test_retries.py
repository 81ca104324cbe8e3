"""Retries have one owner and a budget, of attempts and of time; the clock of these tests is their own (E08)."""

import functools
import itertools
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudsync_core.backends.objectstore.rules import retry_after
from cloudsync_core.body import Body
from cloudsync_core.errors import (
    AccessDeniedError,
    BackendError,
    Disposition,
    IntegrityError,
    ThrottledError,
    UnavailableError,
)
from cloudsync_core.layers.outage import Outage
from cloudsync_core.layers.retry import Retry, RetryPolicy
from cloudsync_core.testing.faults import Delay, Faulty, Raise, asking_to_wait, at, refuse
from tests.engine.stores import contents, memory, store
from tests.workflows.world import Lasting, World

DOWN = UnavailableError("down")


class Clock(threading.Event):
    """A clock that goes on when somebody waits, and a stop signal that is never given."""

    def __init__(self):
        super().__init__()
        self.now = 1000.0
        self.waits = []

    def __call__(self):
        return self.now

    def pass_by(self, seconds):
        self.now += seconds

    def wait(self, timeout=None):
        self.waits.append(timeout)
        self.now += timeout
        return False


@pytest.fixture
def clock():
    return Clock()


waits = st.floats(0, 200) | st.none()


class TestBudget:
    @given(
        asked=st.lists(waits, min_size=1, max_size=30),
        numbers=st.tuples(st.integers(1, 20), st.floats(0, 5), st.floats(0, 40), st.floats(0, 300)),
        seconds=st.floats(0, 50),
    )
    def test_E08_no_attempt_begins_after_it_whatever_providers_ask_for(self, asked, numbers, seconds):
        clock = Clock()
        attempts, first_wait, max_wait, budget = numbers
        policy = RetryPolicy(attempts, first_wait, max_wait, budget, clock=clock)
        begun = []

        def operation():
            begun.append(clock.now - 1000)
            clock.pass_by(seconds)
            raise ThrottledError("slow down", retry_after=asked[(len(begun) - 1) % len(asked)])

        with pytest.raises(ThrottledError):
            policy.call(operation, clock)
        assert 1 <= len(begun) <= attempts
        assert max(begun) <= budget + 1e-6
        pauses = [later - earlier - seconds for earlier, later in itertools.pairwise(begun)]
        for number, pause in enumerate(pauses):
            least = asked[number % len(asked)] or 0
            assert least - 1e-6 <= pause <= least + min(max_wait, first_wait * 2**number) + 1e-6

    def test_E08_is_shared_by_what_an_operation_is_made_of(self, clock):
        inner = memory()
        store(inner, "k")
        faulty = Faulty(inner, at("stat", Raise(DOWN), times=None), at("get", Raise(DOWN), times=None))
        policy = RetryPolicy(attempts=4, clock=clock)
        side = Retry(faulty, policy, stop=clock)

        def operation():
            try:
                side.stat("k")
            except UnavailableError:
                side.read("k", 100)

        with pytest.raises(UnavailableError):
            policy.call(operation, clock)
        assert [call.verb for call, _ in faulty.met] == ["stat", "get"] * 4

    def test_E08_of_a_slow_store_is_spent_by_its_slowness(self, clock):
        faulty = Faulty(memory(), at("stat", Delay(50, clock.pass_by), times=None))
        policy = RetryPolicy(attempts=100, budget=120, clock=clock)

        def operation():
            try:
                faulty.stat("no-such")
            except BackendError:
                raise DOWN from None

        with pytest.raises(UnavailableError):
            policy.call(operation, clock)
        assert len(faulty.met) == 3, "at 0, 50 and 100 seconds, and a moment each"

    @pytest.mark.parametrize("verb", ["stat", "list", "delete", "get"])
    def test_E08_of_each_verb(self, clock, verb):
        faulty = Faulty(memory(), at(verb, Raise(DOWN), times=None))
        side = Retry(faulty, RetryPolicy(attempts=7, clock=clock), stop=clock)
        calls = {
            "stat": lambda: side.stat("k"),
            "list": lambda: list(side.list()),
            "delete": lambda: side.delete("k"),
            "get": lambda: side.read("k", 1),
        }
        with pytest.raises(UnavailableError):
            calls[verb]()
        assert len(faulty.met) == 7
        assert len(clock.waits) == 6

    def test_E08_of_a_bulk_delete(self, clock):
        faulty = Faulty(memory(), at("delete_many", Raise(DOWN), times=None))
        side = Retry(faulty, RetryPolicy(attempts=7, clock=clock), stop=clock)
        assert [type(result.error) for result in side.delete_many([("a", None), ("b", None)])] == [UnavailableError] * 2
        assert len(faulty.met) == 7


class Hanging(Raise):
    """The store takes its time to refuse."""

    def call(self, operation):
        time.sleep(0.005)
        return super().call(operation)


def failing(error):
    def operation():
        raise error

    return operation


class TestOutages:
    """E08: a store that serves nothing any more does not cost a run all the attempts at all of its objects."""

    def dispositions(self, clock, errors, policy=None):
        """Return what becomes of operations that fail one after the other, 10 seconds each."""
        policy = policy or RetryPolicy(attempts=1, clock=clock)
        found = []
        for error in errors:
            clock.pass_by(10)
            try:
                policy.call((lambda: "done") if error is None else failing(error), clock)
            except BackendError as caught:
                found.append(caught.disposition)
        return found

    def test_the_run_is_ended_when_nothing_has_succeeded_for_long(self, clock):
        errors = [UnavailableError("down") for _ in range(25)]
        assert self.dispositions(clock, errors) == [Disposition.RETRY] * 19 + [Disposition.ABORT] * 6
        assert str(errors[19]) == "down, and nothing has succeeded for 190 seconds"

    def test_it_takes_time_and_not_numbers_alone(self, clock):
        policy = RetryPolicy(attempts=1, clock=clock)
        for _ in range(1000):
            with pytest.raises(UnavailableError) as caught:
                policy.call(failing(UnavailableError("down")), clock)
            assert caught.value.disposition is Disposition.RETRY

    def test_a_success_begins_anew(self, clock):
        errors = [*(UnavailableError("down") for _ in range(19)), None] * 3
        assert set(self.dispositions(clock, errors)) == {Disposition.RETRY}

    @pytest.mark.parametrize("kind", [AccessDeniedError, IntegrityError])
    def test_what_is_wrong_with_objects_is_no_outage(self, clock, kind):
        errors = [kind("no") for _ in range(50)]
        assert set(self.dispositions(clock, errors)) == {kind.default_disposition}

    def test_what_an_operation_is_made_of_is_not_counted_for_itself(self, clock):
        policy = RetryPolicy(attempts=1, clock=clock)
        inner = lambda: policy.call(failing(UnavailableError("down")), clock)
        for number in range(20):
            clock.pass_by(10)
            with pytest.raises(UnavailableError) as caught:
                policy.call(inner, clock)
            assert (caught.value.disposition is Disposition.ABORT) == (number == 19)

    def test_a_run_ends_and_says_why(self, monkeypatch):
        """Objects that are left are not tried, and nothing is deleted."""
        short = functools.partial(RetryPolicy, first_wait=0, outage=Outage(operations=3, seconds=0))
        monkeypatch.setattr("cloudsync_core.workflows.sides.RetryPolicy", short)
        source, target = memory(), memory()
        for number in range(100):
            store(source, f"{number:02}")
        store(target, "old")
        faulty = Faulty(target, at("put", Hanging(DOWN), times=None))
        report = World(lambda: Lasting(source), lambda: Lasting(faulty)).mirror(
            delete=True, transfers=1, retries=2, server_copy=False
        )
        assert (report.status, report.exit_code, report.counts.deleted) == ("aborted", 4, 0)
        assert "nothing has succeeded for 0 seconds" in report.message
        assert len({call.key for call, _ in faulty.met}) < 50
        assert contents(target) == {"old": b"content"}


class TestBackoff:
    def test_is_spread_by_chance(self, clock):
        policy = RetryPolicy(attempts=2, first_wait=10, clock=clock)
        for _ in range(50):
            with pytest.raises(UnavailableError):
                policy.call(_down, clock)
        assert len(set(clock.waits)) > 45
        assert min(clock.waits) < 2
        assert max(clock.waits) > 8


class TestRetryAfter:
    """A server that asks for time gets it, however it says so."""

    @pytest.mark.parametrize("by_date", [False, True], ids=["seconds", "date"])
    @pytest.mark.parametrize("status", [429, 503])
    def test_is_heard_on_every_cloud(self, cloud, status, by_date):
        backend = cloud.open()
        backend.put("key", Body(b"content"))
        answer = asking_to_wait(cloud.dialect.refusal(status), 30, by_date=by_date)
        cloud.proxy.disturb(lambda request: True, refuse(answer))
        verbs = [
            lambda: list(backend.list()),
            lambda: backend.read("key", 100),
            lambda: backend.put("key", Body(b"content")),
            lambda: backend.delete("key"),
        ]
        for verb in verbs:
            with pytest.raises((ThrottledError, UnavailableError)) as caught:
                verb()
            assert 20 < caught.value.retry_after <= 30
        backend.close()

    def test_is_obeyed(self, cloud, clock):
        backend = cloud.open()
        backend.put("key", Body(b"content"))
        answer = asking_to_wait(cloud.dialect.refusal(503), 30)
        done = cloud.proxy.disturb(lambda request: True, refuse(answer), times=2)
        with Retry(backend, RetryPolicy(clock=clock), stop=clock) as side:
            assert side.read("key", 100).read() == b"content"
        assert done.met == 2
        assert [wait >= 30 for wait in clock.waits] == [True, True]

    def test_of_more_than_is_left_fails_at_once(self, clock):
        policy = RetryPolicy(budget=120, clock=clock)
        faulty = Faulty(memory(), at("stat", Raise(ThrottledError("slow down", retry_after=121)), times=None))
        with pytest.raises(ThrottledError):
            Retry(faulty, policy, stop=clock).stat("k")
        assert (len(faulty.met), clock.waits) == (1, [])

    @pytest.mark.parametrize(
        ("text", "seconds"),
        [
            ("0", 0), ("7", 7), (" 7 ", 7), ("Thu, 01 Jan 1970 00:00:00 GMT", 0), ("soon", None), ("", None),
            ("-1", None), ("1.5", None), ("Fri, 99 Nov 2026 00:00:00 GMT", None),
        ],
    )  # fmt: skip
    def test_that_says_nothing_is_none(self, text, seconds):
        assert retry_after({"retry-after": text}) == seconds


def _down():
    raise UnavailableError("down")
