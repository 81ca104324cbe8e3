"""A put shows a whole file or nothing, inside the root, and keeps what was there on any doubt."""

import contextlib
import errno
import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cloudsync_core.body import CHUNK_SIZE, Body
from cloudsync_core.errors import (
    AccessDeniedError,
    Disposition,
    IntegrityError,
    InvalidKeyError,
    KeyBlockedError,
    ObjectExistsError,
    UnavailableError,
    UnexpectedBackendError,
    UnsupportedOperationError,
)
from cloudsync_core.models import IF_ABSENT, Attributes, Digest, IfMatch, Version
from cloudsync_core.testing.clauses.setting import content, names, store


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def open_descriptors():
    return {link.name for link in Path("/proc/self/fd").iterdir()}


class TestPermissions:
    @pytest.fixture(params=[0o022, 0o077, 0o000])
    def umask(self, request):
        before = os.umask(request.param)
        yield request.param
        os.umask(before)

    def test_a_new_file_has_the_permissions_of_any_new_file(self, tree, umask):
        store(tree.open(), "folder/file")
        assert mode(tree.path / "folder/file") == 0o666 & ~umask
        assert mode(tree.path / "folder") == 0o777 & ~umask

    @pytest.mark.parametrize("kept", [0o600, 0o755, 0o666])
    def test_a_replaced_file_passes_its_permissions_on(self, tree, umask, kept):
        tree.write("file")
        (tree.path / "file").chmod(kept)
        store(tree.open(), "file", b"new")
        assert mode(tree.path / "file") == kept

    def test_a_private_file_is_private_while_it_is_written(self, tree):
        tree.write("file")
        (tree.path / "file").chmod(0o600)
        seen = []

        def chunks():
            seen.extend(mode(path) for path in tree.path.iterdir())
            yield b"new"

        store(tree.open(), "file", chunks())
        assert seen == [0o600, 0o600]

    def test_C25_set_user_id_is_not_passed_on(self, tree):
        tree.write("file")
        (tree.path / "file").chmod(0o4755)
        store(tree.open(), "file", b"new")
        assert mode(tree.path / "file") == 0o755


class TestTimes:
    @pytest.mark.parametrize("mtime_ns", [0, -1_000_000_000, 1_234_567_890_123_456_789, 4_102_444_800_000_000_000])
    def test_B14_the_time_is_the_origins(self, tree, mtime_ns):
        written = store(tree.open(), "file", attributes=Attributes(mtime_ns=mtime_ns))
        assert (tree.path / "file").stat().st_mtime_ns == mtime_ns
        assert written.attributes.mtime_ns == mtime_ns

    def test_a_time_that_no_file_can_have_is_refused(self, tree):
        with pytest.raises(UnexpectedBackendError, match="modification time"):
            store(tree.open(), "file", attributes=Attributes(mtime_ns=10**40))
        assert tree.everything() == []


class TestInterruptions:
    @pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit, GeneratorExit, OSError, MemoryError])
    def test_D25_whatever_ends_a_put_leaves_the_old_file_and_no_other(self, tree, interruption):
        tree.write("folder/file", data=b"old")

        def chunks():
            yield b"x" * CHUNK_SIZE
            yield b"x" * CHUNK_SIZE
            raise interruption

        with pytest.raises(interruption):
            store(tree.open(), "folder/file", chunks())
        assert tree.everything() == ["folder", "folder/file"]
        assert (tree.path / "folder/file").read_bytes() == b"old"

    def test_D23_a_full_disk_aborts_and_leaves_nothing(self, tree):
        def chunks():
            yield b"x" * CHUNK_SIZE
            yield b"x" * CHUNK_SIZE
            # From here on the temporary file is /dev/full, which says ENOSPC to every write.
            [temporary] = [link for link in Path("/proc/self/fd").iterdir() if ".cs-" in str(link.resolve())]
            full = os.open("/dev/full", os.O_WRONLY)
            os.dup2(full, int(temporary.name))
            os.close(full)
            yield b"x" * CHUNK_SIZE
            yield b"x" * CHUNK_SIZE

        tree.write("file", data=b"old")
        with pytest.raises(UnexpectedBackendError, match="no space left on device") as caught:
            store(tree.open(), "file", chunks())
        assert caught.value.disposition is Disposition.ABORT
        assert tree.everything() == ["file"]
        assert (tree.path / "file").read_bytes() == b"old"

    def test_no_descriptor_is_left_open(self, tree):
        before = open_descriptors()
        backend = tree.open()
        store(backend, "a/b/c")
        store(backend, "a/b/d", condition=IF_ABSENT)
        with pytest.raises(ObjectExistsError):
            store(backend, "a/b/d", condition=IF_ABSENT)
        with pytest.raises(KeyBlockedError):
            store(backend, "a/b/c/d")
        store(backend, "x/", b"")
        backend.delete("a/b/c")
        backend.close()
        assert open_descriptors() == before


