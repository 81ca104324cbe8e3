"""What a listing of a directory cannot present is a gap, never an absence; what fails as a whole raises."""

import os
import shutil
import socket

import pytest

from cloudsync_core.errors import AccessDeniedError, ContainerNotFoundError, Disposition, UnavailableError
from cloudsync_core.testing.clauses.setting import content, store


class TestSymbolicLinksSkipped:
    def test_P10_a_link_is_skipped_with_all_that_may_lie_behind_it(self, tree):
        tree.write("file", "folder/x")
        for name, target in {"to-file": "file", "to-folder": "folder", "broken": "nowhere"}.items():
            (tree.path / name).symlink_to(target)
        backend = tree.open()
        assert tree.keys(backend) == ["file", "folder/x"]
        gaps = tree.gaps(backend)
        assert sorted(gaps) == ["broken", "to-file", "to-folder"]
        assert {(gap.kind, gap.subtree, gap.reason) for gap in gaps.values()} == {("skipped", True, "a symbolic link")}

    def test_P10_a_link_is_a_gap_although_start_after_lies_behind_it(self, tree):
        (tree.path / "link").symlink_to("nowhere")
        assert list(tree.gaps(tree.open(), start_after="link/x")) == ["link"]

    def test_P10_a_prefix_behind_a_link_is_a_gap(self, tree):
        tree.write("folder/deep/x")
        (tree.path / "link").symlink_to("folder")
        for prefix in ("link", "link/deep"):
            assert tree.keys(tree.open(), prefix) == []
            assert tree.gaps(tree.open(), prefix)[prefix].subtree

    def test_a_folder_with_nothing_but_a_link_has_no_marker(self, tree):
        (tree.path / "folder").mkdir()
        (tree.path / "folder/link").symlink_to("nowhere")
        assert tree.keys(tree.open()) == []
        assert list(tree.gaps(tree.open())) == ["folder/link"]

    def test_the_root_itself_may_be_a_link(self, tree):
        tree.write("file")
        (tree.path.parent / "link").symlink_to("root")
        tree.path = tree.path.parent / "link"
        assert tree.keys(tree.open()) == ["file"]


class TestSymbolicLinksFollowed:
    def test_links_are_listed_as_what_they_lead_to(self, tree):
        (tree.path.parent / "outside/deep").mkdir(parents=True)
        (tree.path.parent / "outside/deep/x").write_bytes(b"123")
        tree.write("file")
        (tree.path / "a-link").symlink_to("file")
        (tree.path / "folder").symlink_to(tree.path.parent / "outside")
        assert tree.keys(tree.open(symlinks="follow")) == ["a-link", "file", "folder/deep/x"]
        assert tree.keys(tree.open(symlinks="follow"), "folder/deep") == ["folder/deep/x"]

    @pytest.mark.parametrize("target", ["..", ".", "../.."])
    def test_C20_a_link_to_a_folder_above_is_a_gap(self, tree, target):
        tree.write("folder/inner/file")
        (tree.path / "folder/inner/up").symlink_to(target)
        backend = tree.open(symlinks="follow")
        gaps = {key: (gap.kind, gap.subtree) for key, gap in tree.gaps(backend).items()}
        assert tree.keys(backend) == ["folder/inner/file"]
        assert gaps == {"folder/inner/up": ("skipped", True)}

    def test_two_links_to_one_folder_are_no_loop(self, tree):
        tree.write("folder/file")
        for name in ("one", "two"):
            (tree.path / name).symlink_to("folder")
        assert tree.keys(tree.open(symlinks="follow")) == ["folder/file", "one/file", "two/file"]

    @pytest.mark.parametrize("target", ["nowhere", "link"], ids=["broken", "to-itself"])
    def test_C21_a_link_that_leads_nowhere_is_unknown_with_all_below(self, tree, target):
        tree.write("file")
        (tree.path / "link").symlink_to(target)
        backend = tree.open(symlinks="follow")
        assert tree.keys(backend) == ["file"]
        gap = tree.gaps(backend)["link"]
        assert (gap.kind, gap.subtree) == ("unknown", True)
        assert "leads nowhere" in gap.reason

    def test_C23_a_link_to_a_pipe_is_skipped(self, tree):
        os.mkfifo(tree.path.parent / "pipe")
        (tree.path / "link").symlink_to("../pipe")
        assert tree.gaps(tree.open(symlinks="follow"))["link"].reason == "a named pipe"


