"""A saved plan is performed exactly, as far as nothing it rests on has changed."""

import json

import pytest

from cloudsync_core.engine.events import ActionFinished
from cloudsync_core.errors import PlanFileError, UnauthenticatedError
from cloudsync_core.runs import Counts
from tests.engine.stores import Watched, contents, store
from tests.unit.layers.scripted import Fault
from tests.workflows.world import NO_REQUEST_PER_OBJECT, FilePlace, Lasting, MemoryPlace, World, requests_per_object


@pytest.fixture
def path(tmp_path):
    return tmp_path / "plan.jsonl"


def fill(backend, *keys, data=b"content"):
    for key in keys:
        store(backend, key, data)


def prepared(world):
    """Make a world with an add, an update and two deletes to do."""
    fill(world.source(), "add", "same", "update", data=b"new")
    fill(world.target(), "same", data=b"new")
    fill(world.target(), "update", "old1", "old2", data=b"old")
    world.rules["delete"] = True
    return world


class TestPlan:
    def test_is_performed_exactly(self, world, path):
        prepared(world)
        dry = world.save_plan(path)
        fill(world.source(), "came later", data=b"new")
        fill(world.target(), "came later too", data=b"old")
        report = world.apply(path)
        assert (report.status, report.counts) == ("done", Counts(added=1, updated=1, deleted=2))
        assert (dry.counts.added, dry.counts.updated, dry.counts.deleted) == (1, 1, 2)
        assert set(contents(world.target())) == {"add", "same", "update", "came later too"}

    def test_of_what_a_mirror_then_finds_done(self, world, path):
        prepared(world).save_plan(path)
        world.apply(path)
        report = world.mirror()
        assert report.counts == Counts(unchanged=3)
        assert requests_per_object(world.mirror()) == NO_REQUEST_PER_OBJECT

    def test_deletes_last(self, memory_world, path):
        prepared(memory_world).save_plan(path)
        memory_world.apply(path)
        kinds = [event.outcome.action.kind for event in memory_world.events if isinstance(event, ActionFinished)]
        assert kinds[-2:] == ["delete", "delete"]

    def test_of_nothing_is_done_at_once(self, memory_world, path):
        memory_world.save_plan(path)
        assert memory_world.apply(path).counts == Counts()

    def test_that_turns_a_file_into_a_folder_is_performed(self, tmp_path, state, path):
        world = World(MemoryPlace().open, FilePlace(tmp_path / "down").open, state, {"delete": True})
        fill(world.source(), "x")
        world.mirror()
        world.source().delete("x")
        fill(world.source(), "x/a")
        world.save_plan(path)
        assert world.apply(path).counts == Counts(added=1, deleted=1)
        assert set(contents(world.target())) == {"x/a"}


class TestH01:
    """What changed since the plan was made is left alone, and everything else is done."""

    @pytest.mark.parametrize(
        ("key", "side"),
        [("add", "source"), ("update", "source"), ("update", "target"), ("add", "target")],
    )
    def test_an_object_that_changed_on_either_side_is_not_written(self, world, path, key, side):
        prepared(world).save_plan(path)
        fill(getattr(world, side)(), key, data=b"changed since")
        before = contents(world.target()).get(key)
        report = world.apply(path)
        assert (report.status, report.counts.failed) == ("partial", 1)
        assert contents(world.target()).get(key) == before
        assert "changed after the plan was made" in report.failures[0].examples[0]

    @pytest.mark.parametrize("key", ["add", "update"])
    def test_an_object_that_is_gone_from_the_source_is_not_written(self, world, path, key):
        prepared(world).save_plan(path)
        world.source().delete(key)
        assert world.apply(path).counts.failed == 1

    def test_an_update_of_what_is_gone_is_not_done(self, world, path):
        prepared(world).save_plan(path)
        world.target().delete("update")
        assert world.apply(path).counts.failed == 1
        assert "update" not in contents(world.target())

    def test_an_object_that_came_back_on_the_source_is_not_deleted(self, world, path):
        prepared(world).save_plan(path)
        fill(world.source(), "old1")
        report = world.apply(path)
        assert report.counts == Counts(added=1, updated=1, deleted=1, failed=1)
        assert {"old1"} == {key for key in contents(world.target()) if key.startswith("old")}

    def test_an_object_that_somebody_rewrote_is_not_deleted(self, world, path):
        prepared(world).save_plan(path)
        fill(world.target(), "old1", data=b"rewritten since")
        assert world.apply(path).counts == Counts(added=1, updated=1, deleted=1, failed=1)
        assert contents(world.target())["old1"] == b"rewritten since"

    def test_after_a_failed_write_nothing_is_deleted(self, world, path):
        prepared(world).save_plan(path)
        fill(world.source(), "add", data=b"changed since")
        report = world.apply(path)
        assert (report.counts.deleted, report.deletes_withheld) == (0, 2)
        assert report.message == "2 deletes were held back: 1 transfers failed"
        assert {"old1", "old2"} <= set(contents(world.target()))


