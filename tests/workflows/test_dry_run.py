"""A dry run changes nothing and says what the next run does (P12)."""

import dataclasses

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudsync_core.engine.events import ActionFinished, ActionPlanned
from cloudsync_core.runs import Counts
from tests.engine.stores import Shaped, contents, listed, store
from tests.workflows.world import MemoryPlace, World

DATA = st.sampled_from([b"", b"1", b"2", b"22"])
SIDE = st.dictionaries(st.sampled_from(["a", "b", "b/c", "b/", "d", "x//y", "e.tmp", "f"]), DATA, max_size=6)


def actions_of(world, kind):
    if kind is ActionPlanned:
        found = [event.action for event in world.events if isinstance(event, ActionPlanned)]
    else:
        found = [event.outcome.action for event in world.events if isinstance(event, ActionFinished)]
    return sorted((action.kind, action.key, action.reason) for action in found)


def world_of(source, target, tmp=None, **rules):
    places = MemoryPlace(), MemoryPlace()
    for place, objects in zip(places, (source, target), strict=True):
        for key, data in objects.items():
            store(place.open(), key, data)
    return World(places[0].open, lambda: Shaped(places[1].open(), max_key_bytes=3), tmp, rules)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    source=SIDE,
    target=SIDE,
    delete=st.booleans(),
    limit=st.sampled_from(["100%", "1", "0"]),
    compare=st.sampled_from(["auto", "size", "always"]),
)
def test_P12_it_equals_the_run(source, target, delete, limit, compare):
    world = world_of(source, target, delete=delete, max_delete=limit, compare=compare, exclude=["*.tmp"])
    dry = world.mirror(dry_run=True)
    planned = actions_of(world, ActionPlanned)
    assert (contents(world.source()), contents(world.target())) == (source, target), "a dry run changed something"
    real = world.mirror()
    done = actions_of(world, ActionFinished)
    assert (dry.status, dry.counts, dry.deletes_withheld) == (real.status, real.counts, real.deletes_withheld)
    assert dry.message == real.message
    withheld = [action for action in planned if action[0] == "delete"] if real.deletes_withheld else []
    assert sorted([*done, *withheld]) == planned


class TestNothingChanges:
    def test_on_either_side_nor_in_the_state(self, world, state):
        store(world.source(), "a")
        world.mirror()
        store(world.source(), "b")
        store(world.target(), "c")
        before = listed(world.source()), listed(world.target()), state.read_bytes()
        report = world.mirror(dry_run=True, delete=True)
        assert report.counts == Counts(added=1, deleted=1, unchanged=1)
        assert (listed(world.source()), listed(world.target()), state.read_bytes()) == before

    def test_and_no_state_is_made(self, memory_world, state):
        store(memory_world.source(), "a")
        memory_world.mirror(dry_run=True)
        assert not state.parent.exists()

    def test_no_request_writes(self, memory_world):
        store(memory_world.source(), "a")
        store(memory_world.target(), "b")
        report = memory_world.mirror(dry_run=True, delete=True)
        assert {verb for verbs in report.requests.values() for verb in verbs} <= {"list", "stat", "get"}


class TestReport:
    def test_says_that_it_is_one(self, memory_world):
        assert memory_world.mirror(dry_run=True).run.dry_run

    def test_of_a_run_that_would_be_refused_is_a_refusal(self, memory_world):
        for key in "abc":
            store(memory_world.target(), key)
        store(memory_world.source(), "a")
        report = memory_world.mirror(dry_run=True, delete=True, max_delete=1)
        assert (report.status, report.exit_code, report.deletes_withheld) == ("refused", 4, 2)
        assert actions_of(memory_world, ActionPlanned) == [
            ("delete", "b", "not-on-source"),
            ("delete", "c", "not-on-source"),
        ]

    def test_tells_adds_and_updates_before_deletes(self, memory_world):
        for key in ("b", "d"):
            store(memory_world.source(), key)
        for key in ("a", "c"):
            store(memory_world.target(), key)
        memory_world.mirror(dry_run=True, delete=True)
        kinds = [event.action.kind for event in memory_world.events if isinstance(event, ActionPlanned)]
        assert kinds == ["add", "add", "delete", "delete"]


@pytest.mark.parametrize("compare", ["auto", "mtime"])
def test_it_learns_nothing(memory_world, compare):
    for backend in (memory_world.source(), memory_world.target()):
        store(backend, "a")
    first = memory_world.mirror(dry_run=True, compare=compare)
    second = memory_world.mirror(dry_run=True, compare=compare)
    assert dataclasses.asdict(first.counts) == dataclasses.asdict(second.counts)
    assert memory_world.mirror(compare="auto").counts.unchanged == 1
