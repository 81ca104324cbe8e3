"""With `backup`, nothing that was in the target before a run is lost: it is in the target, or kept aside."""

import contextlib
import dataclasses
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cloudsync_core
from cloudsync_core.backends.file import FileBackend, FileOptions
from cloudsync_core.errors import (
    AccessDeniedError,
    OverlappingLocationsError,
    PreconditionFailedError,
    UnavailableError,
)
from cloudsync_core.layers.layer import Layer
from cloudsync_core.location import Location
from cloudsync_core.models import Attributes
from cloudsync_core.runs import Counts
from cloudsync_core.workflows.restore import restore
from tests.engine.stores import Shaped, content, contents, memory, plain, store
from tests.unit.layers.scripted import Fault, Scripted
from tests.workflows.world import FilePlace, Lasting, MemoryPlace, Paged, World


class Near(World):
    """A world with a backup.

    Args:
        backup: opens a folder of the backup, "" for the whole of it.
    """

    def __init__(self, source, target, backup, state=None, **rules):
        super().__init__(source, target, state, {"backup": "memory://backup", "delete": True, **rules})
        self.backup = backup

    @contextlib.contextmanager
    def context(self, job, **options):
        with super().context(job, **options) as found:
            yield dataclasses.replace(found, open_backup=lambda folder, _: self.backup(folder))

    def restore(self, run, *, overwrite=False, dry_run=False, **rules):
        job = self.job(**rules)
        with self.context(job, dry_run=dry_run) as context:
            return restore(run, overwrite=overwrite)("restore", job, context)

    def kept(self, report):
        """Return what a run has put aside."""
        return contents(self.backup(report.run.id))


def in_memory(url=None):
    """Return what opens folders of a backup in memory."""
    url = url or MemoryPlace().url
    return lambda folder: memory(f"{url.removeprefix('memory://')}/{folder}".removesuffix("/"))


def in_directory(path):
    return lambda folder: FileBackend(Location.parse(str(path / folder)), FileOptions(fsync=False, create=True))


@pytest.fixture
def world():
    """A target with an object that will be overwritten, one that will be deleted, and one that stays."""
    world = Near(MemoryPlace().open, MemoryPlace().open, in_memory())
    for key, data in {"changed": b"old", "gone/é": b"deleted", "same": b"same"}.items():
        store(world.target(), key, data, attributes=Attributes(content_type="x/y", metadata={"who": "me"}, mtime_ns=7))
    for key, data in {"changed": b"new one", "same": b"same", "added": b"added"}.items():
        store(world.source(), key, data)
    return world


KEPT = {"changed": b"old", "gone/é": b"deleted"}
MIRRORED = {"changed": b"new one", "same": b"same", "added": b"added"}


class TestKeeping:
    def test_what_is_overwritten_or_deleted_is_kept_and_the_rest_is_not(self, world):
        report = world.mirror()
        assert report.counts == Counts(added=1, updated=1, deleted=1, unchanged=1)
        assert world.kept(report) == KEPT
        assert contents(world.target()) == MIRRORED
        assert (report.kept, report.bytes_kept) == (2, len(b"old" + b"deleted"))

    @pytest.mark.parametrize("copies", [True, False])
    def test_it_is_kept_with_its_attributes(self, world, copies):
        report = world.mirror(server_copy=copies)
        attributes = world.backup(report.run.id).stat("changed").attributes
        assert (attributes.content_type, dict(attributes.metadata), attributes.mtime_ns) == ("x/y", {"who": "me"}, 7)

    def test_the_provider_copies_where_it_can(self, world):
        target = Lasting(Scripted(world.target())).inner
        world.target = lambda: target
        assert world.mirror().kept == 2
        assert target.called("get") == target.called("read") == []

    def test_the_events_tell_what_is_kept(self, world):
        world.mirror()
        told = {event.outcome.action.key: event.outcome.kept for event in world.events if hasattr(event, "outcome")}
        assert told == {"added": False, "changed": True, "gone/é": True}

    def test_a_run_with_nothing_to_do_leaves_nothing_there(self, world):
        world.mirror()
        before = contents(world.backup(""))
        again = world.mirror()
        assert (again.kept, contents(world.backup(""))) == (0, before)

    def test_a_word_about_the_run_lies_beside_its_folder(self, world):
        report = world.mirror()
        told = json.loads(content(world.backup(""), f"{report.run.id}.json"))
        assert (told["id"], told["job"], told["objects"], told["bytes"]) == (report.run.id, "site", 2, 10)

    def test_without_delete_only_what_is_overwritten_is_kept(self, world):
        assert world.kept(world.mirror(delete=False)) == {"changed": b"old"}

    def test_each_run_has_a_folder_of_its_own(self, world):
        first = world.mirror()
        store(world.source(), "changed", b"newest one")
        second = world.mirror()
        assert world.kept(first) == KEPT
        assert world.kept(second) == {"changed": b"new one"}

    def test_empty_folders_of_a_directory_are_kept_and_come_back(self, tmp_path):
        place = FilePlace(tmp_path / "target")
        (place.path / "empty").mkdir()
        world = Near(MemoryPlace().open, place.open, in_memory(), allow_empty_source=True)
        report = world.mirror()
        assert (world.kept(report), list(place.path.iterdir())) == ({"empty/": b""}, [])
        world.restore(report.run.id)
        assert (place.path / "empty").is_dir()


