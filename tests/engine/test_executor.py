"""The pool: what happens comes back as it happens, in bounded number, and no thread is left behind."""

import random
import resource
import threading
import time

import pytest

from cloudsync_core.engine.concurrency import Concurrency
from cloudsync_core.engine.executor import Stop, execute
from cloudsync_core.engine.workers import AHEAD
from cloudsync_core.errors import CancelledError
from cloudsync_core.runs import Action, Outcome
from tests.engine.objects import entry

WORKERS = 3


def actions(count):
    return [Action("add", f"{number:03}", "new", entry(f"{number:03}")) for number in range(count)]


def done(action):
    return [Outcome(action, "done")]


def run(work, perform=done, *, workers=WORKERS, stop=None):
    return execute(work, perform, concurrency=Concurrency(workers), stop=stop or threading.Event())


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
        seen = threading.Event()

        def endless_work():
            for action in actions(100_000):
                if seen.is_set():
                    return
                yield action
            pytest.fail("the work is pulled to its end before anything comes back")

        for _ in run(endless_work()):
            seen.set()

    def test_come_while_other_work_is_still_being_done(self):
        first_seen = threading.Event()

        def perform(action):
            assert action.key == "000" or first_seen.wait(10), "the first waits for the others"
            return done(action)

        for _ in run(actions(2 * AHEAD), perform):
            first_seen.set()


class TestPulling:
    @pytest.mark.parametrize(
        ("length", "most"),
        [
            pytest.param(None, AHEAD + WORKERS, id="actions"),
            pytest.param(AHEAD // 4, 4 + WORKERS, id="batches"),
            pytest.param(2 * AHEAD, 1 + WORKERS, id="batches larger than what may wait"),
        ],
    )
    def test_is_bounded_however_slow_the_workers_are(self, length, most):
        release, pulled, counted = threading.Event(), [], []

        def work():
            for action in actions(3 * AHEAD):
                pulled.append(action)
                yield action if length is None else [action] * length

        def perform(item):
            assert release.wait(10)
            return done(item) if length is None else []

        def watch():
            wait_for(lambda: len(pulled) >= most)
            # Time for the pulling to go on, which it must not.
            time.sleep(0.05)
            counted.append(len(pulled))
            release.set()

        watcher = threading.Thread(target=watch)
        watcher.start()
        list(run(work(), perform))
        watcher.join()
        assert counted == [most]
        assert len(pulled) == 3 * AHEAD

    def test_happens_in_the_callers_thread(self):
        threads = set()

        def work():
            for action in actions(10):
                threads.add(threading.get_ident())
                yield action

        list(run(work()))
        assert threads == {threading.get_ident()}


class TestThreads:
    def test_as_many_as_there_are_workers_run_at_once(self):
        together = threading.Barrier(WORKERS, timeout=10)
        list(run(actions(WORKERS), lambda action: (together.wait(), done(action))[1]))
        assert not together.broken

    def test_are_no_more_than_there_is_work(self):
        seen = set()

        def perform(action):
            seen.add(threading.current_thread())
            # Nobody is free for the next one.
            time.sleep(0.02)
            return done(action)

        list(run(actions(2), perform, workers=256))
        assert len(seen) == 2

    @pytest.mark.parametrize("possible", [1, 3])
    def test_are_as_many_as_the_system_allows(self, monkeypatch, possible):
        start, started = threading.Thread.start, []

        def limited(thread):
            if len(started) == possible:
                raise RuntimeError("can't start new thread")
            started.append(thread)
            start(thread)

        def perform(action):
            time.sleep(0.001)
            return done(action)

        monkeypatch.setattr(threading.Thread, "start", limited)
        assert len(list(run(actions(100), perform, workers=16))) == 100
        assert len(started) == possible

    def test_that_cannot_be_had_at_all_end_it(self, monkeypatch):
        def limited(thread):
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(threading.Thread, "start", limited)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            list(run(actions(100)))

    def test_come_and_go_without_losing_anything(self):
        concurrency = Concurrency(64)
        ended = threading.Event()

        def change():
            while not ended.wait(0.005):
                concurrency.begin(random.choice([1, 2, 8, 64]))

        changer = threading.Thread(target=change)
        changer.start()
        try:
            work = actions(20_000)
            found = keys(execute(work, done, concurrency=concurrency, stop=threading.Event()))
        finally:
            ended.set()
            changer.join()
        assert sorted(found) == sorted(action.key for action in work)

    @pytest.mark.skipif(not hasattr(resource, "RUSAGE_THREAD"), reason="the system does not count by thread")
    def test_the_callers_is_not_woken_for_every_outcome(self):
        def perform(action):
            time.sleep(0.001)
            return done(action)

        before = resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
        assert len(list(run(actions(2_000), perform))) == 2_000
        assert resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw - before < 1_000


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

    def test_of_the_performer_come_when_what_is_in_hand_has_ended(self):
        failed = threading.Event()

        def perform(action):
            if action.key == "001":
                failed.set()
                raise ZeroDivisionError
            assert failed.wait(10)
            return done(action)

        found = []
        with pytest.raises(ZeroDivisionError):
            found.extend(outcome.action.key for outcome in run(actions(2), perform))
        assert found == ["000"]

    def test_of_the_reader_end_everything(self):
        stop = threading.Event()
        outcomes = run(actions(50), stop=stop)
        next(outcomes)
        outcomes.close()
        assert stop.is_set()


class TestStop:
    def test_no_more_work_is_pulled_and_what_is_being_performed_ends(self):
        stop, pulled, begun = threading.Event(), [], []

        def work():
            for action in actions(3 * AHEAD):
                pulled.append(action)
                yield action

        def perform(action):
            begun.append(action.key)
            assert action.key == "000" or stop.wait(10)
            return done(action)

        found = []
        for outcome in run(work(), perform, stop=stop):
            found.append(outcome)
            stop.set()
        assert len(pulled) <= AHEAD + WORKERS + 1
        assert len(begun) <= WORKERS + 1
        assert sorted(keys(found)) == sorted(begun)

    def test_from_outside_ends_it_soon_though_nothing_ends(self):
        stop = threading.Event()

        def perform(action):
            assert stop.wait(10)
            raise CancelledError("interrupted")

        timer = threading.Timer(0.05, stop.set)
        timer.start()
        started = time.monotonic()
        assert list(run(actions(3 * AHEAD), perform, stop=stop)) == []
        assert time.monotonic() - started < 1
        timer.join()

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
