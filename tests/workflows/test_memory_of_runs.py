"""What a job remembers between its runs, and what is safe to lose."""

import dataclasses
import json
import shutil

import pytest

from cloudsync_core.engine.state import State
from cloudsync_core.errors import KeyBlockedError, StateError
from cloudsync_core.runs import Counts
from tests.engine.stores import Watched, contents, plain, store
from tests.unit.layers.scripted import Fault
from tests.workflows.world import NO_REQUEST_PER_OBJECT, Lasting, MemoryPlace, World, requests_per_object


def fill(backend, *keys, data=b"content"):
    for key in keys:
        store(backend, key, data)


def keys_in_base(path):
    with State(path, read_only=True) as database, database.using() as connection:
        return [key for (key,) in connection.execute("SELECT key FROM base ORDER BY key")]


class TestLostState:
    def test_H05_costs_comparisons_and_nothing_else(self, world, state):
        fill(world.source(), "a", "b")
        world.mirror(delete=True)
        shutil.rmtree(state.parent)
        report = world.mirror(delete=True)
        assert (report.counts, report.bytes_transferred) == (Counts(unchanged=2), 0)
        assert requests_per_object(world.mirror(delete=True)) == NO_REQUEST_PER_OBJECT

    def test_H05_of_stores_without_evidence_costs_a_transfer(self, state):
        places = MemoryPlace(), MemoryPlace()
        world = World(*(lambda place=place: plain(place.open()) for place in places), state)
        fill(world.source(), "a")
        world.mirror()
        shutil.rmtree(state.parent)
        assert world.mirror().counts == Counts(updated=1)

    def test_H05_an_old_copy_is_no_danger(self, world, state, tmp_path):
        fill(world.source(), "a", "b", "c")
        world.mirror(delete=True)
        shutil.copytree(state.parent, tmp_path / "old")
        store(world.source(), "a", b"changed")
        world.source().delete("b")
        world.mirror(delete=True)
        store(world.source(), "a", b"content")
        shutil.rmtree(state.parent)
        shutil.copytree(tmp_path / "old", state.parent)
        world.mirror(delete=True)
        assert contents(world.target()) == contents(world.source())

    def test_without_state_every_run_compares_by_evidence(self, world):
        world.state = None
        fill(world.source(), "a", "b")
        world.mirror()
        assert world.mirror(delete=True).counts == Counts(unchanged=2)

    def test_a_damaged_one_stops_the_run_before_it_starts(self, world, state):
        state.parent.mkdir()
        state.write_bytes(b"no database" * 1000)
        fill(world.source(), "a")
        with pytest.raises(StateError, match="move it away"):
            world.mirror()
        assert contents(world.target()) == {}


class TestOtherPlaces:
    def test_H05_the_state_of_other_places_says_nothing(self, state):
        first, second, other = MemoryPlace(), MemoryPlace(), MemoryPlace()
        fill(first.open(), "a", data=b"1")
        World(first.open, second.open, state).mirror()
        fill(other.open(), "a", data=b"2")
        assert World(first.open, other.open, state).mirror().counts == Counts(updated=1)
        assert contents(other.open()) == {"a": b"1"}

    def test_two_jobs_share_a_file_and_nothing_else(self, state):
        places = [MemoryPlace() for _ in range(4)]
        one, two = World(places[0].open, places[1].open, state), World(places[2].open, places[3].open, state)
        fill(one.source(), "a")
        fill(two.source(), "b")
        one.mirror(name="one")
        two.mirror(name="two")
        assert requests_per_object(one.mirror(name="one")) == NO_REQUEST_PER_OBJECT
        assert requests_per_object(two.mirror(name="two")) == NO_REQUEST_PER_OBJECT
        with State(state, read_only=True) as database:
            assert [run.job for run in database.runs()] == ["two", "one", "two", "one"]

    def test_two_jobs_of_one_name_do_not_run_at_once(self, memory_world, state):
        fill(memory_world.source(), "a")

        def again(_):
            with pytest.raises(StateError, match="already being run"):
                World(memory_world.source, memory_world.target, state).mirror()

        assert memory_world.mirror(listener=again).status == "done"


class TestRecords:
    def test_the_report_is_the_same_in_the_database(self, memory_world, state):
        fill(memory_world.source(), "a")
        report = memory_world.mirror()
        with State(state, read_only=True) as database:
            [run] = database.runs()
        assert run.report == json.loads(json.dumps(report.to_dict()))
        assert (run.id, run.job, run.status) == (report.run.id, "site", "done")

    def test_a_key_that_is_gone_from_both_sides_is_forgotten(self, memory_world, state):
        fill(memory_world.source(), "a", "b")
        memory_world.mirror()
        for side in (memory_world.source(), memory_world.target()):
            side.delete("a")
        memory_world.mirror()
        assert keys_in_base(state) == ["b"]

    def test_a_failed_object_is_not_recorded(self, memory_world, state):
        fill(memory_world.source(), "a")
        target = memory_world.target
        refusing = Watched(Lasting(target()))
        refusing.faults["copy"] = [Fault(KeyBlockedError("no")), Fault(KeyBlockedError("no"))]
        memory_world.target = lambda: refusing
        assert memory_world.mirror().counts == Counts(failed=1)
        assert keys_in_base(state) == []
        memory_world.target = target
        assert memory_world.mirror().counts == Counts(added=1)

    def test_P8_a_source_that_changes_while_it_is_read_is_transferred_by_the_next_run(self, state):
        source, target = MemoryPlace(), MemoryPlace()
        fill(source.open(), "a", data=b"first")

        def rewrite(event):
            if type(event).__name__ == "ActionFinished":
                fill(source.open(), "a", data=b"second")

        world = World(source.open, target.open, state)
        world.mirror(listener=rewrite, server_copy=False)
        assert contents(target.open()) == {"a": b"first"}
        assert world.mirror().counts == Counts(updated=1)
        assert contents(target.open()) == {"a": b"second"}


class TestSecrets:
    CANARY = "tops3cret-canary"

    def test_no_option_of_a_location_reaches_the_report_or_the_state(self, memory_world, state):
        fill(memory_world.source(), "a")
        location = {"url": "memory://source", "options": {"password": self.CANARY}}
        report = memory_world.mirror(source=location)
        assert self.CANARY not in json.dumps(report.to_dict())
        assert self.CANARY not in repr(dataclasses.asdict(report))
        for file in state.parent.iterdir():
            assert self.CANARY.encode() not in file.read_bytes()

    def test_nor_a_saved_plan(self, memory_world, tmp_path):
        fill(memory_world.source(), "a")
        path = tmp_path / "plan.jsonl"
        memory_world.save_plan(path, target={"url": "memory://target", "options": {"password": self.CANARY}})
        assert self.CANARY not in path.read_text()
