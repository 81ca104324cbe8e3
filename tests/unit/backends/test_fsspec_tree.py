"""What the fsspec backend makes of links and other trouble in trees, and of filesystems that promise less."""

import importlib
import os
import time
import uuid
from pathlib import Path

import pytest
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from cloudsync_core.backends.fsspec import FsspecBackend, FsspecOptions
from cloudsync_core.body import Body
from cloudsync_core.errors import (
    AccessDeniedError,
    IntegrityError,
    InvalidKeyError,
    KeyBlockedError,
    ObjectNotFoundError,
    UnavailableError,
    UnexpectedBackendError,
)
from cloudsync_core.location import Location
from cloudsync_core.models import Gap

# The package hides its module of that name behind a mapping.
registry = importlib.import_module("fsspec.registry")


def keys(backend, prefix="", **hints):
    return [key for page in backend.list(prefix, **hints) for key in page.keys]


def gaps(backend, prefix="", **hints):
    return [gap for page in backend.list(prefix, **hints) for gap in page.gaps]


@pytest.fixture
def root(tmp_path):
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


@pytest.fixture
def local(root):
    return FsspecBackend(Location.parse(f"local://{root}"))


@pytest.fixture
def open_as(monkeypatch, root):
    """Return a function that opens the root by a filesystem class of the test's own."""

    def opened(filesystem, **options):
        name = f"test-{uuid.uuid4().hex}"
        monkeypatch.setitem(registry._registry, name, filesystem)
        return FsspecBackend(Location(name, str(root)), FsspecOptions(**options))

    return opened


class TestLinks:
    @pytest.fixture(autouse=True)
    def outside(self, root, tmp_path):
        (tmp_path / "outside").mkdir()
        (tmp_path / "outside" / "file").write_bytes(b"outside")
        (root / "folder-link").symlink_to("../outside")
        (root / "file-link").symlink_to("../outside/file")
        (root / "dangling").symlink_to("nowhere")
        yield
        assert [path.name for path in (tmp_path / "outside").iterdir()] == ["file"]
        assert (tmp_path / "outside" / "file").read_bytes() == b"outside"

    def test_links_are_reported_and_not_listed(self, local, root):
        (root / "file").write_bytes(b"content")
        os.mkfifo(root / "pipe")
        assert keys(local) == ["file"]
        reason = "it is neither a file nor a folder"
        names = ["dangling", "file-link", "folder-link", "pipe"]
        assert gaps(local) == [Gap(name, reason, subtree=True, kind="skipped") for name in names]

    def test_a_link_is_no_object(self, local):
        with pytest.raises(ObjectNotFoundError):
            local.stat("file-link")

    def test_P5_nothing_is_written_through_a_link(self, local):
        for key in ("folder-link/new", "folder-link/sub/new", "folder-link/", "folder-link", "file-link"):
            with pytest.raises((InvalidKeyError, ObjectNotFoundError)):
                local.put(key, Body(b""))

    def test_P5_nothing_is_removed_through_a_link(self, local, root):
        for key in ("folder-link/file", "file-link", "dangling"):
            with pytest.raises(InvalidKeyError):
                local.delete(key)
        assert len(list(root.iterdir())) == 3

    def test_a_prefix_behind_a_link_is_reported(self, local):
        for prefix in ("folder-link", "folder-link/sub"):
            assert keys(local, prefix) == []
            assert [gap.key for gap in gaps(local, prefix)] == [prefix]

    def test_the_root_itself_may_be_a_link(self, root, tmp_path):
        (tmp_path / "to-root").symlink_to("root")
        backend = FsspecBackend(Location.parse(f"local://{tmp_path}/to-root"))
        backend.put("file", Body(b"content"))
        assert keys(backend) == ["file"]
        assert (root / "file").read_bytes() == b"content"


