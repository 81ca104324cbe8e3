"""What fsspec does for others and must not do here: caches, patterns, bulk operations, event loops."""

import asyncio
import importlib

import pytest
from fsspec.asyn import AsyncFileSystem
from fsspec.implementations.asyn_wrapper import AsyncFileSystemWrapper
from fsspec.implementations.local import LocalFileSystem

from cloudsync_core.backends.fsspec import FsspecBackend, FsspecOptions
from cloudsync_core.location import Location
from cloudsync_core.testing.clauses.setting import content, names, store

# The package hides its module of that name behind a mapping.
registry = importlib.import_module("fsspec.registry")


class Remembering(LocalFileSystem):
    """Keeps its listings and never refreshes them, as those of object stores do."""

    protocol = "remembering"

    def ls(self, path, detail=False, **arguments):
        path = self._strip_protocol(path)
        try:
            found = self.dircache[path]
        except KeyError:
            found = self.dircache[path] = super().ls(path, detail=True, **arguments)
        return found if detail else [entry["name"] for entry in found]


class Asynchronous(AsyncFileSystemWrapper):
    """Local files behind the event loop of fsspec, as s3fs, adlfs and gcsfs are."""

    protocol = "asynchronous"

    def __init__(self, **options):
        super().__init__(LocalFileSystem(), asynchronous=False, **options)

    def _open(self, path, mode="rb", **options):
        return self.sync_fs.open(path, mode)


BULK = ("copy", "expand_path", "find", "get", "glob", "put", "rm", "walk")
"""Operations of fsspec that take names for patterns, or leave out what fails."""


@pytest.fixture
def root(tmp_path):
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


@pytest.fixture
def open_as(monkeypatch, root):
    """Return a function that opens the root by a filesystem class of the test's own."""

    def opened(filesystem, **options):
        monkeypatch.setitem(registry._registry, filesystem.protocol, filesystem)
        return FsspecBackend(Location(filesystem.protocol, str(root)), FsspecOptions(**options))

    return opened


class TestCaches:
    def test_E01_a_filesystem_that_keeps_its_listings_shows_what_is_there_now(self, open_as, root):
        assert_it_remembers(root)
        backend = open_as(Remembering)
        (root / "a").write_bytes(b"1")
        assert names(backend) == ["a"]
        (root / "b").write_bytes(b"2")
        (root / "a").unlink()
        assert names(backend) == ["b"]

    def test_E06_each_backend_has_filesystems_of_its_own(self, open_as, monkeypatch):
        made = []

        class Counted(LocalFileSystem):
            protocol = "counted"

            def __init__(self, **options):
                super().__init__(**options)
                made.append(self)

        for _ in range(2):
            names(open_as(Counted))
        first, second = made
        assert first is not second
        assert not Counted._cache, "what fsspec keeps, it gives to whoever asks with equal arguments"


def assert_it_remembers(root):
    """The filesystem of the test does go wrong where nobody keeps it from that."""
    filesystem = Remembering(skip_instance_cache=True)
    assert filesystem.ls(str(root)) == []
    (root / "later").write_bytes(b"")
    assert filesystem.ls(str(root)) == []
    (root / "later").unlink()


class TestBulkOperations:
    def test_C17_E07_E12_are_never_used(self, open_as, monkeypatch):
        class Bulkless(LocalFileSystem):
            protocol = "bulkless"

        def refuse(self, *arguments, **options):
            raise AssertionError("an operation that takes names for patterns was used")

        for name in BULK:
            monkeypatch.setattr(Bulkless, name, refuse)
        backend = open_as(Bulkless)
        for key in ("a", "folder/b", "folder/deep/c"):
            store(backend, key, b"first")
            store(backend, key, b"second")
        assert names(backend) == ["a", "folder/b", "folder/deep/c"]
        assert content(backend, "folder/b") == b"second"
        backend.delete("folder/b")
        assert names(backend) == ["a", "folder/deep/c"]


class TestEventLoops:
    def test_E05_a_backend_works_inside_a_loop_that_runs(self, open_as):
        assert issubclass(Asynchronous, AsyncFileSystem)
        backend = open_as(Asynchronous)

        async def use():
            store(backend, "k", b"content")
            return names(backend), content(backend, "k")

        assert asyncio.run(asyncio.wait_for(use(), timeout=20)) == (["k"], b"content")
