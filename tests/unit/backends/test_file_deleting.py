"""A delete removes exactly one object, and the folders that it leaves empty."""

import os

import pytest

from cloudsync_core.errors import AccessDeniedError, InvalidKeyError


class TestFolders:
    def test_emptied_folders_go_up_to_the_root(self, tree):
        tree.write("a/b/c/file")
        tree.open().delete("a/b/c/file")
        assert tree.path.is_dir()
        assert tree.everything() == []

    def test_folders_that_hold_anything_stay(self, tree):
        tree.write("a/b/c/file")
        (tree.path / "a/link").symlink_to("nowhere")
        tree.open().delete("a/b/c/file")
        assert tree.everything() == ["a", "a/link"]

    def test_A17_a_marker_is_removed_only_where_its_folder_is_empty(self, tree):
        tree.write("full/file")
        (tree.path / "empty/inner").mkdir(parents=True)
        backend = tree.open()
        backend.delete("full/")
        backend.delete("empty/")
        assert tree.everything() == ["empty", "empty/inner", "full", "full/file"]
        backend.delete("empty/inner/")
        assert tree.everything() == ["full", "full/file"]

    def test_an_empty_folder_is_not_removed_by_its_name_without_slash(self, tree):
        (tree.path / "empty").mkdir()
        tree.open().delete("empty")
        assert tree.everything() == ["empty"]

    def test_a_file_is_not_removed_by_its_name_with_a_slash(self, tree):
        tree.write("file")
        tree.open().delete("file/")
        assert tree.everything() == ["file"]


class TestContainment:
    @pytest.fixture
    def outside(self, tree):
        outside = tree.path.parent / "outside"
        (outside / "empty").mkdir(parents=True)
        (outside / "file").touch()
        return outside

    @pytest.mark.parametrize("key", ["../outside/file", "..", ".", "a/../../outside/file", "/etc/passwd", "a//b"])
    def test_C01_no_key_leads_outside(self, tree, outside, key):
        tree.write("a/b")
        with pytest.raises(InvalidKeyError):
            tree.open().delete(key)
        assert (outside / "file").exists()
        assert tree.everything() == ["a", "a/b"]

    @pytest.mark.parametrize("symlinks", ["skip", "follow"])
    def test_C22_nothing_is_removed_behind_a_link(self, tree, outside, symlinks):
        (tree.path / "link").symlink_to(outside)
        for key in ("link/file", "link/empty/", "link/missing", "link/"):
            with pytest.raises(InvalidKeyError, match="symbolic link"):
                tree.open(symlinks=symlinks).delete(key)
        assert sorted(path.name for path in outside.iterdir()) == ["empty", "file"]
        assert tree.everything() == ["link"]


class TestWhatIsNoFile:
    def test_a_link_that_is_left_out_is_not_removed(self, tree):
        (tree.path / "link").symlink_to("nowhere")
        with pytest.raises(InvalidKeyError, match="a symbolic link here, which is not removed"):
            tree.open().delete("link")
        assert tree.everything() == ["link"]

    def test_a_link_that_is_followed_goes_and_what_it_leads_to_stays(self, tree):
        tree.write("file")
        (tree.path / "link").symlink_to("file")
        tree.open(symlinks="follow").delete("link")
        assert tree.everything() == ["file"]

    def test_C23_a_pipe_is_not_removed(self, tree):
        os.mkfifo(tree.path / "pipe")
        with pytest.raises(InvalidKeyError, match="a named pipe"):
            tree.open().delete("pipe")
        assert tree.everything() == ["pipe"]

    def test_E1_a_folder_without_permission_is_access_denied(self, unprivileged_tree):
        tree = unprivileged_tree
        tree.write("closed/file")
        (tree.path / "closed").chmod(0o500)
        with pytest.raises(AccessDeniedError):
            tree.open().delete("closed/file")
        assert tree.everything() == ["closed", "closed/file"]
