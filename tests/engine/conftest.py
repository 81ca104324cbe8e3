"""The two ends of most transfers: a container with one object, and an empty directory."""

import pytest

from cloudsync_core.backends.file import FileBackend, FileOptions
from cloudsync_core.location import Location
from tests.engine.stores import memory, store


@pytest.fixture
def source():
    """A container whose object `k` is `new content`."""
    backend = memory()
    store(backend, "k", b"new content")
    return backend


@pytest.fixture
def tree(tmp_path):
    """An empty directory."""
    return FileBackend(Location.parse(str(tmp_path)), FileOptions(fsync=False))
