"""The fsspec backend keeps the contract on filesystems of very different kinds."""

import os
import uuid
from typing import ClassVar

import fsspec
import pytest

from cloudsync_core.backends.fsspec import FsspecBackend, FsspecOptions
from cloudsync_core.location import Location
from cloudsync_core.testing import BackendContract


class TestFsspecMemory(BackendContract):
    """A filesystem without rename, whose folders come and go with their files."""

    @pytest.fixture
    def make_backend(self):
        name = uuid.uuid4().hex
        filesystem = fsspec.filesystem("memory", skip_instance_cache=True)

        def make(root="first"):
            if root != "missing":
                filesystem.makedirs(f"/{name}/{root}", exist_ok=True)
            return FsspecBackend(Location.parse(f"memory://{name}/{root}"))

        yield make
        if filesystem.exists(f"/{name}"):
            filesystem.rm(f"/{name}", recursive=True)

    def leftovers(self, backend):
        filesystem = fsspec.filesystem("memory", skip_instance_cache=True)
        return [path for path in filesystem.find(backend.identity.root) if ".cs-" in path]


class TestFsspecMemoryMadeByTheFirstPut(TestFsspecMemory):
    no_missing_container: ClassVar = "with `create` the first put makes the root"

    @pytest.fixture
    def make_backend(self):
        name = uuid.uuid4().hex
        yield lambda root="first": FsspecBackend(Location.parse(f"memory://{name}/{root}"), FsspecOptions(create=True))
        filesystem = fsspec.filesystem("memory", skip_instance_cache=True)
        if filesystem.exists(f"/{name}"):
            filesystem.rm(f"/{name}", recursive=True)


class TestFsspecLocal(BackendContract):
    """A filesystem with rename, permissions and links."""

    refuses: ClassVar = {
        "name-of-256-bytes": "no common file system holds a name of more than 255 bytes",
        "two-byte-name-of-256-bytes": "the limit counts bytes, not characters",
    }

    @pytest.fixture
    def make_backend(self, tmp_path):
        def make(root="first"):
            if root != "missing":
                (tmp_path / root).mkdir(exist_ok=True)
            return FsspecBackend(Location.parse(f"local://{tmp_path / root}"))

        return make

    def leftovers(self, backend):
        return [name for _, _, names in os.walk(backend.identity.root) for name in names if name.startswith(".cs-")]