class TestDryRuns:
    def test_P12_a_dry_run_counts_what_would_be_kept_and_writes_nothing(self, world):
        planned = world.mirror(dry_run=True)
        told = {event.action.key: event.kept for event in world.events if hasattr(event, "action")}
        assert told == {"added": False, "changed": True, "gone/é": True}
        assert (planned.kept, planned.bytes_kept) == (2, 10)
        assert contents(world.backup("")) == {}
        done = world.mirror()
        assert (done.kept, done.bytes_kept, done.counts) == (planned.kept, planned.bytes_kept, planned.counts)

    def test_a_saved_plan_keeps_what_it_replaces(self, world, tmp_path):
        world.save_plan(tmp_path / "plan")
        report = world.apply(tmp_path / "plan")
        assert (report.status, world.kept(report)) == ("done", KEPT)

    def test_a_plan_that_was_made_without_a_backup_is_not_applied_with_one(self, world, tmp_path):
        world.save_plan(tmp_path / "plan", backup=None)
        with pytest.raises(Exception, match="no longer defined as it was"):
            world.apply(tmp_path / "plan")


class Replacing(Layer):
    """A target in which somebody else writes `key` right before, or after, the first call of a verb for it."""

    def __init__(self, inner, verb, key, *, before=True):
        super().__init__(inner)
        self._wanted = (verb, key)
        self._before = before
        self.done = False

    def _pass(self, verb, key, do):
        due = not self.done and (verb, key) == self._wanted
        if due and self._before:
            self.done = True
            store(self.inner, key, b"somebody else's")
        result = do()
        if due and not self._before:
            self.done = True
            store(self.inner, key, b"somebody else's")
        return result

    def read(self, key, limit):
        return self._pass("read", key, lambda: self.inner.read(key, limit))


class AfterKeeping(Layer):
    """A backup: once it holds `key`, somebody else writes that in the target."""

    def __init__(self, inner, target, key):
        super().__init__(inner)
        self._target = target
        self._key = key

    def put(self, key, body, **options):
        written = self.inner.put(key, body, **options)
        if key == self._key:
            store(self._target(), key, b"somebody else's")
        return written


class TestRaces:
    @pytest.mark.parametrize("key", ["changed", "gone/é"])
    @pytest.mark.parametrize("shape", [lambda inner: inner, plain], ids=["conditions", "looks"])
    def test_what_changed_before_it_was_kept_stays(self, world, key, shape):
        target = world.target
        world.target = lambda: Replacing(shape(target()), "read", key)
        report = world.mirror(server_copy=False)
        assert report.counts.failed == 1
        assert [group.cause for group in report.failures] == [PreconditionFailedError.__name__]
        assert contents(target())[key] == b"somebody else's"
        assert key not in world.kept(report)

    @pytest.mark.parametrize("key", ["changed", "gone/é"])
    @pytest.mark.parametrize("shape", [lambda inner: inner, plain], ids=["conditions", "looks"])
    def test_what_changed_after_it_was_kept_stays_too(self, world, key, shape):
        target, backup = world.target, world.backup
        world.target = lambda: shape(target())
        world.backup = lambda folder: AfterKeeping(backup(folder), target, key)
        report = world.mirror(server_copy=False)
        assert report.counts.failed == 1
        assert contents(target())[key] == b"somebody else's"
        assert contents(backup(report.run.id))[key] == KEPT[key]

    def test_a_provider_copies_the_version_that_was_listed_or_none(self, world):
        target, backup = world.target, world.backup

        class Late(Layer):
            def copy(self, source, info, key, **options):
                store(target(), key, b"somebody else's")
                return super().copy(source, info, key, **options)

        world.backup = lambda folder: Late(backup(folder))
        report = world.mirror(delete=False)
        assert (report.counts.failed, contents(target())["changed"]) == (1, b"somebody else's")

    def test_what_is_gone_when_it_is_to_be_deleted_is_deleted(self, world):
        target = world.target

        class Vanishing(Layer):
            def read(self, key, limit):
                if key == "gone/é":
                    self.inner.delete(key)
                return self.inner.read(key, limit)

        world.target = lambda: Vanishing(target())
        report = world.mirror(server_copy=False)
        assert (report.status, report.counts.deleted, report.kept) == ("done", 1, 1)