class TestGaps:
    def test_an_undecodable_name_is_reported(self, local, root):
        (root / os.fsdecode(b"caf\xe9")).write_bytes(b"content")
        assert keys(local) == []
        assert [(gap.key, gap.kind) for gap in gaps(local)] == [("caf\\udce9", "unknown")]

    def test_A07_a_closed_folder_is_unknown_with_all_that_is_in_it(self, root, open_as):
        class Closed(LocalFileSystem):
            def ls(self, path, detail=False, **kwargs):
                if path.endswith("/closed"):
                    raise PermissionError(13, "Permission denied")
                return super().ls(path, detail=detail, **kwargs)

        for name in ("a", "closed/b", "d"):
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_bytes(b"content")
        backend = open_as(Closed)
        assert keys(backend) == ["a", "d"]
        [gap] = gaps(backend)
        assert (gap.key, gap.subtree, gap.kind) == ("closed", True, "unknown")

    def test_a_closed_root_is_an_error(self, open_as):
        class Closed(LocalFileSystem):
            def ls(self, path, detail=False, **kwargs):
                raise PermissionError(13, "Permission denied")

        with pytest.raises(AccessDeniedError):
            keys(open_as(Closed))

    def test_L3_A02_an_error_in_a_folder_is_an_error_of_the_listing(self, root, open_as):
        class Failing(LocalFileSystem):
            def ls(self, path, detail=False, **kwargs):
                if path.endswith("/broken"):
                    raise TimeoutError("timed out")
                return super().ls(path, detail=detail, **kwargs)

        (root / "broken").mkdir()
        with pytest.raises(UnavailableError):
            keys(open_as(Failing))

    def test_L3_a_folder_that_is_said_to_be_missing_and_is_there_is_an_error(self, root, open_as):
        class Confused(LocalFileSystem):
            def ls(self, path, detail=False, **kwargs):
                if path.endswith("/there"):
                    raise FileNotFoundError(path)
                return super().ls(path, detail=detail, **kwargs)

        (root / "there").mkdir()
        with pytest.raises(ObjectNotFoundError):
            keys(open_as(Confused))

    def test_a_folder_that_is_removed_meanwhile_is_not_listed(self, root, open_as):
        class Vanishing(LocalFileSystem):
            def ls(self, path, detail=False, **kwargs):
                if path.endswith("/gone"):
                    (root / "gone").rmdir()
                return super().ls(path, detail=detail, **kwargs)

        (root / "gone").mkdir()
        (root / "here").write_bytes(b"")
        assert keys(open_as(Vanishing)) == ["here"]

    def test_A21_two_entries_of_one_name_are_unknown(self, root, open_as):
        class Doubling(LocalFileSystem):
            def ls(self, path, detail=False, **kwargs):
                found = super().ls(path, detail=detail, **kwargs)
                return [*found, *(entry for entry in found if entry["name"].endswith("/twice"))]

        (root / "once").write_bytes(b"")
        (root / "twice").write_bytes(b"")
        backend = open_as(Doubling)
        assert keys(backend) == ["once"]
        assert [(gap.key, gap.kind) for gap in gaps(backend)] == [("twice", "unknown")]

    def test_L4_an_entry_of_another_folder_is_an_error(self, root, open_as):
        class Straying(LocalFileSystem):
            def ls(self, path, detail=False, **kwargs):
                return [{"name": "/elsewhere/file", "size": 0, "type": "file"}]

        with pytest.raises(UnexpectedBackendError, match="elsewhere/file"):
            keys(open_as(Straying))

    def test_A02_a_file_of_unknown_size_is_unknown(self, root, open_as):
        class Sizeless(LocalFileSystem):
            def info(self, path, **kwargs):
                return {**super().info(path, **kwargs), "size": None}

        (root / "file").write_bytes(b"content")
        backend = open_as(Sizeless)
        assert keys(backend) == []
        assert [(gap.key, gap.kind) for gap in gaps(backend)] == [("file", "unknown")]

    def test_pruned_folders_are_not_opened(self, root, open_as):
        opened = []

        class Watched(LocalFileSystem):
            def ls(self, path, detail=False, **kwargs):
                opened.append(os.path.relpath(path, root))
                return super().ls(path, detail=detail, **kwargs)

        for folder in ("a", "b", "b/c", "d"):
            (root / folder).mkdir()
        backend = open_as(Watched)
        assert keys(backend, prune=lambda folder: folder == "b", start_after="a/x") == ["d/"]
        assert opened == [".", "a", "d"]


class Renamed(LocalFileSystem):
    """A local filesystem under a name of which nothing is known."""

    protocol = "odd"

    @classmethod
    def _strip_protocol(cls, path):
        # Of a local filesystem, fsspec before 2026.9 takes off the usual names only.
        return super()._strip_protocol(str(path).removeprefix("odd://"))


class TestLessKnownFilesystems:
    @pytest.fixture
    def odd(self, open_as):
        return open_as(Renamed)

    def test_folders_are_never_removed(self, odd, root):
        odd.put("a/b/file", Body(b"content"))
        odd.delete("a/b/file")
        assert (root / "a" / "b").is_dir()

    def test_empty_folders_are_neither_listed_nor_made(self, odd, root):
        (root / "empty").mkdir()
        assert keys(odd) == []
        with pytest.raises(InvalidKeyError):
            odd.check_key("new/")
        with pytest.raises(InvalidKeyError):
            odd.put("new/", Body(b""))
        odd.delete("empty/")
        assert [path.name for path in root.iterdir()] == ["empty"]

    @pytest.mark.parametrize("name", ["a?b", "a#b", "a%2e", "a\\b", "a:b", "a*", "a[b]", "dot.", "space ", "tab\t"])
    def test_L4_C13_names_that_might_be_altered_are_refused_and_reported(self, odd, root, name):
        for key in (name, f"{name}/below"):
            with pytest.raises(InvalidKeyError):
                odd.check_key(key)
            with pytest.raises(InvalidKeyError):
                odd.put(key, Body(b"content"))
        (root / name).write_bytes(b"content")
        (root / "fine").write_bytes(b"content")
        assert keys(odd) == ["fine"]
        assert len(gaps(odd)) == 1
        with pytest.raises(ObjectNotFoundError):
            odd.stat(name)
        odd.delete(name)
        assert (root / name).exists()


