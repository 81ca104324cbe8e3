"""Deletes: last, limited, and only when everything before them went well (P1, P2)."""

import pytest

from cloudsync_core.backends.memory import MemoryBackend, MemoryOptions
from cloudsync_core.engine.report import EXAMPLES
from cloudsync_core.errors import (
    AccessDeniedError,
    ContainerNotFoundError,
    DeleteLimitExceededError,
    EmptySourceError,
    OverlappingLocationsError,
    UnauthenticatedError,
)
from cloudsync_core.location import Location
from cloudsync_core.models import Gap, Page
from cloudsync_core.runs import Counts
from tests.engine.stores import Watched, contents, plain, store
from tests.unit.layers.scripted import Fault
from tests.workflows.world import FilePlace, Lasting, MemoryPlace, Paged, World


@pytest.fixture
def watched(state):
    """A job between two containers whose target is watched: `world.watched`."""
    source, target = MemoryPlace(), MemoryPlace()
    watched = Watched(Lasting(target.open()))
    world = World(source.open, lambda: watched, state, {"delete": True})
    world.watched = watched
    return world


def fill(backend, *keys, data=b"content"):
    for key in keys:
        store(backend, key, data)


class TestOrder:
    def test_A05_deletes_come_after_every_transfer(self, watched):
        fill(watched.source(), *(f"new{number}" for number in range(20)), "both")
        fill(watched.watched.inner, "a-old", "both", "zz-old", data=b"old")
        watched.mirror(server_copy=False)
        verbs = [verb for verb, _ in watched.watched.calls if verb in {"put", "delete_many"}]
        assert verbs == ["put"] * 21 + ["delete_many"] * (len(verbs) - 21)
        assert len(verbs) > 21

    def test_A16_deletes_go_in_batches_of_the_stores_size(self, state):
        target = Watched(Lasting(MemoryPlace().open()), bulk_delete_max=1000)
        world = World(MemoryPlace().open, lambda: target, state, {"delete": True, "allow_empty_source": True})
        fill(target.inner, *(f"{number:04}" for number in range(2345)))
        report = world.mirror()
        assert report.counts == Counts(deleted=2345)
        assert sorted(map(len, target.called("delete_many"))) == [345, 1000, 1000]
        assert report.requests["target"]["delete"] == 3


class TestWithheld:
    def test_A06_after_a_failed_transfer_nothing_is_deleted(self, watched):
        fill(watched.source(), "a", "b")
        fill(watched.watched.inner, "old1", "old2")
        watched.watched.faults["put"] = [Fault(AccessDeniedError("no"))]
        report = watched.mirror(server_copy=False)
        assert (report.status, report.exit_code) == ("partial", 1)
        assert report.counts == Counts(added=1, failed=1)
        assert report.deletes_withheld == 2
        assert report.message == "2 deletes were held back: 1 transfers failed"
        assert {"old1", "old2"} <= set(contents(watched.watched))

    def test_and_the_next_run_makes_up_for_it(self, watched):
        self.test_A06_after_a_failed_transfer_nothing_is_deleted(watched)
        report = watched.mirror()
        assert (report.status, report.counts.deleted, report.deletes_withheld) == ("done", 2, 0)
        assert set(contents(watched.watched)) == {"a", "b"}

    def test_A07_after_a_part_of_a_listing_that_could_not_be_read_nothing_is_deleted(self, state):
        class Unreadable(Lasting):
            def list(self, prefix="", *, start_after=None, prune=None):
                yield Page.of((), (Gap("m", "cannot be listed: permission denied", subtree=True),))
                yield from super().list(prefix)

        source, target = MemoryPlace(), MemoryPlace()
        world = World(lambda: Unreadable(source.open()), target.open, state, {"delete": True})
        fill(source.open(), "a")
        fill(target.open(), "m/image", "z-old")
        report = world.mirror()
        assert (report.status, report.deletes_withheld) == ("partial", 1)
        assert report.counts == Counts(added=1, unknown=2)
        assert "a part of a listing could not be read" in report.message
        assert set(contents(target.open())) == {"a", "m/image", "z-old"}


class TestLimits:
    def world(self, watched, deletes, kept):
        fill(watched.source(), *(f"kept{number}" for number in range(kept)))
        fill(watched.watched.inner, *(f"kept{number}" for number in range(kept)))
        fill(watched.watched.inner, *(f"old{number}" for number in range(deletes)))
        return watched

    @pytest.mark.parametrize(("limit", "allowed"), [("4", False), ("5", True), ("6", True)])
    def test_A10_by_count(self, watched, limit, allowed):
        self.check(self.world(watched, 5, 5).mirror(max_delete=limit), watched, allowed)

    @pytest.mark.parametrize(("limit", "allowed"), [("49%", False), ("50%", True), ("51%", True)])
    def test_A10_by_percent(self, watched, limit, allowed):
        self.check(self.world(watched, 5, 5).mirror(max_delete=limit), watched, allowed)

    def check(self, report, watched, allowed):
        if allowed:
            assert (report.status, report.counts.deleted, len(contents(watched.watched))) == ("done", 5, 5)
            return
        assert (report.status, report.exit_code) == ("refused", 4)
        assert isinstance(report.error, DeleteLimitExceededError)
        assert (report.counts.deleted, report.deletes_withheld, len(contents(watched.watched))) == (0, 5, 10)
        assert "5 of the 10 objects of" in report.message

    def test_60_percent_that_vanish_are_refused_by_default(self, world):
        fill(world.source(), *(f"{number}" for number in range(10)))
        world.mirror(delete=True)
        for number in range(6):
            world.source().delete(f"{number}")
        report = world.mirror(delete=True, max_delete="50%")
        assert (report.status, report.exit_code, report.counts.deleted) == ("refused", 4, 0)
        assert len(contents(world.target())) == 10

    def test_what_was_transferred_before_the_refusal_is_reported(self, watched):
        self.world(watched, 5, 5)
        fill(watched.source(), "new")
        report = watched.mirror(max_delete=1)
        assert (report.status, report.counts.added) == ("refused", 1)
        assert "new" in contents(watched.watched)


