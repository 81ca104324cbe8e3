"""Which directory a location means, when it is made, and how it is recognised."""

import errno
import os
import shutil
from pathlib import Path

import pytest

from cloudsync_core.backends import _file_leftovers
from cloudsync_core.backends._file_root import KEPT_FOLDERS, Root
from cloudsync_core.backends.file import FileBackend, FileOptions
from cloudsync_core.errors import (
    ConfigError,
    ContainerNotFoundError,
    Disposition,
    InvalidKeyError,
    ObjectNotFoundError,
    UnavailableError,
)
from cloudsync_core.location import Location
from cloudsync_core.testing.clauses.setting import content, names, store


def open_descriptors():
    return {link.name for link in Path("/proc/self/fd").iterdir()}


def opened(text, **options):
    return FileBackend(Location.parse(text), FileOptions(**options))


def test_T1_another_thread_may_make_the_root_first(tree, monkeypatch):
    backend = opened(f"{tree.path}/new", create=True)
    really, met = os.open, []

    def late(path, *args, **kwargs):
        if not met:
            met.append(path)
            store(backend, "theirs", b"theirs")
            raise FileNotFoundError(errno.ENOENT, "no such file or directory", path)
        return really(path, *args, **kwargs)

    monkeypatch.setattr("os.open", late)
    with pytest.raises(ObjectNotFoundError):
        backend.stat("ours")
    assert met == [f"{tree.path}/new"]
    assert names(backend) == ["theirs"]


class TestLocation:
    def test_a_url_and_a_path_are_one_place(self, tree, monkeypatch):
        monkeypatch.chdir(tree.path.parent)
        places = [f"file://{tree.path}", str(tree.path), "root", "./root/", "root/../root", f"{tree.path}//"]
        assert {opened(place).identity for place in places} == {opened(str(tree.path)).identity}

    def test_a_link_to_a_directory_is_that_directory(self, tree):
        (tree.path.parent / "link").symlink_to("root")
        assert opened(str(tree.path.parent / "link")).identity == tree.open().identity

    def test_a_directory_overlaps_what_lies_in_it_and_no_namesake(self, tree):
        here = tree.open().identity
        assert here.overlaps(opened(f"{tree.path}/inner").identity)
        assert opened("/").identity.overlaps(here)
        assert not here.overlaps(opened(f"{tree.path}-2").identity)
        assert (here.namespace, here.root) == ("file", f"{os.path.realpath(tree.path)}/")

    def test_the_location_is_shown_whole(self, tree, monkeypatch):
        monkeypatch.chdir(tree.path)
        assert opened("public").location == f"file://{tree.path}/public"
        assert opened(f"file://{tree.path}").location == f"file://{tree.path}"

    def test_a_tilde_is_a_name(self, tree, monkeypatch):
        monkeypatch.chdir(tree.path)
        tree.write("~/file")
        assert names(opened("~")) == ["file"]

    @pytest.mark.parametrize("text", ["", "file://", "a\0b"])
    def test_what_is_no_path_is_a_wrong_configuration(self, text):
        with pytest.raises(ConfigError, match="no path of a directory"):
            opened(text)

    def test_C16_a_python_that_would_alter_names_is_refused(self, tree, monkeypatch):
        monkeypatch.setattr("sys.getfilesystemencoding", lambda: "iso-8859-1")
        with pytest.raises(ConfigError, match="iso-8859-1") as caught:
            tree.open()
        assert "PYTHONUTF8=1" in str(caught.value)


class TestMissingRoot:
    def test_L2_a_missing_directory_raises_and_says_where(self, tree):
        with pytest.raises(ContainerNotFoundError, match="there is no such directory") as caught:
            names(opened(f"{tree.path}/missing"))
        assert f"{tree.path}/missing" in str(caught.value)

    def test_L2_a_file_is_no_directory(self, tree):
        tree.write("file")
        for options in ({}, {"create": True}):
            with pytest.raises(ContainerNotFoundError, match="it is no directory"):
                names(opened(f"{tree.path}/file", **options))

    def test_P12_a_directory_that_may_be_made_is_empty_until_the_first_put(self, tree):
        backend = opened(f"{tree.path}/new/deeper", create=True)
        assert names(backend) == []
        assert names(backend, "folder") == []
        with pytest.raises(ObjectNotFoundError):
            backend.stat("file")
        with pytest.raises(ObjectNotFoundError):
            content(backend, "file")
        backend.delete("file")
        assert tree.everything() == []
        store(backend, "folder/file")
        assert names(backend) == ["folder/file"]
        assert tree.everything() == ["new", "new/deeper", "new/deeper/folder", "new/deeper/folder/file"]

    def test_P12_a_marker_makes_it_too(self, tree):
        backend = opened(f"{tree.path}/new", create=True)
        store(backend, "folder/", b"")
        assert names(backend) == ["folder/"]


