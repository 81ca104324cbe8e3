"""The limits of a job hold for its runs: bytes, operations, memory, and what a store says of too much."""

import threading
import time

import pytest

from cloudsync_core.engine.concurrency import Concurrency
from cloudsync_core.engine.executor import Stop
from cloudsync_core.errors import ThrottledError
from cloudsync_core.runs import Counts
from cloudsync_core.workflows import sides as module
from tests.engine.stores import Watched, contents, store
from tests.unit.layers.scripted import Fault
from tests.workflows.world import FilePlace, Lasting, MemoryPlace, World

MIB = 1024**2


class Place:
    """A container that counts how many puts are under way."""

    def __init__(self, **capabilities):
        self.backend = Counting(Lasting(MemoryPlace().open()), **capabilities)

    def open(self):
        return self.backend


class Counting(Watched):
    """A store that takes a while for every put.

    Attributes:
        most: puts that were under way at the same time.
    """

    def __init__(self, inner, **capabilities):
        super().__init__(inner, **capabilities)
        self.most = 0
        self._now = 0
        self._lock = threading.Lock()

    def put(self, key, body, **options):
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        time.sleep(0.02)
        try:
            return super().put(key, body, **options)
        finally:
            with self._lock:
                self._now -= 1


@pytest.fixture
def source():
    return Lasting(MemoryPlace().open())


THROUGH_HERE = {"server_copy": False, "transfers": 16}
"""Two containers in memory could copy among themselves."""


def fill(source, count, size):
    for number in range(count):
        store(source, f"{number:03}", bytes([number % 256]) * size)


def mirrored(source, target, state, **rules):
    """Run a mirror, check that it made both sides equal, and return the report and the seconds it took."""
    begun = time.monotonic()
    report = World(lambda: source, target.open, state, THROUGH_HERE).mirror(**rules)
    assert contents(target.open()) == contents(source)
    return report, time.monotonic() - begun


class TestMemory:
    def test_bounds_how_many_large_objects_are_under_way(self, source, state):
        fill(source, 12, MIB)
        target = Place(put_memory=MIB)
        # Each holds itself and a chunk of 1 MiB.
        mirrored(source, target, state, memory="6MiB")
        assert target.backend.most == 3

    def test_is_not_spent_on_what_a_put_does_not_hold(self, source, state):
        fill(source, 12, MIB)
        target = Place(put_memory=0)
        mirrored(source, target, state, memory="6MiB")
        assert 3 < target.backend.most <= 6

    def test_lets_a_larger_object_pass_alone(self, source, state):
        fill(source, 4, MIB)
        target = Place(put_memory=MIB)
        mirrored(source, target, state, memory="1KiB")
        assert target.backend.most == 1

    def test_is_given_back_by_what_fails(self, source, state):
        fill(source, 6, MIB)
        target = Place(put_memory=MIB)
        target.backend.faults["put"] = [Fault(ThrottledError("slow down"))] * 3
        world = World(lambda: source, target.open, state, THROUGH_HERE)
        report = world.mirror(transfers=1, memory="1MiB")
        assert (report.counts.added, report.counts.failed) == (3, 3)


class TestBandwidth:
    def test_bounds_the_bytes_of_all_transfers(self, source, state):
        fill(source, 12, MIB // 4)
        _, seconds = mirrored(source, Place(), state, bwlimit="4MiB", verify="size")
        # 3 MiB, of which a tenth of a second's worth passes at once.
        assert seconds >= 3 / 4 - 0.1

    def test_counts_what_is_read_back(self, state, tmp_path):
        # Neither side knows a digest.
        source = FilePlace(tmp_path / "source").open()
        fill(source, 4, MIB // 4)
        report, seconds = mirrored(source, FilePlace(tmp_path / "target"), state, bwlimit="4MiB")
        assert report.verified == {"readback": 4}
        assert seconds >= 2 / 4 - 0.1

    def test_a_stop_does_not_wait_for_it(self, source, state):
        fill(source, 4, MIB)
        stop = Stop()
        timer = threading.Timer(0.2, stop.interrupt)
        timer.start()
        begun = time.monotonic()
        report = World(lambda: source, Place().open, state, THROUGH_HERE).mirror(stop=stop, bwlimit="1B")
        assert report.status == "interrupted"
        assert time.monotonic() - begun < 5
        timer.join()


class TestOperations:
    def test_are_started_no_faster_than_allowed_on_each_side(self, source, state):
        fill(source, 20, 10)
        report, seconds = mirrored(source, Place(), state, tpslimit=50)
        slower = max(sum(counts.values()) for counts in report.requests.values())
        assert seconds >= (slower - 5) / 50

    def test_a_stop_does_not_wait_for_them(self, source, state):
        fill(source, 20, 10)
        stop = Stop()
        timer = threading.Timer(0.2, stop.interrupt)
        timer.start()
        begun = time.monotonic()
        report = World(lambda: source, Place().open, state, THROUGH_HERE).mirror(stop=stop, tpslimit=0.1)
        assert report.status == "interrupted"
        assert time.monotonic() - begun < 5
        timer.join()


def test_a_store_that_throttles_gets_fewer_at_once(source, state, monkeypatch):
    made = []

    class Kept(Concurrency):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            made.append(self)

        def hear(self, error):
            super().hear(error)
            made.append(self.width)

    monkeypatch.setattr(module, "Concurrency", Kept)
    fill(source, 40, 10)
    target = Place()
    target.backend.faults["put"] = [None] * 10 + [Fault(ThrottledError("slow down"))]
    report, _ = mirrored(source, target, state, transfers=8, retries=3)
    assert report.counts == Counts(added=40)
    assert made[1:] == [2]