class TestEmptySource:
    def test_A04_deletes_nothing(self, world):
        fill(world.target(), "a", "b")
        report = world.mirror(delete=True)
        assert (report.status, report.exit_code) == ("refused", 4)
        assert isinstance(report.error, EmptySourceError)
        assert "allow_empty_source" in report.message
        assert set(contents(world.target())) == {"a", "b"}

    def test_empties_the_target_where_the_job_allows_it(self, world):
        fill(world.target(), "a", "b")
        report = world.mirror(delete=True, allow_empty_source=True)
        assert (report.status, report.counts) == ("done", Counts(deleted=2))
        assert contents(world.target()) == {}

    def test_that_holds_only_what_the_filter_leaves_out_is_empty(self, world):
        fill(world.source(), "a.tmp")
        fill(world.target(), "a")
        assert world.mirror(delete=True, exclude=["*.tmp"]).status == "refused"

    def test_and_an_empty_target_are_no_trouble(self, world):
        report = world.mirror(delete=True)
        assert (report.status, report.counts) == ("done", Counts())

    def test_without_delete_is_no_trouble(self, world):
        fill(world.target(), "a")
        assert world.mirror().counts == Counts(unchanged=1)


class TestMissingContainer:
    def test_A04_L2_of_the_source_aborts_with_nothing_written(self, tmp_path, state):
        target = MemoryPlace()
        fill(target.open(), "a")
        missing = FilePlace(tmp_path / "missing")
        missing.path.rmdir()
        world = World(missing.open, target.open, state)
        report = world.mirror(delete=True, allow_empty_source=True)
        assert (report.status, report.exit_code) == ("aborted", 4)
        assert isinstance(report.error, ContainerNotFoundError)
        assert set(contents(target.open())) == {"a"}

    def test_L2_of_the_target_aborts(self, memory_world):
        fill(memory_world.source(), "a")
        nowhere = Location.parse("memory://nowhere")
        memory_world.target = lambda: MemoryBackend(nowhere, MemoryOptions(create=False))
        report = memory_world.mirror()
        assert (report.status, report.exit_code) == ("aborted", 4)
        assert isinstance(report.error, ContainerNotFoundError)


class TestRecheck:
    def test_A24_an_object_that_somebody_rewrote_meanwhile_stays(self, watched):
        fill(watched.source(), "new")
        fill(watched.watched.inner, "old1", "old2")
        inner = watched.watched.inner

        def rewrite(event):
            if type(event).__name__ == "ActionFinished" and event.outcome.action.key == "new":
                store(inner, "old1", b"somebody else's")

        report = watched.mirror(listener=rewrite, server_copy=False)
        assert (report.status, report.counts) == ("partial", Counts(added=1, deleted=1, failed=1))
        assert contents(inner) == {"new": b"content", "old1": b"somebody else's"}

    def test_so_it_does_on_a_store_without_conditions(self, state):
        source, target = MemoryPlace(), MemoryPlace()
        world = World(source.open, lambda: plain(target.open()), state, {"delete": True})
        fill(source.open(), "new")
        fill(target.open(), "old")

        def rewrite(event):
            if type(event).__name__ == "ActionFinished" and event.outcome.action.key == "new":
                store(target.open(), "old", b"somebody else's")

        report = world.mirror(listener=rewrite)
        assert (report.counts, contents(target.open())["old"]) == (Counts(added=1, failed=1), b"somebody else's")

    def test_A15_keys_that_a_bulk_delete_reports_as_failed_are_failed(self, watched):
        fill(watched.source(), "kept")
        fill(watched.watched.inner, "old1", "old2", "kept")
        denied = Fault(AccessDeniedError("no", operation="delete", key="old1"), keys=frozenset(["old1"]))
        watched.watched.faults["delete_many"] = [denied]
        report = watched.mirror(transfers=1)
        assert (report.status, report.counts.deleted, report.counts.failed) == ("partial", 1, 1)
        assert report.failures[0].cause == "AccessDeniedError"


