"""Random histories: whatever happens to both sides between runs, a run repairs it, and the next finds nothing to do.

The oracle is the catalogue's T4: after each run the target is the filtered source, plus the target's own excluded
objects, minus what was reported; counts add up; a second run does nothing.
"""

import contextlib
import itertools
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudsync_core import keys
from cloudsync_core.errors import BackendError, KeyBlockedError
from cloudsync_core.runs import Counts
from tests.engine.stores import contents, plain, store
from tests.workflows.world import NO_REQUEST_PER_OBJECT, FilePlace, MemoryPlace, Paged, World, requests_per_object

FLAT = st.sampled_from(["a", "b", "b.c", "b-c", "c/d", "c/e/f", "c-d", "x.tmp", "c/x.tmp", "é", "z"])
WILD = FLAT | st.sampled_from(["b/", "b/c", "c/", "c/d/", "c/e", "a//b", "/a", "..", "c/../d", "n\nl"])
EXCLUDE = ("*.tmp",)
serial = itertools.count()


def edits(names):
    """Return what happens between two runs: each a side, an operation and a key."""
    return st.lists(
        st.tuples(
            st.sampled_from(["source", "source", "target"]),
            st.sampled_from(["write", "same-size", "touch", "delete"]),
            names,
        ),
        max_size=6,
    )


def happen(world, history):
    for side, operation, key in history:
        backend = getattr(world, side)()
        if operation == "delete":
            backend.delete(key)
            continue
        here = contents(backend)
        if keys.is_marker(key):
            data = b""
        elif operation == "touch":
            data = here.get(key, b"first")
        else:
            # Every content is another, so that nothing is right by chance.
            data = f"{next(serial):06}".encode() + b"!" * (operation == "write") * (next(serial) % 3)
        store(backend, key, data)


def in_scope(objects):
    return {key: data for key, data in objects.items() if not key.endswith(".tmp")}


def out_of_scope(objects):
    return {key: data for key, data in objects.items() if key.endswith(".tmp")}


def total(counts):
    return sum(getattr(counts, name) for name in Counts.__slots__)


class TestFlatNames:
    """Names that every store can hold beside each other: after a run the target *is* the filtered source."""

    def check(self, world, rounds):
        for history in rounds:
            happen(world, history)
            excluded = out_of_scope(contents(world.target()))
            before = in_scope(contents(world.target()))
            source = in_scope(contents(world.source()))
            report = world.mirror(delete=True, exclude=EXCLUDE, allow_empty_source=True)
            assert (report.status, report.failures) == ("done", [])
            assert contents(world.target()) == {**source, **excluded}
            assert total(report.counts) == len({*source, *before})
            assert report.counts.added == len(set(source) - set(before))
            assert report.counts.deleted == len(set(before) - set(source))
            assert report.counts.updated >= sum(before[key] != source[key] for key in set(before) & set(source))
            again = world.mirror(delete=True, exclude=EXCLUDE, allow_empty_source=True)
            assert again.counts == Counts(unchanged=len(source))
            assert (again.bytes_transferred, requests_per_object(again)) == (0, NO_REQUEST_PER_OBJECT)

    @settings(max_examples=25, deadline=None)
    @given(rounds=st.lists(edits(FLAT), min_size=1, max_size=4), remember=st.booleans())
    def test_memory_to_memory(self, rounds, remember):
        with tempfile.TemporaryDirectory() as directory:
            state = Path(directory) / "state.db"
            world = World(MemoryPlace().open, MemoryPlace().open, state)
            if not remember:
                happen(world, rounds[0])
                world.mirror(exclude=EXCLUDE)
                state.unlink()
            self.check(world, rounds)

    @settings(max_examples=20, deadline=None)
    @given(rounds=st.lists(edits(FLAT), min_size=1, max_size=3))
    def test_stores_that_give_no_evidence(self, rounds):
        with tempfile.TemporaryDirectory() as directory:
            places = MemoryPlace(), MemoryPlace()
            sides = (lambda place=place: plain(place.open()) for place in places)
            self.check(World(*sides, Path(directory) / "state.db"), rounds)

    @settings(max_examples=20, deadline=None)
    @given(rounds=st.lists(edits(FLAT), min_size=1, max_size=3), side=st.sampled_from(["source", "target"]))
    def test_A11_servers_that_lie_about_their_order(self, rounds, side):
        with tempfile.TemporaryDirectory() as directory:
            sides = {"source": MemoryPlace().open, "target": MemoryPlace().open}
            honest = World(**sides, state=Path(directory) / "state.db")
            sides[side] = lambda opened=sides[side]: Paged(opened(), size=3, reorder=lambda found: found[::-1])
            lying = World(**sides, state=honest.state)
            for history in rounds:
                happen(honest, history)
                source, before = (in_scope(contents(place())) for place in (honest.source, honest.target))
                report = lying.mirror(delete=True, exclude=EXCLUDE, allow_empty_source=True)
                assert in_scope(contents(honest.target())) == source
                assert total(report.counts) == len({*source, *before})
                assert report.target_objects == len(before)
                assert lying.mirror(delete=True, exclude=EXCLUDE).counts == Counts(unchanged=len(source))

    @pytest.mark.parametrize("directory", ["source", "target"])
    @settings(max_examples=12, deadline=None)
    @given(rounds=st.lists(edits(FLAT), min_size=1, max_size=3))
    def test_with_a_directory(self, directory, rounds):
        with tempfile.TemporaryDirectory() as place:
            sides = {"source": MemoryPlace, "target": MemoryPlace}
            sides[directory] = lambda: FilePlace(Path(place) / "files")
            world = World(sides["source"]().open, sides["target"]().open, Path(place) / "state.db")
            self.check(world, rounds)