class TestWhatCannotBeKept:
    def failing(self, world, *faults, **capabilities):
        backup = world.backup
        scripted = {}

        def opened(folder):
            if folder not in scripted:
                scripted[folder] = Lasting(Scripted(backup(folder), **capabilities))
                if folder:
                    scripted[folder].inner.faults["put"] = list(faults)
            return scripted[folder]

        world.backup = opened

    def test_P1_is_not_overwritten_and_holds_deletes_back(self, world):
        self.failing(world, Fault(UnavailableError("no", operation="put")))
        before = contents(world.target())
        report = world.mirror(server_copy=False)
        assert (report.status, report.counts.failed, report.deletes_withheld) == ("partial", 1, 1)
        assert contents(world.target()) == {**before, "added": b"added"}
        assert "could not be kept aside" in report.failures[0].examples[0]
        assert report.kept == 0

    def test_P1_is_not_deleted_and_neither_is_anything_else(self, world):
        for name in ("d1", "d2", "d3"):
            store(world.target(), name, name.encode())
        self.failing(world, None, None, Fault(UnavailableError("no", operation="put")))
        report = world.mirror(server_copy=False)
        assert (report.status, report.counts.deleted, report.counts.failed) == ("partial", 0, 1)
        assert {"d1", "d2", "d3", "gone/é"} <= set(contents(world.target()))
        assert "could not be kept aside" in report.message
        assert report.deletes_withheld == 3

    def test_the_next_run_does_what_is_left(self, world):
        backup = world.backup
        self.failing(world, Fault(UnavailableError("no", operation="put")))
        world.mirror(server_copy=False)
        world.backup = backup
        report = world.mirror(server_copy=False)
        assert (report.status, contents(world.target())) == ("done", MIRRORED)

    @pytest.mark.parametrize(
        ("longest", "name", "counts"),
        [
            (6, "changed", Counts(added=1, unchanged=1, failed=1)),
            (7, "gone/too far", Counts(added=1, updated=1, unchanged=1, failed=1)),
        ],
        ids=["an update", "a delete"],
    )
    def test_P12_a_name_that_the_place_cannot_hold_fails_by_name(self, world, longest, name, counts):
        for key in ("gone", "gone/too far"):
            store(world.target(), key, b"deleted")
        world.target().delete("gone/é")
        backup = world.backup
        world.backup = lambda folder: Shaped(backup(folder), max_key_bytes=longest)
        planned = world.mirror(dry_run=True)
        report = world.mirror()
        assert (report.status, report.counts, report.message is None) == ("partial", counts, False)
        assert (planned.counts, planned.deletes_withheld) == (report.counts, report.deletes_withheld)
        assert planned.message == report.message
        for told in (planned, report):
            assert f"/{name}: the name is longer than {longest} bytes" in told.failures[0].examples[0]
        assert {"gone", "gone/too far"} <= set(contents(world.target()))

    def test_a_backup_that_nobody_may_write_ends_the_run(self, world):
        self.failing(world, *[Fault(AccessDeniedError("no", operation="put"))] * 5)
        report = world.mirror(server_copy=False)
        assert report.status in {"aborted", "partial"}
        assert {key: contents(world.target())[key] for key in KEPT} == KEPT

    def test_a_word_that_cannot_be_written_fails_nothing(self, world):
        backup = world.backup

        class Mute(Layer):
            def put(self, key, body, **options):
                if key.endswith(".json"):
                    raise UnavailableError("no", operation="put", key=key)
                return super().put(key, body, **options)

        world.backup = lambda folder: Mute(backup(folder))
        report = world.mirror()
        assert (report.status, world.kept(report)) == ("done", KEPT)


