"""A directory lists in key order, page by page, and reads no directory that nobody asked for."""

import contextlib
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudsync_core import keys
from cloudsync_core.backends._file_scan import Scanner
from cloudsync_core.backends._file_walk import PAGE_SIZE
from cloudsync_core.backends.file import FileBackend
from cloudsync_core.location import Location
from cloudsync_core.testing.clauses.setting import content, store

NAMES = st.sampled_from(["a", "b", "a.", "a-", "a0", "A", "\u00e9", "\ufffd", "\U00010000", " ", "b+"])
PATHS = st.lists(st.lists(NAMES, min_size=1, max_size=4).map("/".join), max_size=8)


def make(place, files, folders):
    """Make what can be made of a tree, and return the files and empty folders that it then holds."""
    for folder in folders:
        (place / folder).mkdir(parents=True, exist_ok=True)
    for file in files:
        with contextlib.suppress(FileExistsError, NotADirectoryError, IsADirectoryError):
            (place / file).parent.mkdir(parents=True, exist_ok=True)
            (place / file).touch()
    held = [(path, str(path.relative_to(place))) for path in place.rglob("*")]
    return {key for path, key in held if path.is_file()} | {
        f"{key}/" for path, key in held if path.is_dir() and not any(path.iterdir())
    }


class TestOrder:
    @settings(max_examples=30, deadline=None)
    @given(paths=PATHS, folders=PATHS, after=st.lists(NAMES, max_size=3).map("/".join))
    def test_L1_any_tree_lists_in_the_order_of_utf8_bytes(self, paths, folders, after):
        with tempfile.TemporaryDirectory() as place:
            wanted = make(Path(place), paths, folders)
            backend = FileBackend(Location.parse(place))
            ordered = sorted(wanted, key=str.encode)
            assert self.listed(backend) == ordered
            assert self.listed(backend, start_after=after) == [key for key in ordered if key > after]
            below = [key for key in ordered if key.startswith(keys.folder(after))]
            assert self.listed(backend, after) == below
            assert self.listed(backend, after, start_after=after + "/a") == [key for key in below if key > after + "/a"]

    @staticmethod
    def listed(backend, prefix="", **hints):
        pages = list(backend.list(prefix, **hints))
        assert [gap for page in pages for gap in page.gaps] == []
        return [key for page in pages for key in page.keys]

    def test_L1_a_large_directory_comes_in_pages(self, tree):
        count = 2 * PAGE_SIZE + 17
        for number in range(count):
            (tree.path / f"{number:05}").touch()
        pages = list(tree.open().list())
        assert [len(page) for page in pages] == [PAGE_SIZE, PAGE_SIZE, 17]
        assert [key for page in pages for key in page.keys] == [f"{number:05}" for number in range(count)]
        assert [page[0].key for page in pages] == ["00000", "01000", "02000"]

    def test_L1_empty_folders_fill_pages_too(self, tree):
        for number in range(PAGE_SIZE + 5):
            (tree.path / f"{number:05}").mkdir()
        pages = list(tree.open().list())
        assert [len(page) for page in pages] == [PAGE_SIZE, 5]
        assert pages[0].keys[0] == "00000/"

    def test_L1_gaps_fill_pages_too(self, tree):
        for number in range(PAGE_SIZE + 5):
            (tree.path / f"{number:05}").symlink_to("nowhere")
        assert [len(page.gaps) for page in tree.open().list()] == [PAGE_SIZE, 5]

    def test_C12_hundreds_of_nested_folders_are_listed(self, tree):
        key = "/".join(["d"] * 300) + "/file"
        backend = tree.open(fsync=False)
        store(backend, key, b"deep")
        assert tree.keys(backend) == [key]
        assert content(backend, key) == b"deep"
        backend.delete(key)
        assert tree.everything() == []


class TestWhatIsNotRead:
    @pytest.fixture
    def read(self, monkeypatch):
        """Return the folders that listings have read."""
        seen = []
        scan = Scanner.scan

        def noting(self, opened, base, clock_ns):
            seen.append(base)
            return scan(self, opened, base, clock_ns)

        monkeypatch.setattr(Scanner, "scan", noting)
        return seen

    @pytest.fixture
    def full_tree(self, tree):
        tree.write("a/x", "b/c/x", "b/d/x", "b/e/x", "f/x")
        for _ in tree.open().list():
            pass  # the files are older than their times are fine: no directory is read twice
        return tree

    def test_every_folder_is_read_once(self, full_tree, read):
        assert len(full_tree.keys(full_tree.open())) == 5
        assert sorted(read) == ["", "a/", "b/", "b/c/", "b/d/", "b/e/", "f/"]

    def test_pruned_folders_are_not_read(self, full_tree, read):
        asked = []

        def prune(folder):
            asked.append(folder)
            return folder in {"a", "b/d"}

        assert full_tree.keys(full_tree.open(), prune=prune) == ["b/c/x", "b/e/x", "f/x"]
        assert read == ["", "b/", "b/c/", "b/e/", "f/"]
        assert asked == ["a", "b", "b/c", "b/d", "b/e", "f"]

    def test_folders_before_start_after_are_not_read(self, full_tree, read):
        assert full_tree.keys(full_tree.open(), start_after="b/d/x") == ["b/e/x", "f/x"]
        assert read == ["", "b/", "b/d/", "b/e/", "f/"]

    def test_folders_beside_the_prefix_are_not_read(self, full_tree, read):
        assert full_tree.keys(full_tree.open(), "b/d") == ["b/d/x"]
        assert read == ["b/d/"]

    def test_a_prefix_that_start_after_leaves_behind_is_not_read(self, full_tree, read):
        assert full_tree.keys(full_tree.open(), "b", start_after="c") == []
        assert read == []


class TestPrefix:
    @pytest.mark.parametrize("prefix", ["..", "../root", "a/../b", "a//b", "/", "./a", "missing", "file", "file/below"])
    def test_C02_a_prefix_that_is_no_folder_of_the_tree_lists_nothing(self, tree, prefix):
        tree.write("file", "b/x", "a/y")
        (tree.path.parent / "outside").touch()
        assert tree.keys(tree.open(), prefix) == []

    def test_L1_the_marker_of_an_empty_prefix_is_under_it(self, tree):
        (tree.path / "empty").mkdir()
        assert tree.keys(tree.open(), "empty") == ["empty/"]
        assert tree.keys(tree.open(), start_after="empty/") == []
        assert tree.keys(tree.open(), start_after="empty") == ["empty/"]

    def test_L1_the_root_has_no_marker(self, tree):
        assert list(tree.open().list()) == []


class TestRows:
    def test_a_row_tells_size_time_and_version(self, tree):
        tree.write("file", data=b"12345")
        os.utime(tree.path / "file", ns=(0, 1_234_567_890_123_456_789))
        [page] = tree.open().list()
        [row] = page
        assert (row.size, row.modified_ns) == (5, 1_234_567_890_123_456_789)
        assert row.attributes.mtime_ns == 1_234_567_890_123_456_789
        assert row == tree.open().stat("file")
        assert row.version.etag == row.fingerprint
