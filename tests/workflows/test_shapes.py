"""What has no equal on the other side: links, unreadable folders, markers, names and types that do not fit."""

import errno
import os

import pytest

from cloudsync_core.backends._file_scan import Scanner
from cloudsync_core.runs import Counts
from tests.engine.stores import Shaped, content, contents, listed, store
from tests.workflows.world import NO_REQUEST_PER_OBJECT, FilePlace, MemoryPlace, World, requests_per_object


def fill(backend, *keys, data=b"content"):
    for key in keys:
        store(backend, key, b"" if key.endswith("/") else data)


@pytest.fixture
def down(tmp_path, state):
    """A job from a container into a directory: `down.path`."""
    place = FilePlace(tmp_path / "down")
    world = World(MemoryPlace().open, place.open, state, {"delete": True})
    world.path = place.path
    return world


class TestLinks:
    def test_a_link_is_reported_and_its_image_stays(self, tree):
        fill(tree.open(), "a")
        tree.path.joinpath("link").symlink_to("a")
        tree.path.joinpath("folder").symlink_to(".")
        fill(tree.world.target(), "link", "folder/x", "old")
        report = tree.world.mirror(delete=True)
        assert report.status == "done"
        assert report.counts == Counts(added=1, deleted=1, skipped=4)
        assert set(contents(tree.world.target())) == {"a", "link", "folder/x"}
        assert ("skipped", "link") in tree.world.left_out
        assert any("symbolic link" in group.cause for group in report.failures)

    def test_C22_a_link_in_the_target_is_not_written_through(self, down, tmp_path):
        outside = tmp_path / "outside"
        outside.mkdir()
        outside.joinpath("k").write_bytes(b"mine")
        down.path.joinpath("folder").symlink_to(outside)
        down.path.joinpath("k").symlink_to(outside / "k")
        fill(down.source(), "folder/k", "k", "plain")
        report = down.mirror()
        assert report.counts.added == 1
        assert report.counts.unknown + report.counts.failed + report.counts.skipped == 4
        assert outside.joinpath("k").read_bytes() == b"mine"
        assert down.path.joinpath("k").is_symlink()

    def test_C23_a_pipe_is_reported(self, tree):
        os.mkfifo(tree.path / "pipe")
        report = tree.world.mirror()
        assert (report.status, report.counts) == ("done", Counts(skipped=1))


def test_A07_a_folder_that_cannot_be_read_holds_back_all_deletes(tree, monkeypatch):
    fill(tree.open(), "a", "secret/b")
    tree.world.mirror(delete=True)
    fill(tree.world.target(), "old")
    scan = Scanner.scan

    def refuse(self, opened, base, clock_ns):
        if base == "secret/":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return scan(self, opened, base, clock_ns)

    # Not by its mode, which is nothing to the superuser.
    monkeypatch.setattr(Scanner, "scan", refuse)
    report = tree.world.mirror(delete=True)
    assert (report.status, report.deletes_withheld) == ("partial", 1)
    assert {"old", "secret/b"} <= set(contents(tree.world.target()))
    assert ("unknown", "secret") in tree.world.left_out


class TestUnmappableNames:
    NAMES = ("a//b", "../up", "/lead", ".", "a/../c", "nul\0")

    def test_P10_are_reported_and_left_alone_on_both_sides(self, down):
        fill(down.source(), "fine", *self.NAMES)
        report = down.mirror()
        assert (report.status, report.exit_code) == ("partial", 1)
        assert report.counts == Counts(added=1, unknown=len(self.NAMES))
        assert sorted(key for _, key in down.left_out) == sorted(self.NAMES)
        assert set(contents(down.target())) == {"fine"}
        assert set(contents(down.source())) == {"fine", *self.NAMES}

    def test_P5_nothing_appears_outside_the_target(self, down, tmp_path):
        fill(down.source(), *self.NAMES)
        before = sorted(tmp_path.rglob("*"))
        down.mirror()
        made = set(tmp_path.rglob("*")) - set(before)
        assert {path.parent.name for path in made} <= {"state", tmp_path.name}

    def test_hinder_no_deletes(self, down):
        fill(down.source(), "fine", "a//b")
        fill(down.target(), "old")
        assert down.mirror().counts == Counts(added=1, deleted=1, unknown=1)

    def test_that_the_source_cannot_show_have_no_image_to_delete(self, tree):
        fill(tree.world.target(), "a//b", "a/b")
        fill(tree.open(), "a/b")
        report = tree.world.mirror(delete=True)
        assert (report.counts, set(contents(tree.world.target()))) == (Counts(deleted=1, unchanged=1), {"a/b"})

    def test_C16_that_are_no_unicode_are_reported_and_hold_back_deletes(self, tree):
        (tree.path / os.fsdecode(b"bad\xff")).write_bytes(b"1")
        fill(tree.open(), "fine")
        fill(tree.world.target(), "old")
        report = tree.world.mirror(delete=True)
        assert (report.status, report.counts) == ("partial", Counts(added=1, unknown=1))
        assert report.deletes_withheld == 1
        assert set(contents(tree.world.target())) == {"fine", "old"}


