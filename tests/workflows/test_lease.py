"""Two runs at once on one target: one of them writes (F06, H07)."""

import functools
import threading

import pytest

from cloudsync_core.engine.executor import Stop
from cloudsync_core.engine.lease import KEY, Lease, Pace
from cloudsync_core.errors import LeaseHeldError, LeaseLostError
from cloudsync_core.layers.layer import Layer
from tests.engine.stores import contents, store
from tests.workflows.world import FilePlace, Lasting, MemoryPlace, World

LEASED = {"lease": True, "server_copy": False}


@pytest.fixture(params=["memory", "file"])
def target(request, tmp_path):
    return MemoryPlace() if request.param == "memory" else FilePlace(tmp_path / "target")


@pytest.fixture
def source():
    place = MemoryPlace()
    for number in range(5):
        store(place.open(), f"key{number}", b"content")
    return place


class Meeting(Layer):
    """Stops at the first object that is written, until somebody has looked."""

    def __init__(self, inner):
        super().__init__(inner)
        self.reached, self.go_on = threading.Event(), threading.Event()

    def put(self, key, body, **how):
        if key.startswith("key"):
            self.reached.set()
            assert self.go_on.wait(20)
        return self.inner.put(key, body, **how)

    def close(self):
        pass


def test_a_run_that_writes_holds_it_and_gives_it_back(source, target, tmp_path):
    meeting = Meeting(target.open())
    world = World(source.open, lambda: meeting, tmp_path / "state.db", LEASED)
    reports = []
    run = threading.Thread(target=lambda: reports.append(world.mirror()))
    run.start()
    assert meeting.reached.wait(20)
    assert KEY in contents(target.open())
    meeting.go_on.set()
    run.join()
    assert reports[0].status == "done"
    assert sorted(contents(target.open())) == [f"key{number}" for number in range(5)]


def test_a_run_that_has_nothing_to_do_asks_for_none(source, target, tmp_path):
    world = World(source.open, target.open, tmp_path / "state.db", LEASED)
    world.mirror()
    writes = []

    class Counting(Lasting):
        def put(self, key, body, **how):
            writes.append(key)
            return self.inner.put(key, body, **how)

    world.target = lambda: Counting(target.open())
    assert world.mirror().status == "done"
    assert world.mirror(dry_run=True).status == "done"
    assert writes == []


@pytest.mark.parametrize("verb", ["mirror", "apply"])
def test_H07_another_job_is_refused_and_changes_nothing(source, target, tmp_path, verb):
    meeting = Meeting(target.open())
    first = World(source.open, lambda: meeting, tmp_path / "first.db", LEASED)
    second = World(source.open, target.open, tmp_path / "second.db", LEASED)
    plan = tmp_path / "plan"
    second.save_plan(plan)
    reports = []
    run = threading.Thread(target=lambda: reports.append(first.mirror()))
    run.start()
    assert meeting.reached.wait(20)
    refused = second.mirror() if verb == "mirror" else second.apply(plan)
    assert (refused.status, refused.exit_code) == ("refused", 4)
    assert isinstance(refused.error, LeaseHeldError)
    assert refused.counts.added == 0
    meeting.go_on.set()
    run.join()
    assert reports[0].counts.added == 5
    assert second.mirror().status == "done"


def test_a_run_that_lost_it_ends_and_deletes_nothing(source, target, tmp_path, monkeypatch):
    hasty = functools.partial(Lease, pace=Pace(renewed=0.05))
    monkeypatch.setattr("cloudsync_core.workflows.sides.Lease", hasty)
    store(target.open(), "only-here")
    meeting = Meeting(target.open())
    world = World(source.open, lambda: meeting, tmp_path / "state.db", {**LEASED, "delete": True})
    reports = []
    stop = Stop()
    run = threading.Thread(target=lambda: reports.append(world.mirror(stop=stop)))
    run.start()
    assert meeting.reached.wait(20)
    target.open().delete(KEY)
    assert stop.wait(20)
    meeting.go_on.set()
    run.join()
    assert (reports[0].status, reports[0].exit_code) == ("aborted", 4)
    assert isinstance(reports[0].error, LeaseLostError)
    assert "only-here" in contents(target.open())
