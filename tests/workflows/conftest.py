"""Worlds of every combination of the two built-in stores."""

import itertools

import pytest

from cloudsync_core.workflows import watching
from tests.workflows.world import FilePlace, MemoryPlace, World

PLACES = {f"{source}-{target}": (source, target) for source, target in itertools.product(["memory", "file"], repeat=2)}


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Watching that looks often whether it may go on, and tries again soon."""
    monkeypatch.setattr(watching, "_ALIVE_EVERY", 0.1)
    monkeypatch.setattr(watching, "_FIRST_PAUSE", 0.05)


@pytest.fixture
def state(tmp_path):
    return tmp_path / "state" / "state.db"


@pytest.fixture(params=PLACES)
def world(request, tmp_path, state):
    """A job between two empty places, of each combination of stores."""
    source, target = (
        MemoryPlace() if kind == "memory" else FilePlace(tmp_path / side)
        for side, kind in zip(("source", "target"), PLACES[request.param], strict=True)
    )
    return World(source.open, target.open, state)


@pytest.fixture
def memory_world(state):
    """A job between two empty containers."""
    return World(MemoryPlace().open, MemoryPlace().open, state)


@pytest.fixture
def tree(tmp_path):
    """A directory, and a job from it to an empty container: `tree.path` and `tree.world`."""
    place = FilePlace(tmp_path / "tree")
    place.world = World(place.open, MemoryPlace().open, tmp_path / "state" / "state.db")
    return place
