"""Directories to work in."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from cloudsync_core.backends.file import FileBackend, FileOptions
from cloudsync_core.location import Location

_NOBODY = 65534


class Tree:
    """A directory, and backends on it."""

    def __init__(self, path):
        self.path = path

    def open(self, **options):
        return FileBackend(Location.parse(str(self.path)), FileOptions(**options))

    def write(self, *keys, data=b"content"):
        for key in keys:
            file = self.path / key
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)

    def everything(self):
        """Return the paths of all that is in the directory."""
        return sorted(str(path.relative_to(self.path)) for path in self.path.rglob("*"))

    @staticmethod
    def keys(backend, prefix="", **hints):
        """Return the keys of a whole listing, whatever its gaps."""
        return [key for page in backend.list(prefix, **hints) for key in page.keys]

    @staticmethod
    def gaps(backend, prefix="", **hints):
        """Return the gaps of a whole listing by key."""
        return {gap.key: gap for page in backend.list(prefix, **hints) for gap in page.gaps}


@pytest.fixture
def tree(tmp_path):
    """Return an empty directory."""
    (tmp_path / "root").mkdir()
    return Tree(tmp_path / "root")


@pytest.fixture
def unprivileged_tree():
    """Return an empty directory in which permissions count: where the tests run as root, this one runs as nobody."""
    path = Path(tempfile.mkdtemp())
    user = os.geteuid()
    if user == 0:
        os.chown(path, _NOBODY, _NOBODY)
        os.seteuid(_NOBODY)
    try:
        yield Tree(path)
    finally:
        if user == 0:
            os.seteuid(0)
        shutil.rmtree(path)
