"""What a mirror makes of the target, whatever the two stores are."""

import dataclasses
import os

import pytest

from cloudsync_core.engine.progress import Progress
from cloudsync_core.models import Attributes
from cloudsync_core.runs import Counts
from tests.engine.stores import Shaped, content, listed, plain, store
from tests.workflows.world import NO_REQUEST_PER_OBJECT, FilePlace, MemoryPlace, World, requests_per_object

TREE = {
    "a.txt": b"1",
    "empty": b"",
    "folder/b.bin": bytes(range(256)) * 5000,
    "folder/deep/er/c": b"2",
    "folder-2/d": b"3",
    "spaces and \u00e9\u0301\U0001f600/*?[x]#%41": b"4",
    "new\nline": b"5",
}


def fill(backend, objects=TREE):
    for key, data in objects.items():
        store(backend, key, data)


class TestConvergence:
    def test_everything_is_added_to_an_empty_target(self, world):
        fill(world.source())
        report = world.mirror()
        assert (report.status, report.exit_code, report.counts) == ("done", 0, Counts(added=len(TREE)))
        assert world.contents() == (TREE, TREE)
        assert report.failures == []

    def test_changes_of_every_kind_are_followed(self, world):
        fill(world.source())
        world.mirror(delete=True)
        source = world.source()
        store(source, "a.txt", b"other")
        store(source, "folder/new", b"new")
        source.delete("folder-2/d")
        report = world.mirror(delete=True)
        assert report.counts == Counts(added=1, updated=1, deleted=1, unchanged=len(TREE) - 2)
        expected = {**TREE, "a.txt": b"other", "folder/new": b"new"}
        del expected["folder-2/d"]
        assert world.contents() == (expected, expected)

    def test_without_delete_nothing_is_deleted(self, world):
        fill(world.source())
        world.mirror()
        world.source().delete("a.txt")
        report = world.mirror()
        assert report.counts == Counts(unchanged=len(TREE))
        assert content(world.target(), "a.txt") == b"1"

    def test_bytes_and_proofs_are_reported(self, world):
        fill(world.source())
        report = world.mirror(server_copy=False)
        assert report.bytes_transferred == sum(map(len, TREE.values()))
        assert sum(report.verified.values()) == len(TREE)
        assert set(report.verified) <= {"md5", "readback", "size"}

    def test_modification_times_survive(self, world):
        store(world.source(), "k", attributes=Attributes(mtime_ns=1_234_567_890_000_000_000))
        world.mirror()
        target = world.target().stat("k")
        assert target.attributes.mtime_ns == 1_234_567_890_000_000_000


class TestP7:
    def test_a_second_run_transfers_deletes_and_asks_nothing(self, world):
        fill(world.source())
        world.mirror(delete=True)
        report = world.mirror(delete=True)
        assert report.counts == Counts(unchanged=len(TREE))
        assert report.bytes_transferred == 0
        assert requests_per_object(report) == NO_REQUEST_PER_OBJECT

    def test_so_does_one_after_a_first_run_that_found_everything_equal(self, world):
        fill(world.source())
        fill(world.target())
        report = world.mirror(delete=True)
        assert report.counts == Counts(unchanged=len(TREE))
        assert requests_per_object(world.mirror(delete=True)) == NO_REQUEST_PER_OBJECT

    def test_B19_what_was_learnt_is_remembered_whatever_the_digests(self, state):
        places = MemoryPlace(), MemoryPlace()
        world = World(*(lambda place=place: plain(place.open()) for place in places), state)
        fill(world.source())
        assert world.mirror().counts.added == len(TREE)
        assert requests_per_object(world.mirror()) == NO_REQUEST_PER_OBJECT


class TestChanges:
    def test_B01_an_edit_of_the_same_size_with_an_older_time_is_transferred(self, tree):
        tree.path.joinpath("k").write_bytes(b"new")
        assert tree.world.mirror().counts.added == 1
        tree.path.joinpath("k").write_bytes(b"old")
        os.utime(tree.path / "k", (1, 1))
        report = tree.world.mirror()
        assert (report.counts, content(tree.world.target(), "k")) == (Counts(updated=1), b"old")

    def test_B07_an_edit_right_after_a_run_that_keeps_size_and_time_is_transferred(self, tree):
        path = tree.path / "k"
        path.write_bytes(b"one")
        status = path.stat()
        for data in (b"two", b"six", b"ten"):
            assert tree.world.mirror().counts.failed == 0
            path.write_bytes(data)
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
            tree.world.mirror()
            assert content(tree.world.target(), "k") == data

    def test_B04_a_touch_transfers_nothing(self, tree):
        tree.path.joinpath("k").write_bytes(b"content")
        tree.world.mirror()
        os.utime(tree.path / "k", (1, 1))
        report = tree.world.mirror()
        assert (report.counts, report.bytes_transferred) == (Counts(unchanged=1), 0)
        assert requests_per_object(tree.world.mirror()) == NO_REQUEST_PER_OBJECT

    @pytest.mark.parametrize("tampered", [b"changed", b"CONTENT"], ids=["other-size", "same-size"])
    def test_H08_a_target_that_drifted_is_repaired(self, world, tampered):
        store(world.source(), "k", b"content")
        world.mirror()
        store(world.target(), "k", tampered)
        report = world.mirror()
        assert (report.counts, content(world.target(), "k")) == (Counts(updated=1), b"content")

    def test_H08_a_target_object_that_is_gone_is_added_again(self, world):
        store(world.source(), "k", b"content")
        world.mirror()
        world.target().delete("k")
        assert world.mirror().counts == Counts(added=1)

    @pytest.mark.parametrize(("compare", "found"), [("auto", False), ("checksum", True), ("always", True)])
    def test_a_target_that_rotted_behind_its_fingerprint_is_found_by_those_who_look_again(self, state, compare, found):
        def frozen(info):
            return dataclasses.replace(info, fingerprint="never changes")

        source, target = MemoryPlace(), MemoryPlace()
        world = World(source.open, lambda: Shaped(target.open(), listed=frozen, known=frozen), state)
        store(source.open(), "k", b"content")
        world.mirror()
        store(target.open(), "k", b"rotten!")
        report = world.mirror(compare=compare)
        assert report.counts == (Counts(updated=1) if found else Counts(unchanged=1))
        assert content(target.open(), "k") == (b"content" if found else b"rotten!")

    def test_B18_mtime_follows_a_time_in_either_direction(self, world):
        for mtime in (2_000, 1_000, 3_000):
            store(world.source(), "k", b"x", attributes=Attributes(mtime_ns=mtime * 10**9))
            report = world.mirror(compare="mtime")
            assert report.counts.added + report.counts.updated == 1

    def test_equal_times_under_mtime_are_no_proof_to_auto(self, world):
        same = Attributes(mtime_ns=1_000 * 10**9)
        store(world.source(), "k", b"source", attributes=same)
        store(world.target(), "k", b"target", attributes=same)
        assert world.mirror(compare="mtime").counts == Counts(unchanged=1)
        assert world.mirror(compare="auto").counts == Counts(updated=1)
        assert content(world.target(), "k") == b"source"


