"""What the tests of every layer share."""

import uuid

import pytest

from cloudsync_core.backends.memory import MemoryBackend
from cloudsync_core.location import Location


@pytest.fixture
def memory() -> MemoryBackend:
    """An empty container of its own."""
    return MemoryBackend(Location.parse(f"memory://{uuid.uuid4()}"))
