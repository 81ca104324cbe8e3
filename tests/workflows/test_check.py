"""A check says what differs, by content, and changes nothing."""

import dataclasses

import pytest

from cloudsync_core.engine.events import DifferenceFound
from cloudsync_core.engine.executor import Stop
from cloudsync_core.errors import CancelledError, ListingOrderError, UnavailableError
from cloudsync_core.workflows.check import check
from tests.engine.stores import POOR, Shaped, bare, contents, listed, store, without_digests
from tests.unit.layers.scripted import Fault, Scripted
from tests.workflows.world import FilePlace, MemoryPlace, Paged, World


def fill(backend, objects):
    for key, data in objects.items():
        store(backend, key, data)


def found(world):
    return [(event.kind, event.key) for event in world.events if isinstance(event, DifferenceFound)]


def numbers(report):
    return {
        name: value
        for name in ("same", "differ", "only_on_source", "only_on_target", "unknown", "skipped")
        if (value := getattr(report, name))
    }


def blind(place):
    """Return a store that reports no digest and is not read locally."""
    return lambda: Shaped(place.open(), listed=bare, known=without_digests, **POOR)


@pytest.fixture
def blind_world(state):
    return World(blind(MemoryPlace()), blind(MemoryPlace()), state)


class TestVerdict:
    @pytest.mark.parametrize("download", [False, True])
    def test_equal_sides_are_equal(self, world, download):
        objects = {"a": b"1", "b/c": b"22", "empty": b""}
        fill(world.source(), objects)
        fill(world.target(), objects)
        report = world.check(download=download)
        assert (report.equal, report.exit_code, numbers(report), found(world)) == (True, 0, {"same": 3}, [])

    @pytest.mark.parametrize("download", [False, True])
    def test_every_difference_is_told_in_key_order(self, world, download):
        fill(world.source(), {"same": b"1", "size": b"1", "bytes": b"1", "new": b"1"})
        fill(world.target(), {"same": b"1", "size": b"22", "bytes": b"2", "old": b"1"})
        report = world.check(download=download)
        assert (report.equal, report.exit_code) == (False, 1)
        assert numbers(report) == {"same": 1, "differ": 2, "only_on_source": 1, "only_on_target": 1}
        assert found(world) == [
            ("differs", "bytes"),
            ("only-on-source", "new"),
            ("only-on-target", "old"),
            ("differs", "size"),
        ]

    def test_two_empty_sides_are_equal(self, world):
        assert world.check().equal

    def test_excluded_objects_are_out_of_the_question(self, world):
        fill(world.source(), {"a": b"1", "x.tmp": b"1"})
        fill(world.target(), {"a": b"1", "y.tmp": b"1"})
        assert world.check(exclude=["*.tmp"]).equal


class TestWithoutDigests:
    def test_what_cannot_be_told_without_a_download_is_unknown(self, blind_world):
        fill(blind_world.source(), {"a": b"1", "empty": b"", "size": b"1"})
        fill(blind_world.target(), {"a": b"1", "empty": b"", "size": b"22"})
        report = blind_world.check()
        assert (report.equal, report.exit_code) == (False, 1)
        assert numbers(report) == {"same": 1, "unknown": 1, "differ": 1}
        [unknown] = [event for event in blind_world.events if isinstance(event, DifferenceFound) and event.key == "a"]
        assert (unknown.kind, "--download" in unknown.reason) == ("unknown", True)

    def test_a_download_tells(self, blind_world):
        fill(blind_world.source(), {"a": b"1", "b": b"1"})
        fill(blind_world.target(), {"a": b"1", "b": b"2"})
        assert numbers(blind_world.check(download=True)) == {"same": 1, "differ": 1}

    def test_a_download_does_not_believe_digests(self, state):
        source, target = MemoryPlace(), MemoryPlace()
        fill(source.open(), {"a": b"1"})
        fill(target.open(), {"a": b"2"})
        truth = listed(source.open())["a"].digests

        def lying(info):
            return dataclasses.replace(info, digests=truth)

        world = World(source.open, lambda: Shaped(target.open(), listed=lying, known=lying), state)
        assert world.check().equal
        assert not world.check(download=True).equal