class TestNewFilesOfContentAtHand:
    """Where the file system can, they have no name before they are whole."""

    def test_P3_nothing_is_seen_before_the_whole_file(self, tree, monkeypatch):
        link, seen = os.link, []

        def noting(*args, **how):
            seen.append(tree.everything())
            link(*args, **how)

        monkeypatch.setattr(os, "link", noting)
        store(tree.open(), "folder/file", b"content", condition=IF_ABSENT)
        assert seen == [["folder"]]
        assert (tree.path / "folder/file").read_bytes() == b"content"

    def test_P6_a_failure_leaves_nothing(self, tree, monkeypatch):
        def fail(*args, **how):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        monkeypatch.setattr(os, "link", fail)
        with pytest.raises(UnavailableError):
            store(tree.open(), "folder/file", condition=IF_ABSENT)
        assert tree.everything() == []

    @pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL])
    def test_a_file_system_without_unnamed_files_gets_temporary_ones(self, tree, monkeypatch, number):
        opened = os.open
        asked = []

        def refuse(path, flags, *args, **how):
            if flags & os.O_TMPFILE == os.O_TMPFILE:
                asked.append(path)
                raise OSError(number, os.strerror(number))
            return opened(path, flags, *args, **how)

        monkeypatch.setattr(os, "open", refuse)
        backend = tree.open()
        for name in ("one", "two"):
            written = store(backend, name, b"content", attributes=Attributes(mtime_ns=5), condition=IF_ABSENT)
            assert written.attributes.mtime_ns == 5
            assert (tree.path / name).read_bytes() == b"content"
        assert tree.everything() == ["one", "two"]
        assert len(asked) == 1

    def test_C23_what_is_no_file_is_not_taken_for_one(self, tree):
        os.mkfifo(tree.path / "pipe")
        (tree.path / "link").symlink_to("nowhere")
        tree.write("folder/file")
        for name, kind in (("pipe", InvalidKeyError), ("link", InvalidKeyError), ("folder", KeyBlockedError)):
            with pytest.raises(kind):
                store(tree.open(), name, condition=IF_ABSENT)

    def test_a_wrong_digest_is_the_sources_error(self, tree):
        body = Body(b"content", expect=(Digest("md5", "0" * 32),))
        with pytest.raises(IntegrityError) as caught:
            tree.open().put("file", body, condition=IF_ABSENT)
        assert caught.value.operation == ""
        assert tree.everything() == []


class TestDurability:
    @pytest.fixture
    def synced(self, monkeypatch):
        kinds = []
        sync = os.fsync

        def noting(descriptor):
            kinds.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
            sync(descriptor)

        monkeypatch.setattr(os, "fsync", noting)
        return kinds

    def test_D05_the_file_is_on_the_disk_before_its_name_is(self, tree, synced):
        backend = tree.open()
        store(backend, "file")
        assert synced == ["file", "folder"]
        store(backend, "new/deeper/file")
        assert synced[2:] == ["folder", "folder", "file", "folder"]

    @pytest.mark.parametrize(("number", "is_fine"), [(errno.EINVAL, True), (errno.EIO, False)])
    def test_a_file_system_that_syncs_no_folders_is_fine_and_a_broken_one_is_not(
        self, tree, monkeypatch, number, is_fine
    ):
        sync = os.fsync

        def refuse(descriptor):
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                raise OSError(number, os.strerror(number))
            sync(descriptor)

        monkeypatch.setattr(os, "fsync", refuse)
        with contextlib.nullcontext() if is_fine else pytest.raises(UnavailableError, match="input/output error"):
            store(tree.open(), "file")
        assert tree.everything() == ["file"]

    def test_without_fsync_nothing_waits_for_the_disk(self, tree, synced):
        store(tree.open(fsync=False), "new/file")
        store(tree.open(fsync=False), "folder/", b"")
        assert synced == []


class TestWhatStandsInTheWay:
    def test_C07_a_folder_is_not_replaced_by_a_file(self, tree):
        tree.write("a/b")
        with pytest.raises(KeyBlockedError, match="/a: a is a folder here"):
            store(tree.open(), "a")
        assert tree.everything() == ["a", "a/b"]

    def test_C07_a_file_is_not_replaced_by_a_folder(self, tree):
        tree.write("Data/a")
        for key in ("Data/a/b", "Data/a/b/c", "Data/a/"):
            with pytest.raises(KeyBlockedError, match=f"/{key}: .*a is a file here"):
                store(tree.open(), key, b"" if key.endswith("/") else b"content")
        assert tree.everything() == ["Data", "Data/a"]

    @pytest.mark.parametrize("symlinks", ["skip", "follow"])
    def test_C22_nothing_is_written_through_a_link(self, tree, symlinks):
        outside = tree.path.parent / "outside"
        outside.mkdir()
        (outside / "file").write_bytes(b"untouched")
        (tree.path / "folder").symlink_to(outside)
        (tree.path / "link").symlink_to(outside / "file")
        (tree.path / "broken").symlink_to(outside / "new")
        backend = tree.open(symlinks=symlinks)
        for key in ("folder/file", "folder/new/file", "folder/", "folder/new/", "link", "broken"):
            for condition in ({}, {"condition": IF_ABSENT}):
                with pytest.raises((InvalidKeyError, ObjectExistsError)):
                    store(backend, key, b"" if key.endswith("/") else b"content", **condition)
        assert [path.name for path in outside.iterdir()] == ["file"]
        assert (outside / "file").read_bytes() == b"untouched"
        assert tree.everything() == ["broken", "folder", "link"]

    def test_C23_a_pipe_is_not_replaced(self, tree):
        os.mkfifo(tree.path / "pipe")
        with pytest.raises(InvalidKeyError, match="a named pipe"):
            store(tree.open(), "pipe")
        assert stat.S_ISFIFO((tree.path / "pipe").stat().st_mode)

    def test_a_hard_link_keeps_what_it_has(self, tree):
        tree.write("one", data=b"old")
        (tree.path / "two").hardlink_to(tree.path / "one")
        store(tree.open(), "one", b"new")
        assert (tree.path / "two").read_bytes() == b"old"

    def test_a_folder_without_permission_is_access_denied(self, unprivileged_tree):
        tree = unprivileged_tree
        (tree.path / "closed").mkdir(mode=0o500)
        with pytest.raises(AccessDeniedError, match=r"put file://.*/closed/file: permission denied"):
            store(tree.open(), "closed/file")
        with pytest.raises(AccessDeniedError):
            store(tree.open(), "closed/folder/", b"")


