"""Both sides of a run: protected, counted, and closed at the end."""

import dataclasses

import pytest

from cloudsync_core.body import Body
from cloudsync_core.errors import OverlappingLocationsError, UnavailableError, UnsupportedOperationError
from cloudsync_core.layers.layer import Layer
from cloudsync_core.models import IF_ABSENT
from cloudsync_core.workflows.sides import open_sides
from tests.engine.stores import contents, store
from tests.unit.layers.scripted import Fault, Scripted
from tests.workflows.world import MemoryPlace, World


class Closable(Layer):
    closed = False

    def close(self):
        self.closed = True


@pytest.fixture
def opened(state):
    """Open the sides of a world, and hand out the world, the sides and what is below them."""
    below = {"source": Closable(MemoryPlace().open()), "target": Closable(MemoryPlace().open())}
    world = World(lambda: below["source"], lambda: below["target"], state)
    world.below = below
    return world


def writes(backend, info):
    return {
        "put": lambda: backend.put("k", Body(b"1"), condition=IF_ABSENT),
        "copy": lambda: backend.copy(backend, info, "k"),
        "delete": lambda: backend.delete("k"),
        "delete_many": lambda: list(backend.delete_many([("k", None)])),
    }


class TestProtection:
    @pytest.mark.parametrize(("side", "dry_run"), [("source", False), ("source", True), ("target", True)])
    @pytest.mark.parametrize("verb", ["put", "copy", "delete", "delete_many"])
    def test_P12_what_must_not_be_written_cannot_be(self, opened, side, dry_run, verb):
        info = store(opened.below[side].inner, "k", b"old")
        job = opened.job()
        with opened.context(job, dry_run=dry_run) as context, open_sides(job, context) as sides:
            write = writes(getattr(sides, side), info)[verb]
            with pytest.raises(UnsupportedOperationError, match="read-only"):
                write()
        assert contents(opened.below[side].inner) == {"k": b"old"}

    def test_the_target_of_a_run_is_written(self, opened):
        job = opened.job()
        with opened.context(job) as context, open_sides(job, context) as sides:
            store(sides.target, "k", b"1")
        assert contents(opened.below["target"].inner) == {"k": b"1"}


def test_both_are_closed_at_the_end_even_of_a_run_that_cannot_start(opened):
    opened.below["target"] = Closable(opened.below["source"].inner)
    with pytest.raises(OverlappingLocationsError):
        opened.mirror()
    assert opened.below["source"].closed
    assert opened.below["target"].closed


def test_every_attempt_is_counted_by_side_and_verb(state):
    source, target = MemoryPlace(), Scripted(MemoryPlace().open())
    store(source.open(), "k")
    target.faults["put"] = [Fault(UnavailableError("busy"))]
    report = World(source.open, lambda: target, state).mirror(retries=3, server_copy=False)
    assert report.requests == {"source": {"list": 1, "get": 2}, "target": {"list": 1, "put": 2}}


def test_a_target_may_be_made_by_a_mirror_and_not_by_a_check(memory_world):
    asked = []

    def note(side, create):
        asked.append((side, create))
        return memory_world.source() if side == "source" else memory_world.target()

    job = memory_world.job()
    with memory_world.context(job) as context:
        for create_target in (True, False):
            with open_sides(job, dataclasses.replace(context, open=note), create_target=create_target):
                pass
    assert asked == [("source", False), ("target", True), ("source", False), ("target", False)]
