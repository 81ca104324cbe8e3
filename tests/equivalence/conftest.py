"""Both ends of a pair, and the process for the runs that are killed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.equivalence.differences import End
from tests.equivalence.doomed import Doomed, started
from tests.equivalence.pairs import Played, play
from tests.equivalence.stores import STORES, Place


@pytest.fixture(scope="session")
def doomed() -> Iterator[Doomed]:
    """What makes the runs that are killed."""
    with started() as process:
        yield process


@pytest.fixture
def fresh_place(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str, str], Place]:
    """Return a function that makes an empty place: in the store of a name, for a side."""

    def make(name: str, side: str) -> Place:
        store, folder = STORES[name], tmp_path / side
        folder.mkdir()
        return store.place(request.getfixturevalue(store.fixture) if store.fixture else None, folder)

    return make


@pytest.fixture
def played(
    source: str, target: str, fresh_place: Callable[[str, str], Place], doomed: Doomed, tmp_path: Path
) -> Played:
    """Play the history between two stores, given by their names."""
    (folder := tmp_path / "job").mkdir()
    killed = STORES[source].outlives_processes and STORES[target].outlives_processes
    return play(fresh_place(source, "source"), fresh_place(target, "target"), folder, doomed if killed else None)


@pytest.fixture
def ends(fresh_place: Callable[[str, str], Place]) -> dict[str, End]:
    """Every store with what it says that it can do."""
    found = {}
    for name, store in STORES.items():
        with fresh_place(name, f"end-{name}").open() as backend:
            found[name] = End(store, backend.capabilities)
    return found