class TestWriting:
    def leftovers(self, root):
        return [name for _, _, names in os.walk(root) for name in names if name.startswith(".cs-")]

    def test_P1_a_filesystem_that_cannot_replace_keeps_the_old_object(self, root, open_as):
        class NoReplace(LocalFileSystem):
            def mv(self, path1, path2, **kwargs):
                if Path(path2).exists():
                    raise FileExistsError(17, "File exists")
                super().mv(path1, path2, **kwargs)

        backend = open_as(NoReplace)
        backend.put("object", Body(b"old"))
        with pytest.raises(KeyBlockedError):
            backend.put("object", Body(b"newer"))
        assert (root / "object").read_bytes() == b"old"
        assert self.leftovers(root) == []

    def test_P1_a_rename_that_does_nothing_is_noticed(self, root, open_as):
        class Silent(LocalFileSystem):
            def mv(self, path1, path2, **kwargs):
                pass

        (root / "object").write_bytes(b"old")
        with pytest.raises(UnexpectedBackendError, match="did not rename"):
            open_as(Silent).put("object", Body(b"new"))
        assert (root / "object").read_bytes() == b"old"
        assert self.leftovers(root) == []

    def test_P2_bytes_that_did_not_arrive_replace_nothing(self, root, open_as):
        class Lossy(LocalFileSystem):
            def info(self, path, **kwargs):
                found = super().info(path, **kwargs)
                return {**found, "size": found["size"] - 1} if ".cs-" in found["name"] else found

        (root / "object").write_bytes(b"old")
        with pytest.raises(IntegrityError, match="2 bytes of 3"):
            open_as(Lossy).put("object", Body(b"new"))
        assert (root / "object").read_bytes() == b"old"
        assert self.leftovers(root) == []

    def test_P2_E12_a_filesystem_without_rename_makes_a_copy(self, open_as):
        class Copying(MemoryFileSystem):
            protocol = "copying"

        backend = open_as(Copying, create=True)
        backend.put("object", Body(b"old"))
        backend.put("object", Body(b"newer"))
        assert backend.stat("object").size == 5
        assert keys(backend) == ["object"]

    def test_a_folder_that_vanishes_while_it_is_written_to_is_made_again(self, local, root):
        local.put("a/one", Body(b"content"))
        (root / "a" / "one").unlink()
        (root / "a").rmdir()
        with pytest.raises(UnavailableError):
            local.put("a/two", Body(b"content"))
        local.put("a/two", Body(b"content"))
        assert keys(local) == ["a/two"]

    def test_a_folder_put_as_a_marker_outlives_its_last_object(self, local):
        local.put("a/b/", Body(b""))
        local.put("a/b/object", Body(b"content"))
        local.delete("a/b/object")
        assert keys(local) == ["a/b/"]
        local.delete("a/b/")
        assert keys(local) == []


class TestLeftovers:
    def abandon(self, root, name, days):
        path = root / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"half")
        os.utime(path, (time.time() - days * 86400,) * 2)

    def test_P6_temporary_files_are_never_listed(self, local, root):
        self.abandon(root, ".cs-0123456789ab.tmp", 0)
        assert keys(local) == []
        assert gaps(local) == []

    def test_P6_the_next_write_collects_what_a_listing_found_abandoned(self, local, root):
        self.abandon(root, "a/.cs-0123456789ab.tmp", 2)
        keys(local)
        assert (root / "a" / ".cs-0123456789ab.tmp").exists(), "a listing changes nothing"
        local.put("object", Body(b"content"))
        assert not (root / "a" / ".cs-0123456789ab.tmp").exists()

    def test_P6_what_may_still_be_written_is_left_alone(self, local, root):
        self.abandon(root, ".cs-0123456789ab.tmp", 0.5)
        keys(local)
        local.put("object", Body(b"content"))
        assert (root / ".cs-0123456789ab.tmp").exists()


class TestTimes:
    def test_the_time_of_the_content_travels(self, local, root):
        (root / "file").write_bytes(b"content")
        os.utime(root / "file", (1_000_000_000.5,) * 2)
        told = local.stat("file")
        assert told.modified_ns == 1_000_000_000_500_000_000
        assert told.attributes.mtime_ns == told.modified_ns

    def test_the_time_of_an_upload_does_not(self, open_as):
        backend = open_as(MemoryFileSystem, create=True)
        written = backend.put("object", Body(b"content"))
        assert written.modified_ns
        assert written.attributes.mtime_ns is None