def test_from_python(tmp_path):
    for name, text in {"source/a": "new one", "target/a": "old"}.items():
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text)
    report = cloudsync_core.mirror(
        str(tmp_path / "source"), str(tmp_path / "target"), backup=str(tmp_path / "aside"), state=None
    )
    assert (tmp_path / "aside" / report.run.id / "a").read_text() == "old"
    assert (report.kept, (tmp_path / "target/a").read_text()) == (1, "new one")


class TestInsideTheTarget:
    @pytest.fixture
    def nested(self, world, tmp_path):
        place = MemoryPlace()
        for key, data in contents(world.target()).items():
            store(place.open(), key, data)
        world.target = place.open
        world.backup = in_memory(f"{place.url}/old")
        world.state = tmp_path / "state.db"
        return world

    def test_it_is_left_alone_on_both_sides(self, nested):
        store(nested.source(), "old/of the source", b"left alone")
        store(nested.target(), "older", b"deleted")
        report = nested.mirror()
        assert nested.kept(report) == {**KEPT, "older": b"deleted"}
        for _ in range(2):
            assert nested.mirror().counts == Counts(unchanged=3)
        assert nested.kept(report) == {**KEPT, "older": b"deleted"}
        assert "old/of the source" not in contents(nested.target())

    def test_A09_a_job_without_it_any_more_does_not_delete_it_unasked(self, nested):
        report = nested.mirror()
        again = nested.mirror(backup=None)
        assert (again.status, again.counts.deleted) == ("partial", 0)
        assert nested.kept(report) == KEPT

    def test_it_is_brought_back_from_there(self, nested):
        report = nested.mirror()
        back = nested.restore(report.run.id, overwrite=True)
        assert back.counts == Counts(added=1, updated=1, unchanged=2)
        found = {key: data for key, data in contents(nested.target()).items() if not key.startswith("old/")}
        assert found == {**MIRRORED, **KEPT}

    def test_in_a_directory(self, tmp_path):
        place = FilePlace(tmp_path / "target")
        store(place.open(), "x", b"x")
        world = Near(MemoryPlace().open, place.open, in_directory(place.path / "a" / "old"), allow_empty_source=True)
        report = world.mirror()
        assert world.kept(report) == {"x": b"x"}
        again = world.mirror()
        assert (again.counts.deleted, world.kept(report)) == (0, {"x": b"x"})


class TestOverlaps:
    @pytest.mark.parametrize(
        ("place", "reason"),
        [
            ("memory://box/source", "the source"),
            ("memory://box/source/in", "the source"),
            ("memory://box", "the source"),
            ("memory://box/around/target", "is, or lies around, the target"),
            ("memory://box/around", "is, or lies around, the target"),
        ],
    )
    def test_a_place_that_would_mix_with_a_side_is_refused(self, place, reason):
        sides = MemoryPlace("memory://box/source"), MemoryPlace("memory://box/around/target")
        world = Near(*(side.open for side in sides), in_memory(place))
        with pytest.raises(OverlappingLocationsError, match=reason):
            world.mirror()

    def test_a_neighbour_with_a_longer_name_is_none(self):
        world = Near(
            MemoryPlace("memory://next/source").open, MemoryPlace("memory://next/t").open, in_memory("memory://next/to")
        )
        assert world.mirror(allow_empty_source=True).status == "done"


class TestListingsThatLie:
    def test_A11_what_was_kept_before_the_run_begins_anew_is_kept_once(self, world):
        target = world.target
        for number in range(6):
            store(world.source(), f"changed{number}", b"new one")
            store(target(), f"changed{number}", b"old")
        swapped = lambda entries: [*entries[:-2], entries[-1], entries[-2]]
        world.target = lambda: Paged(target(), size=2, reorder=swapped)
        report = world.mirror()
        assert report.status == "done", report.failures
        assert world.kept(report) == {**KEPT, **{f"changed{number}": b"old" for number in range(6)}}


NAMES = st.sampled_from(["a", "b", "c/d", "c/e", "é", "z.tmp"])
EDITS = st.lists(st.tuples(st.sampled_from(["source", "target"]), NAMES, st.binary(max_size=3)), max_size=8)
REMOVALS = st.lists(st.tuples(st.sampled_from(["source", "target"]), NAMES), max_size=4)


