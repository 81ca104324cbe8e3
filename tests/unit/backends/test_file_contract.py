"""The file backend keeps the contract."""

import os
from typing import ClassVar

import pytest

from cloudsync_core.backends.file import FileBackend, FileOptions
from cloudsync_core.location import Location
from cloudsync_core.testing import BackendContract


class FileContract(BackendContract):
    options = FileOptions()
    refuses: ClassVar = {
        "name-of-256-bytes": "no common file system holds a name of more than 255 bytes",
        "two-byte-name-of-256-bytes": "the limit counts bytes, not characters",
    }

    @pytest.fixture
    def make_backend(self, tmp_path):
        def make(root="first"):
            if root != "missing":
                (tmp_path / root).mkdir(exist_ok=True)
            return FileBackend(Location.parse(str(tmp_path / root)), self.options)

        return make

    def leftovers(self, backend):
        root = backend.identity.root
        return [name for _, _, names in os.walk(root) for name in names if name.startswith(".cs-")]


class TestFile(FileContract):
    pass


class TestFileThatFollowsLinks(FileContract):
    options = FileOptions(symlinks="follow", fsync=False)
