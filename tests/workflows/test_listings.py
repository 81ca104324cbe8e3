"""Listings that fail, lie about their order, or cannot tell: nothing is deleted on doubt."""

import gc
import random
import threading
import time

import pytest

from cloudsync_core.errors import ListingOrderError, UnavailableError
from cloudsync_core.runs import Counts
from tests.engine.stores import contents, plain, store
from tests.workflows.world import MemoryPlace, Paged, World


@pytest.fixture
def places():
    return MemoryPlace(), MemoryPlace()


def fill(backend, names, data=b"content"):
    for name in names:
        store(backend, name, data)


def threads_of_listings():
    return [thread for thread in threading.enumerate() if thread.name == "cloudsync-list"]


class TestFailures:
    @pytest.mark.parametrize("side", ["source", "target"])
    @pytest.mark.parametrize("page", [0, 1, 2, 5])
    def test_A01_A25_an_error_on_any_page_deletes_nothing_and_exits_4(self, places, state, side, page):
        source, target = places
        fill(source.open(), [f"{number:02}" for number in range(8)])
        fill(target.open(), [f"{number:02}" for number in range(4, 12)])
        error = UnavailableError("the connection was reset", operation="list", location="memory://x")
        failing = {side: lambda: Paged(opened(places, side), fail_after=page, error=error)}
        world = World(**{"source": source.open, "target": target.open, **failing}, state=state)
        report = world.mirror(delete=True)
        assert (report.status, report.exit_code, report.counts.deleted) == ("aborted", 4, 0)
        assert report.error is error
        assert {f"{number:02}" for number in range(4, 12)} <= set(contents(target.open()))

    def test_what_was_added_until_then_is_reported(self, places, state):
        source, target = places
        fill(source.open(), "abcdef")
        error = UnavailableError("reset")
        world = World(lambda: Paged(source.open(), fail_after=2, error=error), target.open, state)
        report = world.mirror()
        assert report.counts == Counts(added=len(contents(target.open())))
        world.source = source.open
        assert world.mirror().counts == Counts(added=6 - report.counts.added, unchanged=report.counts.added)

    def test_the_other_sides_listing_ends_though_the_report_keeps_the_error(self, places, state):
        source, target = places
        fill(source.open(), "ab")
        fill(target.open(), [f"z{number:03}" for number in range(100)])
        error = UnavailableError("reset")
        world = World(lambda: Paged(source.open(), fail_after=1, error=error), lambda: Paged(target.open()), state)
        report = world.mirror()
        assert report.error.__traceback__ is not None
        gc.disable()
        try:
            deadline = time.monotonic() + 10
            while threads_of_listings():
                assert time.monotonic() < deadline, "a listing goes on after the run"
                time.sleep(0.01)
        finally:
            gc.enable()


def opened(places, side):
    return places[side == "target"].open()


SHUFFLES = {
    "reversed": lambda entries: entries[::-1],
    "shuffled": lambda entries: random.Random(7).sample(entries, len(entries)),
    "last-pair-swapped": lambda entries: [*entries[:-2], *entries[-2:][::-1]],
    "walk-order": lambda entries: sorted(entries, key=lambda info: info.key.split("/")),
}


@pytest.mark.parametrize("reorder", SHUFFLES.values(), ids=SHUFFLES)
@pytest.mark.parametrize("sides", [["source"], ["target"], ["source", "target"]], ids="+".join)
@pytest.mark.parametrize("admits", [True, False], ids=["admits-it", "claims-order"])
class TestDisorder:
    """A11: servers list in an order of their own, and some say so."""

    NAMES = ("a/b", "a-b", "a.b", "a", "b/c/d", "b/c-d", "z", "\u00e9")

    @pytest.fixture
    def world(self, places, state, reorder, sides, admits):
        opened = {side: place.open for side, place in zip(("source", "target"), places, strict=True)}
        for side in sides:
            opened[side] = lambda open_place=opened[side]: Paged(
                open_place(), reorder=reorder, size=3, ordered_listing=not admits
            )
        return World(**opened, state=state, rules={"delete": True})

    def test_converges_with_the_right_counts(self, world, places):
        source, target = (place.open() for place in places)
        fill(source, self.NAMES)
        fill(target, ["a/b", "a-b", "old", "b/old"], b"other")
        report = world.mirror()
        assert (report.status, contents(target)) == ("done", contents(source))
        assert report.counts == Counts(added=6, updated=2, deleted=2)
        assert report.target_objects == 4
        again = world.mirror()
        assert again.counts == Counts(unchanged=len(self.NAMES))

    def test_of_stores_without_evidence_converges_too(self, world, places):
        """What the first pass wrote is met again in the second, and must not be counted twice."""
        source, target = (place.open() for place in places)
        fill(source, self.NAMES)
        poor = World(
            lambda: plain(world.source(), ordered_listing=world.source().capabilities.ordered_listing),
            lambda: plain(world.target(), ordered_listing=world.target().capabilities.ordered_listing),
            world.state,
            world.rules,
        )
        report = poor.mirror()
        assert (report.status, contents(target)) == ("done", contents(source))
        assert report.counts == Counts(added=len(self.NAMES))

    def test_counts_a_job_that_transfers_everything_once(self, world, places):
        source, target = (place.open() for place in places)
        fill(source, self.NAMES)
        report = world.mirror(compare="always")
        assert report.counts.added == len(self.NAMES)
        assert min(vars_of(report.counts)) >= 0
        assert sum(vars_of(report.counts)) == len(self.NAMES)
        assert contents(target) == contents(source)


def vars_of(counts):
    return [getattr(counts, name) for name in counts.__slots__]


class TestDuplicates:
    @pytest.mark.parametrize("side", ["source", "target"])
    def test_A21_a_key_that_a_listing_shows_twice_aborts_the_run(self, places, state, side):
        source, target = places
        fill(source.open(), "abc")
        fill(target.open(), "bcd")
        opened = {"source": source.open, "target": target.open}
        opened[side] = lambda open_place=opened[side]: Paged(
            open_place(), reorder=lambda entries: [*entries, entries[0]]
        )
        report = World(**opened, state=state).mirror(delete=True)
        assert (report.status, report.exit_code, report.counts.deleted) == ("aborted", 4, 0)
        assert isinstance(report.error, ListingOrderError)
        assert "came twice" in report.message
        assert "d" in contents(target.open())