class TestRefusal:
    def test_of_a_plan_for_a_job_that_is_defined_otherwise_now(self, memory_world, path):
        prepared(memory_world).save_plan(path)
        with pytest.raises(PlanFileError, match="no longer defined as it was"):
            memory_world.apply(path, exclude=["old*"])
        assert "old1" in contents(memory_world.target())

    def test_of_a_plan_for_other_places(self, memory_world, path):
        prepared(memory_world).save_plan(path)
        elsewhere = MemoryPlace()
        memory_world.target = elsewhere.open
        with pytest.raises(PlanFileError, match="the plan is for memory://"):
            memory_world.apply(path)
        assert contents(elsewhere.open()) == {}

    def test_of_a_plan_whose_dry_run_was_refused(self, memory_world, path):
        prepared(memory_world).save_plan(path, max_delete=1)
        with pytest.raises(PlanFileError, match="was refused when it was made"):
            memory_world.apply(path, max_delete=1)
        assert "add" not in contents(memory_world.target())

    def test_of_a_plan_that_was_tampered_with(self, memory_world, path):
        prepared(memory_world).save_plan(path)
        path.write_text(path.read_text().replace('"key": "old1"', '"key": "same"'))
        with pytest.raises(PlanFileError, match="the action is damaged"):
            memory_world.apply(path)
        assert "same" in contents(memory_world.target())


def test_deletes_that_the_dry_run_would_have_held_back_are_held_back(tree, path):
    tree.path.joinpath("a").write_bytes(b"1")
    fill(tree.world.target(), "old")
    (tree.path / "bad\udcff").write_bytes(b"1")
    tree.world.rules["delete"] = True
    assert tree.world.save_plan(path).deletes_withheld == 1
    report = tree.world.apply(path)
    assert (report.counts, report.deletes_withheld) == (Counts(added=1), 1)
    assert "a part of a listing could not be read" in report.message
    assert set(contents(tree.world.target())) == {"a", "old"}


def test_an_error_that_nothing_survives_ends_it(state, path):
    target = Watched(Lasting(MemoryPlace().open()))
    world = prepared(World(MemoryPlace().open, lambda: target.inner, state))
    world.save_plan(path)
    world.target = lambda: target
    target.faults["copy"] = [Fault(UnauthenticatedError("expired"))] * 9
    report = world.apply(path)
    assert (report.status, report.counts.deleted, report.deletes_withheld) == ("aborted", 0, 2)


def test_a_plan_is_json_lines(memory_world, path):
    prepared(memory_world).save_plan(path)
    header, *actions, end = [json.loads(line) for line in path.read_text().splitlines()]
    assert (header["cloudsync_plan"], header["job"]) == (1, "site")
    assert [action["action"] for action in actions] == ["add", "update", "delete", "delete"]
    assert end["end"] == 4