class TestRandomHistories:
    """Nothing that was in the target before a run is lost."""

    @pytest.mark.parametrize("kind", ["memory", "plain", "directory", "inside"])
    @settings(max_examples=15, deadline=None)
    @given(rounds=st.lists(st.tuples(EDITS, REMOVALS), min_size=1, max_size=4))
    def test_what_was_there_is_there_or_kept(self, kind, rounds):
        with tempfile.TemporaryDirectory() as path:
            folder = Path(path)
            inner = FilePlace(folder / "t") if kind == "directory" else MemoryPlace()
            target = (lambda: plain(inner.open())) if kind == "plain" else inner.open
            backup = in_memory(f"{inner.url}/kept" if kind == "inside" else None)
            if kind == "directory":
                backup = in_directory(folder / "kept")
            world = Near(MemoryPlace().open, target, backup, folder / "state.db", allow_empty_source=True)
            for edits, removals in rounds:
                for side, key, data in edits:
                    store(getattr(world, side)(), key, data)
                for side, key in removals:
                    getattr(world, side)().delete(key)
                before = self.objects(world)
                report = world.mirror()
                after, kept = self.objects(world), world.kept(report) if report.kept else {}
                lost = {key: data for key, data in before.items() if data not in (after.get(key), kept.get(key))}
                assert (report.status, lost) == ("done", {})
                replaced = {key for key in before if after.get(key) != before[key]}
                assert replaced <= set(kept)
                if kept:
                    world.restore(report.run.id, overwrite=True)
                    assert self.objects(world) == {**after, **kept}

    @staticmethod
    def objects(world):
        found = contents(world.target())
        return {key: data for key, data in found.items() if not key.startswith("kept/") and not key.endswith("/")}


class TestRestoring:
    def test_what_is_there_is_left_alone_unless_told(self, world):
        run = world.mirror().run.id
        report = world.restore(run)
        assert (report.status, report.counts) == ("partial", Counts(added=1, failed=1, unchanged=2))
        assert contents(world.target()) == {**MIRRORED, "gone/é": b"deleted"}
        again = world.restore(run, overwrite=True)
        assert (again.status, again.counts) == ("done", Counts(updated=1, unchanged=3))
        assert contents(world.target()) == {**MIRRORED, **KEPT}

    def test_it_comes_back_with_what_it_carried(self, world):
        run = world.mirror().run.id
        world.restore(run)
        attributes = world.target().stat("gone/é").attributes
        assert (attributes.content_type, dict(attributes.metadata), attributes.mtime_ns) == ("x/y", {"who": "me"}, 7)

    def test_P12_a_dry_run_says_the_same_and_writes_nothing(self, world):
        run = world.mirror().run.id
        before = contents(world.target())
        planned = world.restore(run, dry_run=True)
        assert contents(world.target()) == before
        assert planned.counts == world.restore(run).counts

    def test_only_what_the_patterns_want(self, world):
        run = world.mirror().run.id
        assert world.restore(run, overwrite=True, include=["gone/"]).counts == Counts(added=1)

    def test_what_changes_meanwhile_is_not_overwritten(self, world):
        run = world.mirror().run.id
        target = world.target
        world.target = lambda: Shaped(target(), listed=self.meanwhile(target))
        report = world.restore(run, overwrite=True, server_copy=False)
        assert report.counts.failed == 1
        assert contents(target())["changed"] == b"somebody else's"

    @staticmethod
    def meanwhile(target):
        def listed(info):
            if info.key == "changed":
                store(target(), "changed", b"somebody else's")
            return info

        return listed

    def test_the_backup_itself_is_no_target(self, world):
        run = world.mirror().run.id
        for place in ("", "elsewhere", run):
            target = lambda place=place: world.backup(place)
            mixed = Near(world.source, target, world.backup)
            with pytest.raises(OverlappingLocationsError):
                mixed.restore(run)

    def test_A11_a_listing_that_lies_is_sorted(self, world):
        run = world.mirror().run.id
        target = world.target
        world.target = lambda: Paged(target(), size=2, reorder=lambda entries: entries[::-1])
        report = world.restore(run, overwrite=True)
        assert (report.status, contents(target())) == ("done", {**MIRRORED, **KEPT})
