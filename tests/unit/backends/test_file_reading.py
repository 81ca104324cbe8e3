"""A file is read as one version, through no link that nobody allowed, and never hangs."""

import os
from pathlib import Path

import pytest

from cloudsync_core.body import CHUNK_SIZE
from cloudsync_core.errors import (
    AccessDeniedError,
    Disposition,
    InvalidKeyError,
    ObjectNotFoundError,
    PreconditionFailedError,
)
from cloudsync_core.models import ByteRange
from cloudsync_core.testing.clauses.setting import content, store

LARGE = 3 * CHUNK_SIZE


def open_descriptors():
    return {link.name for link in Path("/proc/self/fd").iterdir()}


class TestChangesWhileReading:
    """Catalogue D01-D03 and D19: each is noticed before the last byte is handed over, and worth a retry."""

    @pytest.fixture(params=[10, LARGE], ids=["small", "large"])
    def path(self, tree, request):
        tree.write("folder/file", data=b"x" * request.param)
        return tree.path / "folder/file"

    @staticmethod
    def fails(tree, change, reason):
        before = open_descriptors()
        received = []
        with tree.open().get("folder/file") as reader:
            change()
            with pytest.raises(PreconditionFailedError, match=reason) as caught:
                received.extend(reader.chunks())
        assert caught.value.disposition is Disposition.RETRY
        assert (caught.value.operation, caught.value.key) == ("get", "folder/file")
        assert sum(map(len, received)) < reader.size, "the last byte was handed over"
        assert open_descriptors() == before

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            (lambda path: path.write_bytes(b"y" * 20), "it changed while it was read"),
            (lambda path: os.truncate(path, 5), "it changed while it was read"),
            (lambda path: path.write_bytes(b"y" * 10), "it changed while it was read"),
            (lambda path: path.unlink(), "it was removed while it was read|it changed while it was read"),
            (lambda path: path.with_name("new").replace(path), "another file took its place|it changed while it was"),
        ],
        ids=["grows", "shrinks", "is-written-in-place", "is-removed", "is-replaced"],
    )
    @pytest.mark.parametrize("late", [False, True], ids=["before-its-bytes", "after-its-bytes"])
    def test_G1_a_small_file_that_changes_while_it_is_read_at_once_raises(
        self, tree, monkeypatch, change, reason, late
    ):
        tree.write("folder/file", "folder/new", data=b"x" * 10)
        path, really = tree.path / "folder/file", os.read

        def read(descriptor, size):
            if not late:
                change(path)
            data = really(descriptor, size)
            if late:
                change(path)
            return data

        monkeypatch.setattr(os, "read", read)
        before = open_descriptors()
        backend = tree.open()
        with pytest.raises(PreconditionFailedError, match=reason) as caught:
            backend.read("folder/file", 100)
        backend.close()
        assert caught.value.disposition is Disposition.RETRY
        assert (caught.value.operation, caught.value.key) == ("get", "folder/file")
        # Its traceback refers to the folder.
        del caught
        assert open_descriptors() == before

    def test_D01_a_file_that_grows_raises(self, tree, path):
        def grow():
            with path.open("ab") as file:
                file.write(b"more")

        self.fails(tree, grow, "it changed while it was read")

    def test_D02_a_file_that_shrinks_raises(self, tree, path):
        self.fails(tree, lambda: os.truncate(path, 5), "it changed while it was read")

    def test_D02_a_file_that_is_emptied_raises(self, tree, path):
        self.fails(tree, lambda: os.truncate(path, 0), "it changed while it was read")

    def test_G1_a_file_that_is_written_in_place_raises(self, tree, path):
        def write():
            with path.open("r+b") as file:
                file.write(b"y")

        self.fails(tree, write, "it changed while it was read")

    def test_B01_a_file_that_is_written_and_given_its_old_time_raises(self, tree, path):
        def write():
            times = path.stat()
            path.write_bytes(b"y" * times.st_size)
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))

        self.fails(tree, write, "it changed while it was read")

    def test_D03_a_file_that_is_replaced_raises(self, tree, path):
        def replace():
            other = path.with_name("other")
            other.write_bytes(path.read_bytes())
            other.rename(path)

        self.fails(tree, replace, "while it was read")

    def test_B17_a_file_that_others_read_meanwhile_does_not(self, tree, path):
        with tree.open().get("folder/file") as reader:
            assert path.read_bytes()
            assert sum(map(len, reader.chunks())) == path.stat().st_size

    def test_D19_a_file_that_is_removed_raises(self, tree, path):
        self.fails(tree, path.unlink, "while it was read")

    def test_G1_a_file_under_another_link_is_noticed(self, tree):
        for name in ("one", "two"):
            tree.write(name, data=b"same size " + name.encode())
        (tree.path / "link").symlink_to("one")
        with tree.open(symlinks="follow").get("link") as reader:
            (tree.path / "link").unlink()
            (tree.path / "link").symlink_to("two")
            with pytest.raises(PreconditionFailedError):
                reader.read()