class TestMarkers:
    def test_C05_an_empty_folder_survives_a_round_trip(self, tree, down, tmp_path):
        tree.path.joinpath("empty/inner").mkdir(parents=True)
        fill(tree.open(), "folder/a")
        assert tree.world.mirror().counts == Counts(added=2)
        assert set(contents(tree.world.target())) == {"empty/inner/", "folder/a"}
        back = World(tree.world.target, down.target, tmp_path / "back" / "state.db")
        assert back.mirror().counts == Counts(added=2)
        assert down.path.joinpath("empty/inner").is_dir()
        for world in (tree.world, back):
            again = world.mirror(delete=True)
            assert again.counts == Counts(unchanged=2)
            assert requests_per_object(again) == NO_REQUEST_PER_OBJECT

    def test_markers_beside_objects_are_kept_as_their_folders(self, down):
        fill(down.source(), "x/", "x/a", "y/")
        report = down.mirror()
        assert (report.status, report.counts) == ("done", Counts(added=3))
        assert set(listed(down.target())) == {"x/a", "y/"}
        again = down.mirror()
        assert (again.status, again.counts) == ("done", Counts(unchanged=2, skipped=1))

    def test_markers_of_a_store_are_carried_to_another(self, memory_world):
        fill(memory_world.source(), "x/", "x/a", "y/")
        assert memory_world.mirror().counts == Counts(added=3)
        assert memory_world.mirror(delete=True).counts == Counts(unchanged=3)

    def test_C06_a_marker_with_bytes_is_unknown_to_a_directory(self, down):
        store(down.source(), "x/", b"bytes")
        fill(down.source(), "y/a")
        store(down.source(), "y/", b"bytes")
        report = down.mirror()
        assert (report.status, report.counts) == ("partial", Counts(added=1, unknown=2))
        assert down.mirror().counts == Counts(unchanged=1, unknown=2)

    def test_C06_even_where_the_folder_is_there(self, down):
        down.path.joinpath("x").mkdir()
        store(down.source(), "x/", b"bytes")
        assert down.mirror().counts == Counts(unknown=1)

    def test_a_folder_that_becomes_empty_on_the_source_ends_up_empty(self, down):
        fill(down.source(), "x/", "x/a", "b")
        down.mirror()
        down.source().delete("x/a")
        for _ in range(2):
            down.mirror()
        assert set(listed(down.target())) == {"x/", "b"}
        assert down.mirror().counts == Counts(unchanged=2)

    def test_a_folder_that_is_filled_on_the_source_keeps_its_marker_elsewhere(self, tree):
        tree.path.joinpath("x").mkdir()
        tree.world.mirror(delete=True)
        fill(tree.open(), "x/a")
        assert tree.world.mirror(delete=True).counts == Counts(added=1, unchanged=1)
        assert tree.world.mirror(delete=True).counts == Counts(unchanged=2)


class TestC07:
    """An object where the other side has a folder."""

    @pytest.mark.parametrize("delete", [True, False])
    @pytest.mark.parametrize(("before", "after"), [("x", "x/a/b"), ("x/a/b", "x")], ids=["to-folder", "to-file"])
    def test_a_type_that_changes_on_the_source(self, down, before, after, delete):
        fill(down.source(), before, "other")
        down.mirror()
        down.source().delete(before)
        fill(down.source(), after, data=b"new")
        report = down.mirror(delete=delete)
        if delete:
            assert (report.status, report.counts) == ("done", Counts(added=1, deleted=1, unchanged=1))
            assert contents(down.target()) == contents(down.source())
            assert down.mirror().counts == Counts(unchanged=2)
        else:
            assert (report.status, report.exit_code) == ("partial", 1)
            assert report.counts.added == 0
            assert contents(down.target()) == {before: b"content", "other": b"content"}

    def test_a_marker_that_becomes_an_object(self, down):
        fill(down.source(), "x/", "other")
        down.mirror()
        down.source().delete("x/")
        fill(down.source(), "x")
        down.mirror()
        down.mirror()
        assert contents(down.target()) == contents(down.source())

    def test_both_on_the_source_are_reported_and_one_is_there(self, down):
        fill(down.source(), "x", "x/a", "other")
        report = down.mirror()
        assert report.status == "partial"
        assert report.counts.added == 2
        assert report.counts.failed + report.counts.unknown == 1
        again = down.mirror()
        assert (again.counts.added, again.counts.deleted) == (0, 0)

    def test_deletes_that_a_blocked_object_waits_for_obey_the_limits(self, down):
        fill(down.source(), "x/a", "x/b", "other")
        down.mirror()
        down.source().delete("x/a")
        down.source().delete("x/b")
        fill(down.source(), "x")
        report = down.mirror(max_delete=1)
        assert (report.status, report.counts.deleted, report.counts.failed) == ("refused", 0, 1)
        assert set(contents(down.target())) == {"other", "x/a", "x/b"}


class TestSizes:
    def test_an_object_beyond_the_targets_largest_is_reported_and_its_old_version_stays(self, state):
        source, target = MemoryPlace(), MemoryPlace()
        world = World(source.open, lambda: Shaped(target.open(), max_object_size=10), state)
        fill(source.open(), "a", "b")
        world.mirror()
        store(source.open(), "a", b"more than ten bytes")
        report = world.mirror()
        assert (report.status, report.counts) == ("partial", Counts(unchanged=1, unknown=1))
        assert content(target.open(), "a") == b"content"


@pytest.mark.parametrize("name", [".cs-0123456789ab.tmp", "x/.cs-0123456789ab.tmp"])
def test_C24_temporary_files_are_never_mirrored_into_a_directory(down, name):
    fill(down.source(), name, "a")
    report = down.mirror()
    assert (report.status, report.counts) == ("partial", Counts(added=1, unknown=1))