class TestOddFiles:
    def test_C23_pipes_and_sockets_are_skipped(self, tree, monkeypatch):
        os.mkfifo(tree.path / "pipe")
        monkeypatch.chdir(tree.path)  # the path of a socket is limited to some 100 bytes
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind("socket")
            gaps = tree.gaps(tree.open())
        assert {key: (gap.kind, gap.reason, gap.subtree) for key, gap in gaps.items()} == {
            "pipe": ("skipped", "a named pipe", False),
            "socket": ("skipped", "a socket", False),
        }

    def test_C16_names_that_are_no_text_are_unknown_and_printable(self, tree):
        (tree.path / "folder").mkdir()
        (tree.path / os.fsdecode(b"folder/file-\xff\xfe")).touch()
        (tree.path / os.fsdecode(b"folder-\xe9")).mkdir()
        tree.write("z")
        backend = tree.open()
        assert tree.keys(backend) == ["z"]
        gaps = tree.gaps(backend)
        assert sorted(gaps) == ["folder-\\udce9", "folder/file-\\udcff\\udcfe"]
        assert {(gap.kind, gap.subtree, gap.reason) for gap in gaps.values()} == {
            ("unknown", True, "the name is not valid UTF-8")
        }

    def test_C24_temporary_files_of_ours_are_neither_objects_nor_gaps(self, tree):
        tree.write(".cs-0123456789ab.tmp", "folder/.cs-0123456789ab.tmp", "folder/x", ".cs-other.tmp")
        assert tree.keys(tree.open()) == [".cs-other.tmp", "folder/x"]
        assert tree.gaps(tree.open()) == {}

    def test_a_folder_named_like_a_temporary_file_is_a_folder(self, tree):
        tree.write(".cs-0123456789ab.tmp/x")
        assert tree.keys(tree.open()) == [".cs-0123456789ab.tmp/x"]

    def test_a_path_longer_than_the_system_allows_is_unknown(self, tree):
        key = "/".join(["n" * 250] * 20)
        backend = tree.open(fsync=False)
        store(backend, key, b"deep")
        assert content(backend, key) == b"deep"
        [gap] = tree.gaps(backend).values()
        assert (gap.kind, gap.subtree) == ("unknown", True)
        assert key.startswith(gap.key + "/")
        backend.delete(key)
        assert tree.everything() == []


class TestPermissions:
    @pytest.mark.parametrize("mode", [0o000, 0o400, 0o100], ids=["nothing", "names-only", "search-only"])
    def test_A07_a_folder_that_cannot_be_read_is_unknown_with_all_below(self, unprivileged_tree, mode):
        tree = unprivileged_tree
        tree.write("closed/x", "open/x")
        (tree.path / "closed").chmod(mode)
        backend = tree.open()
        assert tree.keys(backend) == ["open/x"]
        [gap] = tree.gaps(backend).values()
        assert gap.key in {"closed", "closed/x"}
        assert (gap.kind, gap.subtree) == ("unknown", True)
        assert "permission denied" in gap.reason

    def test_L3_a_root_that_cannot_be_read_raises(self, unprivileged_tree):
        unprivileged_tree.path.chmod(0o000)
        with pytest.raises(AccessDeniedError, match="permission denied"):
            unprivileged_tree.keys(unprivileged_tree.open())

    def test_L3_a_prefix_that_cannot_be_read_raises(self, unprivileged_tree):
        tree = unprivileged_tree
        tree.write("closed/x")
        (tree.path / "closed").chmod(0o000)
        with pytest.raises(AccessDeniedError):
            tree.keys(tree.open(), "closed")


class TestChangesWhileListing:
    """The hint `prune` is asked right before a folder is read: the moment to change it."""

    @staticmethod
    def when_reaching(folder, change):
        def prune(found):
            if found == folder:
                change()
            return False

        return prune

    def test_F03_a_folder_that_vanishes_is_gone(self, tree):
        tree.write("a/x", "b/x", "c/x")
        vanish = self.when_reaching("b", lambda: shutil.rmtree(tree.path / "b"))
        assert tree.keys(tree.open(), prune=vanish) == ["a/x", "c/x"]
        tree.write("b/x")
        assert tree.gaps(tree.open(), prune=vanish) == {}

    @pytest.mark.parametrize("substitute", ["link", "folder"])
    def test_C22_a_folder_that_is_replaced_is_unknown_and_not_entered(self, tree, substitute):
        tree.write("a/x", "b/x")
        outside = tree.path.parent / "outside"
        outside.mkdir()
        (outside / "secret").touch()

        def replace():
            (tree.path / "b").rename(tree.path.parent / "old-b")
            if substitute == "link":
                (tree.path / "b").symlink_to(outside)
            else:
                outside.rename(tree.path / "b")

        pages = list(tree.open().list(prune=self.when_reaching("b", replace)))
        assert [key for page in pages for key in page.keys] == ["a/x"]
        [gap] = [gap for page in pages for gap in page.gaps]
        assert (gap.key, gap.kind, gap.subtree) == ("b", "unknown", True)
        assert "replaced" in gap.reason

    def test_A03_a_root_that_vanishes_raises(self, tree):
        tree.write("a/x", "b/x")
        vanish = self.when_reaching("b", lambda: shutil.rmtree(tree.path))
        with pytest.raises(ContainerNotFoundError):
            tree.keys(tree.open(), prune=vanish)

    def test_A03_a_root_that_vanishes_raises_even_where_it_could_be_made(self, tree):
        tree.write("a/x", "b/x")
        vanish = self.when_reaching("b", lambda: shutil.rmtree(tree.path))
        with pytest.raises(ContainerNotFoundError):
            tree.keys(tree.open(create=True), prune=vanish)

    def test_A03_a_root_that_is_replaced_raises_and_ends_the_run(self, tree):
        tree.write("a/x", "b/x")

        def replace():
            tree.path.rename(tree.path.parent / "old")
            tree.path.mkdir()

        with pytest.raises(UnavailableError, match="another directory") as caught:
            tree.keys(tree.open(), prune=self.when_reaching("b", replace))
        assert caught.value.disposition is Disposition.ABORT