class TestVersions:
    def test_G1_if_match_of_a_listed_version_reads_it(self, tree):
        tree.write("file", data=b"old")
        backend = tree.open()
        [page] = backend.list()
        with backend.get("file", if_match=page[0].version) as reader:
            assert reader.read() == b"old"
        tree.write("file", data=b"new")
        with pytest.raises(PreconditionFailedError), backend.get("file", if_match=page[0].version):
            pass

    def test_B01_same_size_and_restored_time_is_another_version(self, tree):
        tree.write("file", data=b"old")
        before = tree.open().stat("file")
        tree.write("file", data=b"new")
        os.utime(tree.path / "file", ns=(before.modified_ns, before.modified_ns))
        after = tree.open().stat("file")
        assert (after.size, after.modified_ns) == (before.size, before.modified_ns)
        assert after.version != before.version

    def test_a_range_of_a_file_that_is_shorter_ends_with_it(self, tree):
        tree.write("file", data=b"0123456789")
        for start, end, wanted in ((5, 100, b"56789"), (10, None, b""), (20, 30, b""), (3, 3, b"")):
            with tree.open().get("file", byte_range=ByteRange(start, end)) as reader:
                assert reader.size == len(wanted)
                assert reader.read() == wanted


class TestWhatIsNoFile:
    @pytest.mark.parametrize("symlinks", ["skip", "follow"])
    def test_C23_a_pipe_is_refused_without_waiting_for_a_writer(self, tree, symlinks):
        os.mkfifo(tree.path / "pipe")
        backend = tree.open(symlinks=symlinks)
        with pytest.raises(InvalidKeyError, match="a named pipe"):
            backend.stat("pipe")
        with pytest.raises(InvalidKeyError, match="a named pipe"), backend.get("pipe"):
            pass

    def test_a_folder_is_read_as_its_marker_only(self, tree):
        tree.write("folder/file")
        backend = tree.open()
        with pytest.raises(ObjectNotFoundError), backend.get("folder"):
            pass
        with pytest.raises(ObjectNotFoundError):
            backend.stat("folder/file/")
        assert backend.stat("folder/").size == 0
        assert content(backend, "folder/") == b""

    def test_a_temporary_file_of_ours_is_no_object(self, tree):
        tree.write(".cs-0123456789ab.tmp")
        with pytest.raises(InvalidKeyError, match="temporary"):
            tree.open().stat(".cs-0123456789ab.tmp")


class TestContainment:
    @pytest.fixture
    def outside(self, tree):
        secret = tree.path.parent / "outside/secret"
        secret.parent.mkdir()
        secret.write_bytes(b"secret")
        return secret

    @pytest.mark.parametrize("key", ["../outside/secret", "a/../../outside/secret", "..", "./file", "/etc/passwd"])
    def test_C01_no_key_leads_outside(self, tree, outside, key):
        tree.write("a/file", "file")
        with pytest.raises(InvalidKeyError):
            tree.open().stat(key)
        with pytest.raises(InvalidKeyError), tree.open().get(key):
            pass

    def test_C22_no_link_leads_outside(self, tree, outside):
        (tree.path / "folder").symlink_to(outside.parent)
        (tree.path / "file").symlink_to(outside)
        backend = tree.open()
        for key in ("folder/secret", "file", "folder/", "folder/missing"):
            with pytest.raises(InvalidKeyError, match="symbolic link"):
                backend.stat(key)
            with pytest.raises(InvalidKeyError, match="symbolic link"), backend.get(key):
                pass

    def test_links_are_read_where_that_was_asked_for(self, tree, outside):
        (tree.path / "folder").symlink_to(outside.parent)
        (tree.path / "file").symlink_to(outside)
        backend = tree.open(symlinks="follow")
        for key in ("folder/secret", "file"):
            assert content(backend, key) == b"secret"
            assert backend.stat(key).size == 6
        with pytest.raises(ObjectNotFoundError):
            backend.stat("folder/missing")


class TestErrors:
    def test_E1_a_file_without_permission_is_access_denied(self, unprivileged_tree):
        tree = unprivileged_tree
        tree.write("closed", "folder/file")
        (tree.path / "closed").chmod(0o000)
        (tree.path / "folder").chmod(0o000)
        try:
            with pytest.raises(AccessDeniedError, match=r"get file://.*/closed: permission denied"):
                content(tree.open(), "closed")
            with pytest.raises(AccessDeniedError):
                content(tree.open(), "folder/file")
            with pytest.raises(AccessDeniedError):
                tree.open().stat("folder/file")
        finally:
            (tree.path / "folder").chmod(0o700)

    def test_no_descriptor_is_left_open(self, tree):
        backend = tree.open()
        store(backend, "folder/file", b"x" * LARGE)
        before = open_descriptors()
        with backend.get("folder/file") as reader:
            next(reader.chunks())
        for key in ("folder/missing", "missing/file", "folder"):
            with pytest.raises(ObjectNotFoundError), backend.get(key):
                pass
        with pytest.raises(FileNotFoundError), backend.get("folder/file"):
            Path("/missing").read_bytes()
        tree.keys(backend)
        next(backend.list())
        assert open_descriptors() == before

    def test_E1_what_the_reader_of_an_object_raises_is_its_own(self, tree):
        tree.write("file")
        with pytest.raises(ConnectionResetError), tree.open().get("file"):
            raise ConnectionResetError