class TestRootThatChanges:
    @pytest.mark.parametrize("create", [False, True])
    def test_A03_a_directory_that_went_is_missing_and_not_made_again(self, tree, create):
        backend = tree.open(create=create)
        store(backend, "file")
        shutil.rmtree(tree.path)
        for operation in (
            lambda: names(backend),
            lambda: backend.stat("file"),
            lambda: content(backend, "file"),
            lambda: store(backend, "file"),
            lambda: backend.delete("file"),
        ):
            with pytest.raises(ContainerNotFoundError):
                operation()
        assert not tree.path.exists()

    def test_A03_another_directory_in_its_place_is_not_taken_for_it(self, tree):
        backend = tree.open()
        store(backend, "file")
        tree.path.rename(tree.path.parent / "old")
        tree.path.mkdir()
        for operation in (
            lambda: names(backend),
            lambda: backend.stat("file"),
            lambda: content(backend, "file"),
            lambda: store(backend, "file"),
            lambda: backend.delete("file"),
        ):
            backend.close()
            with pytest.raises(UnavailableError, match="another directory has taken the place") as caught:
                operation()
            assert caught.value.disposition is Disposition.ABORT
        assert tree.everything() == []

    def test_A03_a_folder_that_was_kept_open_is_that_of_the_old_directory(self, tree):
        backend = tree.open()
        store(backend, "file", b"old")
        tree.path.rename(tree.path.parent / "old")
        tree.write("file", data=b"new")
        assert backend.read("file", 100).read() == b"old"
        store(backend, "other")
        assert [path.name for path in tree.path.iterdir()] == ["file"]
        assert (tree.path / "file").read_bytes() == b"new"


class TestFolders:
    def test_are_kept_in_bounded_number_and_let_go(self, tree):
        root = Root(str(tree.path), create=False, sync=True)
        before = open_descriptors()
        for number in range(KEPT_FOLDERS * 2):
            root.in_made_folder(f"{number}", lambda folder: folder.sync())
        # Each has a second descriptor, to be made durable by.
        assert len(open_descriptors() - before) <= 2 * KEPT_FOLDERS
        root.let_go()
        assert open_descriptors() == before

    def test_C22_a_link_that_takes_the_place_of_a_kept_folder_leads_nobody_astray(self, tree, tmp_path):
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        (elsewhere / "file").write_bytes(b"not ours")
        backend = tree.open()
        store(backend, "folder/file", b"ours")
        assert backend.read("folder/file", 100).read() == b"ours"
        (tree.path / "folder").rename(tree.path / "moved")
        (tree.path / "folder").symlink_to(elsewhere)
        assert backend.read("folder/file", 100).read() == b"ours"
        store(backend, "folder/new")
        assert sorted(path.name for path in elsewhere.iterdir()) == ["file"]
        backend.close()
        with pytest.raises(InvalidKeyError, match="symbolic link"):
            backend.read("folder/file", 100)
        with pytest.raises(InvalidKeyError, match="symbolic link"):
            store(backend, "folder/newer")

    def test_a_kept_folder_that_was_replaced_is_found_again(self, tree):
        backend = tree.open()
        store(backend, "folder/file", b"old")
        assert backend.read("folder/file", 100).read() == b"old"
        shutil.rmtree(tree.path / "folder")
        tree.write("folder/other")
        assert backend.read("folder/other", 100).size == (tree.path / "folder/other").stat().st_size
        shutil.rmtree(tree.path / "folder")
        store(backend, "folder/file", b"new")
        assert (tree.path / "folder/file").read_bytes() == b"new"

    def test_a_folder_that_others_always_remove_ends_the_put_and_not_the_patience(self, tree):
        root = Root(str(tree.path), create=False, sync=False)
        made = []

        def lose(opened):
            made.append((tree.path / "a/b").is_dir())
            shutil.rmtree(tree.path / "a")
            raise FileNotFoundError

        with pytest.raises(UnavailableError, match="removed again and again"):
            root.in_made_folder("a/b", lose)
        assert len(made) > 10
        assert all(made)


class TestLeftovers:
    @pytest.fixture
    def left(self, tree):
        tree.write(".cs-0123456789ab.tmp", "folder/.cs-ba9876543210.tmp", "file")
        return tree

    def test_P6_a_young_temporary_file_belongs_to_somebody(self, left):
        backend = left.open()
        names(backend)
        store(backend, "new")
        assert ".cs-0123456789ab.tmp" in left.everything()

    def test_P6_an_abandoned_one_is_removed_by_the_next_write(self, left, monkeypatch):
        monkeypatch.setattr(_file_leftovers, "_AGE_NS", 0)
        backend = left.open()
        names(backend)
        assert ".cs-0123456789ab.tmp" in left.everything(), "a listing changed what it listed"
        store(backend, "new")
        assert left.everything() == ["file", "folder", "new"]

    def test_P6_a_delete_removes_them_too(self, left, monkeypatch):
        monkeypatch.setattr(_file_leftovers, "_AGE_NS", 0)
        backend = left.open()
        names(backend)
        backend.delete("file")
        assert left.everything() == ["folder"]

    def test_C24_a_file_of_the_user_that_looks_nearly_so_is_kept(self, tree, monkeypatch):
        monkeypatch.setattr(_file_leftovers, "_AGE_NS", 0)
        kept = [".cs-0123456789AB.tmp", ".cs-0123456789ab.tmp.txt", ".cs-0123456789abc.tmp"]
        tree.write(*kept)
        backend = tree.open()
        assert names(backend) == sorted(kept)
        store(backend, "new")
        assert tree.everything() == sorted([*kept, "new"])