class TestNothingChanges:
    def test_on_either_side_nor_in_the_state(self, world, state):
        fill(world.source(), {"a": b"1", "b": b"1"})
        fill(world.target(), {"a": b"2", "c": b"1"})
        before = contents(world.source()), contents(world.target())
        world.check(download=True)
        assert (contents(world.source()), contents(world.target())) == before
        assert not state.parent.exists()

    def test_the_base_is_not_believed(self, memory_world):
        fill(memory_world.source(), {"a": b"1"})
        memory_world.mirror()
        fill(memory_world.target(), {"a": b"2"})
        assert numbers(memory_world.check()) == {"differ": 1}


class TestShapes:
    def test_a_link_is_skipped(self, tree):
        tree.path.joinpath("link").symlink_to("nowhere")
        report = tree.world.check()
        assert (report.equal, numbers(report)) == (True, {"skipped": 1})

    def test_an_unmappable_key_makes_no_equality(self, tmp_path, state):
        world = World(MemoryPlace().open, FilePlace(tmp_path / "down").open, state)
        fill(world.source(), {"a//b": b"1"})
        report = world.check()
        assert (report.equal, numbers(report)) == (False, {"unknown": 1})


class TestTrouble:
    @pytest.mark.parametrize("side", ["source", "target"])
    def test_a_listing_that_fails_is_no_result(self, memory_world, side):
        fill(memory_world.source(), {"a": b"1"})
        error = UnavailableError("reset")
        opened = getattr(memory_world, side)
        setattr(memory_world, side, lambda: Paged(opened(), fail_after=0, error=error))
        report = memory_world.check()
        assert (report.equal, report.exit_code, report.error) == (False, 4, error)
        assert found(memory_world) == []

    def test_A11_a_listing_out_of_order_is_sorted(self, memory_world):
        objects = dict.fromkeys("abcdefg", b"1")
        fill(memory_world.source(), objects)
        fill(memory_world.target(), objects)
        opened = memory_world.target
        memory_world.target = lambda: Paged(opened(), reorder=lambda entries: entries[::-1])
        report = memory_world.check()
        assert (report.equal, numbers(report)) == (True, {"same": 7})

    def test_A21_a_key_that_comes_twice_is_no_result(self, memory_world):
        fill(memory_world.source(), {"a": b"1"})
        opened = memory_world.source
        memory_world.source = lambda: Paged(opened(), reorder=lambda entries: entries * 2)
        report = memory_world.check()
        assert (report.equal, report.exit_code) == (False, 4)
        assert isinstance(report.error, ListingOrderError)

    def test_an_interrupt_is_no_result(self, memory_world):
        fill(memory_world.source(), {"a": b"1"})
        stop = Stop()
        stop.interrupt()
        job = memory_world.job()
        with memory_world.context(job, dry_run=True, stop=stop) as context:
            report = check(job, context, download=False)
        assert (report.equal, report.exit_code) == (False, 130)
        assert isinstance(report.error, CancelledError)

    def test_an_object_that_cannot_be_read_is_unknown(self, state):
        source, target = MemoryPlace(), MemoryPlace()
        fill(source.open(), {"a": b"1", "b": b"1"})
        fill(target.open(), {"a": b"1", "b": b"1"})
        reading = Scripted(source.open())
        reading.faults["get"] = [Fault(UnavailableError("down"))]
        report = World(lambda: reading, target.open, state).check(download=True, transfers=1)
        assert (report.equal, numbers(report)) == (False, {"same": 1, "unknown": 1})


def test_a_report_is_the_same_as_json(memory_world):
    fill(memory_world.source(), {"a": b"1"})
    report = memory_world.check()
    assert report.to_dict() == {
        **dict.fromkeys(["same", "differ", "only_on_target", "unknown", "skipped"], 0),
        "only_on_source": 1,
        "message": None,
        "equal": False,
        "exit_code": 1,
    }