class TestRecheckByListing:
    """A store without conditions that removes many objects at once."""

    @pytest.fixture
    def bulk(self, state):
        """A job that empties such a store: `bulk.watched`."""
        watched = Watched(Lasting(plain(MemoryPlace().open())), bulk_delete_max=1000)
        world = World(MemoryPlace().open, lambda: watched, state, {"delete": True, "allow_empty_source": True})
        world.watched = watched
        return world

    def test_costs_a_look_and_a_page_a_thousand_objects(self, bulk):
        fill(bulk.watched.inner, *(f"{number:04}" for number in range(2345)))
        report = bulk.mirror()
        assert (report.counts, contents(bulk.watched.inner)) == (Counts(deleted=2345), {})
        assert bulk.watched.called("stat") == ["0000", "1000", "2000"]
        assert report.requests["target"] == {"list": 3 + 3, "stat": 3, "delete": 3}

    def test_A24_what_changes_after_it_was_listed_stays(self, bulk):
        fill(bulk.source(), "new")
        fill(bulk.watched.inner, *(f"old{number}" for number in range(9)))
        inner = bulk.watched.inner

        def disturb(event):
            if type(event).__name__ == "ActionFinished" and event.outcome.action.key == "new":
                fill(inner, "old0", "old4", "appeared", data=b"somebody else's")
                inner.delete("old2")

        report = bulk.mirror(listener=disturb)
        assert (report.status, report.counts) == ("partial", Counts(added=1, deleted=7, failed=2))
        assert set(contents(inner)) == {"appeared", "new", "old0", "old4"}

    def test_looks_one_by_one_where_other_objects_lie_between(self, bulk):
        kept = [f"{number:05}" for number in range(6000) if number % 600]
        fill(bulk.source(), *kept)
        fill(bulk.watched.inner, *kept, *(f"{number:05}" for number in range(0, 6000, 600)))
        report = bulk.mirror(compare="size")
        assert report.counts == Counts(deleted=10, unchanged=len(kept))
        assert report.requests["target"]["list"] == 6 + 2
        assert set(contents(bulk.watched.inner)) == set(kept)

    def test_looks_one_by_one_in_small_batches_where_the_listing_fails(self, bulk):
        fill(bulk.watched.inner, *(f"{number:04}" for number in range(120)))
        bulk.watched.faults["list"] = [None, Fault(AccessDeniedError("no"))]
        assert bulk.mirror().counts == Counts(deleted=120)
        assert sorted(map(len, bulk.watched.called("delete_many"))) == [1, 19, 50, 50]

    def test_looks_one_by_one_where_the_order_was_broken_before(self, bulk):
        fill(bulk.watched.inner, *"abcdef")
        inner = bulk.watched
        bulk.target = lambda: Paged(inner, size=3, reorder=lambda entries: entries[::-1])
        assert bulk.mirror().counts == Counts(deleted=6)
        assert sorted(bulk.watched.called("stat")) == [*"abcdef"]
        assert contents(inner.inner) == {}

    def test_that_cannot_be_done_at_all_deletes_nothing(self, bulk):
        fill(bulk.watched.inner, *"abc")
        bulk.watched.faults["list"] = [None, Fault(AccessDeniedError("no"))]
        bulk.watched.faults["stat"] = [Fault(AccessDeniedError("no"))] * 3
        assert bulk.mirror().counts == Counts(failed=3)
        assert set(contents(bulk.watched.inner)) == set("abc")


class TestAbort:
    def test_an_error_that_nothing_survives_ends_the_run_before_its_deletes(self, watched):
        fill(watched.source(), *(f"{number:03}" for number in range(50)))
        fill(watched.watched.inner, "0-old")
        watched.watched.faults["put"] = [Fault(UnauthenticatedError("the token expired"))] * 99
        report = watched.mirror(server_copy=False)
        assert (report.status, report.exit_code, report.deletes_withheld) == ("aborted", 4, 1)
        assert "the token expired" in report.message
        assert report.counts.failed < 20, "the run went on though nothing could succeed"
        assert list(contents(watched.watched.inner)) == ["0-old"]

    def test_many_failures_are_a_small_report(self, watched):
        fill(watched.source(), *(f"{number:03}" for number in range(40)))
        watched.watched.faults["put"] = [Fault(AccessDeniedError("no", operation="put", key="k"))] * 40
        [group] = watched.mirror(server_copy=False).failures
        assert (group.cause, group.count, len(group.examples)) == ("AccessDeniedError", 40, EXAMPLES)


@pytest.mark.parametrize("inside", ["", "/sub"])
def test_D12_H07_places_that_overlap_are_refused(memory_world, inside):
    place = MemoryPlace()
    memory_world.source, memory_world.target = place.open, MemoryPlace(place.url + inside).open
    with pytest.raises(OverlappingLocationsError, match="overlap"):
        memory_world.mirror()


def test_the_sort_of_a_listing_changes_nothing_about_the_limits(watched):
    fill(watched.watched.inner, "a", "b", "c")
    fill(watched.source(), "a")
    inner = watched.watched
    watched.target = lambda: Paged(inner, reorder=lambda entries: entries[::-1])
    report = watched.mirror(max_delete=1)
    assert (report.status, report.counts.deleted, report.target_objects) == ("refused", 0, 3)
