"""The memory budget: never more than fits, nobody overtakes, nobody waits for ever."""

import random
import threading
import time

import pytest

from cloudsync_core.body import CHUNK_SIZE
from cloudsync_core.engine.memory import MemoryBudget, held_by
from cloudsync_core.errors import CancelledError

LIMIT = 100


@pytest.fixture
def stop():
    return threading.Event()


@pytest.fixture
def budget(stop):
    return MemoryBudget(LIMIT, stop)


class Taking(threading.Thread):
    """A thread that takes bytes."""

    def __init__(self, budget, count):
        super().__init__()
        self._budget = budget
        self._count = count
        self.admitted = threading.Event()
        self.cancelled = False
        self.start()

    def run(self):
        try:
            self._budget.take(self._count)
        except CancelledError:
            self.cancelled = True
        else:
            self.admitted.set()

    def waits(self):
        return not self.admitted.wait(0.05)

    def passes(self):
        self.join(10)
        return self.admitted.is_set()


class TestAdmission:
    def test_waits_until_there_is_room(self, budget):
        budget.take(60)
        other = Taking(budget, 60)
        assert other.waits()
        budget.give_back(60)
        assert other.passes()

    def test_of_what_fits_does_not_wait(self, budget):
        for _ in range(10):
            budget.take(10)

    def test_of_what_is_larger_than_the_budget_is_alone(self, budget):
        budget.take(1)
        large = Taking(budget, 10 * LIMIT)
        assert large.waits()
        budget.give_back(1)
        assert large.passes()
        small = Taking(budget, 1)
        assert small.waits()
        budget.give_back(10 * LIMIT)
        assert small.passes()

    def test_is_in_the_order_of_asking_so_that_no_large_one_starves(self, budget):
        budget.take(60)
        large = Taking(budget, 90)
        assert large.waits()
        small = Taking(budget, 10)
        assert small.waits(), "the small one has overtaken the large one"
        budget.give_back(60)
        assert large.passes()
        assert small.passes()

    def test_of_everybody_who_fits_happens_at_once(self, budget):
        budget.take(100)
        others = [Taking(budget, 25) for _ in range(4)]
        assert all(other.waits() for other in others)
        budget.give_back(100)
        assert all(other.passes() for other in others)

    def test_costs_next_to_nothing_while_there_is_room(self, budget):
        best = min(self._seconds(budget) for _ in range(20))
        # One microsecond on an idle machine; a lock that was waited for would be far more.
        assert best / 1000 < 10e-6

    @staticmethod
    def _seconds(budget):
        begun = time.perf_counter()
        for _ in range(1000):
            budget.take(8)
            budget.give_back(8)
        return time.perf_counter() - begun


class TestStop:
    def test_ends_the_wait_and_holds_nothing(self, budget, stop):
        budget.take(60)
        waiting = Taking(budget, 60)
        assert waiting.waits()
        stop.set()
        waiting.join(10)
        assert waiting.cancelled
        budget.give_back(60)
        budget.take(LIMIT)

    def test_of_one_lets_those_behind_it_pass(self, budget, stop):
        budget.take(60)
        large = Taking(budget, 90)
        assert large.waits()
        small = Taking(budget, 40)
        stop.set()
        large.join(10)
        small.join(10)
        assert large.cancelled
        # Admitted in the place of the large one, or stopped, too: it does not hang.
        assert small.cancelled or small.admitted.is_set()


def test_many_threads_never_hold_more_than_fits_and_all_come_to_an_end(budget):
    lock, held, most = threading.Lock(), [0], [0]

    def work(seed):
        chance = random.Random(seed)
        for _ in range(200):
            count = chance.randint(1, LIMIT)
            budget.take(count)
            with lock:
                held[0] += count
                most[0] = max(most[0], held[0])
            with lock:
                held[0] -= count
            budget.give_back(count)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    assert most[0] <= LIMIT
    budget.take(LIMIT)


@pytest.mark.parametrize(
    ("size", "held"),
    [
        (0, 0),
        (4096, 2 * 4096),
        (CHUNK_SIZE, 2 * CHUNK_SIZE),
        (10 * CHUNK_SIZE, 9 * CHUNK_SIZE),
        (10_000 * CHUNK_SIZE, 9 * CHUNK_SIZE),
    ],
)
def test_a_transfer_holds_what_the_put_keeps_and_a_chunk_on_its_way(size, held):
    assert held_by(size, 8 * CHUNK_SIZE) == held
