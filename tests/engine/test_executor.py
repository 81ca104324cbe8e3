"""The pool: what happens comes back as it happens, in bounded number, and no thread is left behind."""

import threading
import time

import pytest

from cloudsync_core.engine.executor import Stop, execute
from cloudsync_core.errors import CancelledError
from cloudsync_core.runs import Action, Outcome
from tests.engine.objects import entry

WORKERS = 3


def actions(count):
    return [Action("add", f"{number:03}", "new", entry(f"{number:03}")) for number in range(count)]


def done(action):
    return [Outcome(action, "done")]


def run(work, perform=done, *, workers=WORKERS, stop=None):
    return execute(work, perform, workers=workers, stop=stop or threading.Event())


def keys(outcomes):
    return [outcome.action.key for outcome in outcomes]


@pytest.fixture(autouse=True)
def no_thread_is_left_behind():
    yield
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("cloudsync-work")]


def wait_for(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.002)


class TestOutcomes:
    def test_of_all_work_are_yielded(self):
        assert sorted(keys(run(actions(50)))) == keys(map(Outcome, actions(50), ["done"] * 50))

    def test_come_in_the_order_in_which_work_finishes(self):
        gates = {action.key: threading.Event() for action in actions(2)}

        def perform(action):
            assert gates[action.key].wait(10)
            return done(action)

        outcomes = run(actions(2), perform, workers=2)
        gates["001"].set()
        found = [next(outcomes).action.key]
        gates["000"].set()
        assert [*found, *keys(outcomes)] == ["001", "000"]

    def test_of_a_batch_are_as_many_as_it_holds(self):
        batches = [actions(3), [], actions(2)]
        outcomes = list(run(batches, lambda batch: [outcome for action in batch for outcome in done(action)]))
        assert len(outcomes) == 5

    def test_of_no_work_are_none(self):
        assert list(run([])) == []

    def test_come_while_the_work_goes_on(self):
        first_seen = threading.Event()

        def slow_work():
            yield from actions(WORKERS * 2)
            assert first_seen.wait(10), "the work is pulled to its end before anything comes back"
            yield from actions(1)

        for _ in run(slow_work()):
            first_seen.set()


class TestPulling:
    def test_is_bounded_by_twice_the_workers(self):
        release, pulled = threading.Event(), []

        def work():
            for action in actions(100):
                pulled.append(action)
                yield action

        def perform(action):
            assert release.wait(10)
            return done(action)

        def watch():
            wait_for(lambda: len(pulled) >= 2 * WORKERS)
            # Time for the pulling to go on, which it must not.
            time.sleep(0.05)
            release.set()

        watcher = threading.Thread(target=watch)
        watcher.start()
        outcomes = run(work(), perform)
        next(outcomes)
        assert len(pulled) == 2 * WORKERS
        assert len(list(outcomes)) == 99
        watcher.join()

    def test_happens_in_the_callers_thread(self):
        threads = set()

        def work():
            for action in actions(10):
                threads.add(threading.get_ident())
                yield action

        list(run(work()))
        assert threads == {threading.get_ident()}

    def test_as_many_as_there_are_workers_run_at_once(self):
        together = threading.Barrier(WORKERS, timeout=10)
        list(run(actions(WORKERS), lambda action: (together.wait(), done(action))[1]))
        assert not together.broken


class TestErrors:
    def test_of_the_work_come_when_what_is_in_hand_has_ended(self):
        def work():
            yield from actions(4)
            raise OSError("the listing failed")

        found = []
        with pytest.raises(OSError, match="the listing failed"):
            found.extend(outcome.action.key for outcome in run(work()))
        # An extend that fails keeps what came before.
        assert sorted(found) == ["000", "001", "002", "003"]

    def test_of_the_performer_end_everything(self):
        stop = threading.Event()

        def perform(action):
            if action.key == "001":
                raise ZeroDivisionError
            return done(action)

        with pytest.raises(ZeroDivisionError):
            list(run(actions(50), perform, stop=stop))
        assert stop.is_set()

    def test_of_the_reader_end_everything(self):
        stop = threading.Event()
        outcomes = run(actions(50), stop=stop)
        next(outcomes)
        outcomes.close()
        assert stop.is_set()


class TestStop:
    def test_no_more_work_is_pulled_and_what_is_in_hand_ends(self):
        stop, pulled = threading.Event(), []

        def work():
            for action in actions(100):
                pulled.append(action)
                yield action

        found = []
        for outcome in run(work(), stop=stop):
            found.append(outcome)
            stop.set()
        assert len(pulled) <= 2 * WORKERS + 1
        assert 1 <= len(found) <= len(pulled)

    def test_work_that_was_cancelled_has_no_outcome(self):
        stop = threading.Event()

        def perform(action):
            if action.key != "000":
                raise CancelledError("interrupted")
            stop.set()
            return done(action)

        assert keys(run(actions(6), perform, stop=stop)) == ["000"]

    def test_nothing_starts_when_it_is_set_before(self):
        stop = threading.Event()
        stop.set()
        assert list(run(actions(5), stop=stop)) == []

    def test_an_interruption_is_told_from_a_run_that_stops_itself(self):
        stopped, interrupted = Stop(), Stop()
        stopped.set()
        interrupted.interrupt()
        assert (stopped.is_set(), stopped.interrupted) == (True, False)
        assert (interrupted.is_set(), interrupted.interrupted) == (True, True)