class TestConditions:
    def test_P4_if_absent_does_not_ask_the_body_where_there_is_an_object(self, tree):
        tree.write("file", data=b"old")
        body = Body(iter((b"new",)), 3)
        with pytest.raises(ObjectExistsError):
            tree.open().put("file", body, condition=IF_ABSENT)
        assert body.bytes_passed == 0

    def test_P4_if_absent_notices_a_file_that_came_meanwhile(self, tree):
        def chunks():
            yield b"late"
            tree.write("file", data=b"first")
            yield b"r"

        with pytest.raises(ObjectExistsError):
            store(tree.open(), "file", chunks(), condition=IF_ABSENT)
        assert tree.everything() == ["file"]
        assert (tree.path / "file").read_bytes() == b"first"

    @pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP])
    def test_C1_a_file_system_without_hard_links_cannot_promise_absence(self, tree, monkeypatch, number):
        def refuse(*args, **how):
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, "link", refuse)
        with pytest.raises(UnsupportedOperationError, match="no hard links"):
            store(tree.open(), "file", condition=IF_ABSENT)
        assert tree.everything() == []

    def test_P4_if_absent_of_a_marker_meets_its_folder(self, tree):
        backend = tree.open()
        store(backend, "folder/", b"", condition=IF_ABSENT)
        with pytest.raises(ObjectExistsError):
            store(backend, "folder/", b"", condition=IF_ABSENT)

    def test_C1_no_version_is_promised_what_cannot_be_kept(self, tree):
        body = Body(b"new")
        with pytest.raises(UnsupportedOperationError):
            tree.open().put("file", body, condition=IfMatch(Version(etag="x")))
        assert body.bytes_passed == 0
        assert tree.everything() == []


class TestMarkers:
    def test_C06_a_marker_with_content_is_refused_whether_its_size_is_known_or_not(self, tree):
        for body in (Body(b"content"), Body(iter([b"con", b"tent"]))):
            with pytest.raises(InvalidKeyError, match="no bytes of its own"):
                tree.open().put("folder/", body)
        assert tree.everything() == []

    def test_a_marker_that_was_put_outlives_the_objects_deleted_after_it(self, tree):
        tree.write("folder/old", "other/old")
        backend = tree.open()
        store(backend, "folder/", b"")
        backend.delete("folder/old")
        backend.delete("other/old")
        assert names(backend) == ["folder/"]
        backend.delete("folder/")
        assert tree.everything() == []


class TestManyThreads:
    def test_T1_puts_go_on_while_their_folders_are_removed(self, tree):
        backend = tree.open(fsync=False)
        rounds, writers = 150, 4

        def work(writer):
            for number in range(rounds):
                key = f"a/b/{number % 3}/{writer}"
                store(backend, key, b"%d" % number)
                assert content(backend, key) == b"%d" % number
                backend.delete(key)

        with ThreadPoolExecutor(writers) as pool:
            for finished in [pool.submit(work, writer) for writer in range(writers)]:
                finished.result()
        assert tree.everything() == []

    def test_T1_a_listing_meanwhile_shows_all_that_stays(self, tree):
        backend = tree.open(fsync=False)
        tree.write("kept/file")
        done = threading.Event()

        def work():
            number = 0
            while not done.is_set():
                number += 1
                store(backend, f"a/{number % 5}/file")
                backend.delete(f"a/{number % 5}/file")

        worker = threading.Thread(target=work)
        worker.start()
        try:
            for _ in range(20):
                found = tree.keys(backend)
                assert "kept/file" in found
                assert set(found) <= {
                    "a/",
                    "kept/file",
                    *(f"a/{number}/{end}" for number in range(5) for end in ("", "file")),
                }
        finally:
            done.set()
            worker.join()
