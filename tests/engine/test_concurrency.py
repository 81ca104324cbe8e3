"""How many at once: as many as a store is worth, found out against stores that are simulated, with their own clock."""

import heapq
import itertools
import random

import pytest

from cloudsync_core.engine.concurrency import FIRST_WIDTH, Concurrency
from cloudsync_core.errors import ThrottledError, UnavailableError

SMALL = 4096
THROTTLED = ThrottledError("slow down")
SEEDS = [1, 2, 3]


class Run:
    """Workers that keep a store busy with objects, as many as the concurrency allows.

    Attributes:
        now: seconds since the beginning.
        finished: objects.
        passed: bytes.
        widths: the width at each time that somebody looked.
        random: the same in every run of a seed.
        used: seconds of this process's processor, `work` for each object.
    """

    def __init__(self, store, *, most=256, size=lambda chance: SMALL, seed=1, work=0.0001):
        self.now = 0.0
        self.used = 0.0
        self.finished = self.passed = self._running = 0
        self.widths = []
        self.random = random.Random(seed)
        self.work = work
        self.concurrency = Concurrency(most, passed=lambda: self.passed, clock=lambda: self.now, used=lambda: self.used)
        self.size = size
        self._store = store
        self._events = []
        self._numbers = itertools.count()

    def at(self, moment, event):
        heapq.heappush(self._events, (moment, next(self._numbers), event))

    def until(self, end, *, starved=lambda finished: 0):
        """Go on until a moment, and return the width that was reached."""
        look = self.now
        while self.now < end:
            while self._running < self.concurrency.width:
                self._running += 1
                self._store(self, self.size(self.random))
            if self._events and self._events[0][0] <= look:
                self.now, _, event = heapq.heappop(self._events)
                event()
            else:
                self.now = look
                self.concurrency.look(self.finished, starved(self.finished))
                self.widths.append((self.now, self.concurrency.width))
                look += 0.02
        return self.concurrency.width

    def end(self, size):
        self._running -= 1
        self.finished += 1
        self.passed += size
        self.used += self.work

    def between(self, begin, end):
        return [width for moment, width in self.widths if begin <= moment <= end]


def latency(seconds):
    """Every operation takes as long, however many there are."""

    def store(run, size):
        run.at(run.now + seconds * run.random.uniform(1, 1.1), lambda: run.end(size))

    return store


def processor(seconds, *, round_trip=0.001):
    """One operation is worked on at a time."""
    free = 0.0

    def store(run, size):
        nonlocal free
        free = max(free, run.now) + seconds * run.random.uniform(0.7, 1.3)
        run.at(free + round_trip, lambda: run.end(size))

    return store


def line(bytes_a_second, *, round_trip=0.03):
    """Bytes pass one after another."""
    free = 0.0

    def store(run, size):
        nonlocal free
        free = max(free, run.now + round_trip) + size / bytes_a_second
        run.at(free, lambda: run.end(size))

    return store


class Strict:
    """Takes so many operations a second, a tenth of a second's worth at once, and refuses the others."""

    def __init__(self, rate, *, seconds=0.05):
        self.rate = rate
        self.seconds = seconds
        self.refused = []
        self._left = rate / 10
        self._filled = 0.0

    def __call__(self, run, size, attempt=0):
        def arrive():
            self._left = min(self.rate / 10, self._left + (run.now - self._filled) * self.rate)
            self._filled = run.now
            if self._left >= 1:
                self._left -= 1
                run.end(size)
            else:
                self.refused.append(run.now)
                run.concurrency.hear(THROTTLED)
                wait = run.random.uniform(0, min(20, 0.2 * 2**attempt))
                run.at(run.now + wait, lambda: self(run, size, attempt + 1))

        run.at(run.now + self.seconds, arrive)


@pytest.mark.parametrize("seed", SEEDS)
class TestAFarStore:
    def test_gets_all_that_is_allowed_within_about_a_second(self, seed):
        run = Run(latency(0.05), seed=seed)
        assert run.until(1) == 256
        assert run.until(30) == 256
        # 256 every 50 to 55 milliseconds would be 4,876 a second.
        assert run.finished > 0.93 * 4_876 * 30

    def test_gets_it_later_where_every_answer_takes_half_a_second(self, seed):
        run = Run(latency(0.5), seed=seed)
        run.until(8)
        assert max(run.between(0, 8)) == 256

    @pytest.mark.parametrize("most", [1, 5, 16, 100])
    def test_never_gets_more_than_is_allowed(self, seed, most):
        run = Run(latency(0.05), most=most, seed=seed)
        run.until(10)
        assert max(run.between(0, 10)) == most
        assert run.between(9, 10).count(most) > 40


