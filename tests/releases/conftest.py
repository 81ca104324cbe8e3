"""Worlds of releases."""

import pytest

from tests.releases.world import World, in_memory
from tests.workflows.world import FilePlace


@pytest.fixture
def world(tmp_path):
    """An empty directory, whose releases are in a container of this process."""
    return in_memory(tmp_path / "tree", tmp_path / "state" / "state.db")


@pytest.fixture
def on_disk(tmp_path):
    """An empty directory, whose releases are in another one."""
    (tmp_path / "tree").mkdir()
    return World(tmp_path / "tree", FilePlace(tmp_path / "site").open, tmp_path / "state" / "state.db")
