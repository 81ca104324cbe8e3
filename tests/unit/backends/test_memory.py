"""The memory backend keeps the contract, and containers live as long as the process."""

import uuid

import pytest

from cloudsync_core.backends.memory import MemoryBackend, MemoryOptions
from cloudsync_core.location import Location
from cloudsync_core.testing import BackendContract


def memory(place, *, create=True):
    return MemoryBackend(Location.parse(f"memory://{place}"), MemoryOptions(create=create))


class TestMemory(BackendContract):
    @pytest.fixture
    def make_backend(self):
        name = uuid.uuid4().hex
        return lambda root="first": memory(f"{name}-{root}", create=root != "missing")


class TestMemoryUnderAPrefix(BackendContract):
    @pytest.fixture
    def make_backend(self):
        name = uuid.uuid4().hex
        return lambda root="first": memory(f"{name}-{root}/some/prefix", create=root != "missing")