@pytest.mark.parametrize("seed", SEEDS)
class TestANearStore:
    def test_that_is_busy_gets_few(self, seed):
        run = Run(processor(0.0008), seed=seed, work=0.0008)
        assert run.until(2) <= 8
        assert max(run.between(2, 30) or [run.until(30)]) <= 8

    def test_never_gets_many_where_the_work_is_our_own(self, seed):
        run = Run(processor(0.0003, round_trip=0.0005), seed=seed, work=0.0003)
        run.until(5)
        assert max(run.between(0, 5)) <= 9

    def test_loses_next_to_nothing_by_that(self, seed):
        run = Run(processor(0.0008), seed=seed, work=0.0008)
        run.until(30)
        assert run.finished > 0.95 * 30 / 0.0008

    def test_that_becomes_far_gets_more(self, seed):
        near, far = processor(0.0008), latency(0.05)
        run = Run(lambda run, size: (near if run.now < 10 else far)(run, size), seed=seed)
        assert run.until(10) <= 8
        assert run.until(14) > 200


@pytest.mark.parametrize("seed", SEEDS)
class TestAStoreThatThrottles:
    @pytest.mark.parametrize("rate", [100, 1000])
    def test_is_refused_little_and_used_well(self, seed, rate):
        store = Strict(rate)
        run = Run(store, seed=seed)
        run.until(60)
        assert run.finished > 0.6 * rate * 60
        assert len(store.refused) < 0.03 * run.finished

    def test_gets_half_at_once(self, seed):
        run = Run(latency(0.05), seed=seed)
        assert run.until(5) == 256
        run.concurrency.hear(THROTTLED)
        assert run.concurrency.width == 128

    def test_is_not_halved_again_by_what_was_already_under_way(self, seed):
        run = Run(latency(0.05), seed=seed)
        run.until(5)
        for _ in range(256):
            run.concurrency.hear(THROTTLED)
        assert run.concurrency.width == 128

    def test_does_not_get_as_much_again_for_a_while_and_then_does(self, seed):
        run = Run(latency(0.05), seed=seed)
        run.until(5)
        run.concurrency.hear(THROTTLED)
        run.until(14)
        assert max(run.between(5.1, 14)) < 256
        run.until(60)
        assert max(run.between(15, 60)) == 256

    def test_is_one_that_refuses_and_not_one_that_is_down(self, seed):
        run = Run(latency(0.05), seed=seed)
        run.until(5)
        run.concurrency.hear(UnavailableError("down"))
        assert run.concurrency.width == 256

    def test_keeps_one_at_least(self, seed):
        run = Run(latency(0.05), most=2, seed=seed)
        for _ in range(5):
            run.until(run.now + 1)
            run.concurrency.hear(THROTTLED)
        assert run.concurrency.width == 1


@pytest.mark.parametrize("seed", SEEDS)
class TestObjectsOfAllSizes:
    def test_fill_the_line_without_many_at_once(self, seed):
        mixed = lambda chance: int(10 ** chance.uniform(2, 7.5))
        run = Run(line(100e6), size=mixed, seed=seed)
        run.until(60)
        assert run.passed > 0.85 * 100e6 * 60
        assert sum(run.between(10, 60)) / len(run.between(10, 60)) < 32


class TestTooLittleWork:
    def test_is_no_reason_for_more(self):
        run = Run(latency(0.05))
        # Whoever ends finds nothing to do: more of them would find less.
        run.until(10, starved=lambda finished: finished)
        assert max(run.between(0, 10)) == FIRST_WIDTH


class TestOtherWork:
    def test_begins_anew(self):
        run = Run(latency(0.05))
        run.until(5)
        run.concurrency.begin(3)
        assert run.concurrency.width == 3
        run.concurrency.begin(200)
        assert run.concurrency.width == FIRST_WIDTH