class TestP9:
    EXCLUDE = ("*.tmp", "cache/")

    def test_excluded_objects_stay_as_they_are_on_both_sides(self, world):
        for key in ("a", "a.tmp", "cache/x", "sub/cache/y"):
            store(world.source(), key, b"source")
        for key in ("b", "b.tmp", "cache/z", "a.tmp"):
            store(world.target(), key, b"target")
        report = world.mirror(delete=True, exclude=self.EXCLUDE)
        assert report.counts == Counts(added=1, deleted=1)
        assert world.contents()[1] == dict.fromkeys(["a.tmp", "b.tmp", "cache/z"], b"target") | {"a": b"source"}
        assert report.target_objects == 1

    def test_A08_a_filter_that_is_added_later_deletes_nothing(self, world):
        fill(world.source())
        world.mirror(delete=True)
        report = world.mirror(delete=True, exclude=["folder/"])
        assert report.counts == Counts(unchanged=len(TREE) - 2)
        assert world.contents() == (TREE, TREE)

    def test_include_limits_the_deletes_too(self, world):
        fill(world.target())
        store(world.source(), "folder/b.bin", b"1")
        report = world.mirror(delete=True, include=["folder/"])
        assert report.counts == Counts(updated=1, deleted=1)
        assert set(TREE) - set(world.contents()[1]) == {"folder/deep/er/c"}

    def test_the_state_inside_the_source_is_not_mirrored(self, tmp_path):
        place = FilePlace(tmp_path / "here")
        world = World(place.open, MemoryPlace().open, place.path / ".cloudsync" / "state.db")
        store(place.open(), "k")
        world.mirror(delete=True)
        assert list(listed(world.target())) == ["k"]
        assert world.mirror(delete=True).counts == Counts(unchanged=1)


class TestPrefixes:
    def test_A23_a_sibling_that_begins_alike_is_another_place(self, state):
        source, target = MemoryPlace(), MemoryPlace()
        for key in ("foo/x", "foobar/x"):
            store(source.open(), key, key.encode())
            store(target.open(), f"to/{key}", b"old")
        inner = World(MemoryPlace(f"{source.url}/foo").open, MemoryPlace(f"{target.url}/to/foo").open, state)
        assert inner.mirror(delete=True).counts == Counts(updated=1)
        assert content(target.open(), "to/foo/x") == b"foo/x"
        assert content(target.open(), "to/foobar/x") == b"old"


class TestAttributes:
    def test_user_metadata_and_headers_survive_between_object_stores(self, memory_world):
        attributes = Attributes("text/x", "max-age=1", "gzip", "inline", "de", 5, {"owner": "web"})
        store(memory_world.source(), "k", attributes=attributes)
        for server_copy in (True, False):
            memory_world.mirror(server_copy=server_copy, compare="always")
            assert memory_world.target().stat("k").attributes == attributes

    def test_what_a_directory_holds_gets_the_type_of_its_name_and_the_rules_headers(self, tree):
        tree.path.joinpath("a.html").write_text("1")
        tree.path.joinpath("b.css").write_text("2")
        tree.world.mirror(headers=[{"match": ["*.html"], "cache_control": "no-cache", "metadata": {"by": "us"}}])
        found = {key: tree.world.target().stat(key).attributes for key in ("a.html", "b.css")}
        assert [(found[key].content_type, found[key].cache_control) for key in found] == [
            ("text/html", "no-cache"),
            ("text/css", None),
        ]
        assert found["a.html"].metadata == {"by": "us"}


def test_progress_ends_where_the_report_does(world):
    fill(world.source())
    progress = Progress()
    report = world.mirror(progress=progress, server_copy=False)
    assert (progress.phase, progress.source_listed, progress.target_listed) == ("done", len(TREE), 0)
    assert progress.planned_objects == progress.done_objects == report.counts.added
    assert progress.planned_bytes == progress.done_bytes == report.bytes_transferred