class TestWildNames:
    """Names that exclude each other in a tree, or that it cannot hold: what is missing was reported."""

    @settings(max_examples=20, deadline=None)
    @given(rounds=st.lists(edits(WILD), min_size=1, max_size=4))
    def test_memory_to_memory_knows_no_difference(self, rounds):
        with tempfile.TemporaryDirectory() as directory:
            TestFlatNames().check(World(MemoryPlace().open, MemoryPlace().open, Path(directory) / "state.db"), rounds)

    @settings(max_examples=25, deadline=None)
    @given(rounds=st.lists(edits(WILD), min_size=1, max_size=3))
    def test_memory_into_a_directory(self, rounds):
        place = Path(tempfile.mkdtemp())
        try:
            world = World(MemoryPlace().open, FilePlace(place / "files").open, place / "state.db")
            for history in rounds:
                for step in history:
                    # What a directory cannot hold, nobody can put there either.
                    with contextlib.suppress(*([BackendError] if step[0] == "target" else [])):
                        happen(world, [step])
                self.check_round(world)
        finally:
            shutil.rmtree(place)

    def check_round(self, world):
        rules = {"delete": True, "exclude": EXCLUDE, "allow_empty_source": True}
        source = in_scope(contents(world.source()))
        first = world.mirror(**rules)
        assert first.status in {"done", "partial"}
        # A folder that the deletes of this run have emptied may need its marker from the next.
        second = world.mirror(**rules)
        target = in_scope(contents(world.target()))
        reported = {key for status, key in world.left_out} | self.failed_keys(world)
        assert set(source) - set(target) <= reported
        assert set(target) <= set(source)
        assert all(source[key] == data for key, data in target.items())
        third = world.mirror(**rules)
        assert (third.counts.added, third.counts.updated, third.counts.deleted) == (0, 0, 0)
        assert third.status == second.status
        assert (third.status == "done") == (not third.counts.unknown and not third.counts.failed)

    def failed_keys(self, world):
        found = [event.outcome for event in world.events if type(event).__name__ == "ActionFinished"]
        assert {outcome.cause for outcome in found if outcome.status == "failed"} <= {
            KeyBlockedError.__name__,
            "InvalidKeyError",
        }
        return {outcome.action.key for outcome in found if outcome.status == "failed"}
