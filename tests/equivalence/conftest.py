"""Both ends of a pair, and the process for the runs that are killed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.equivalence.doomed import Doomed, started
from tests.equivalence.ends import End
from tests.equivalence.pairs import Played, play
from tests.equivalence.stores import STORES, Place
from tests.pauses import leave_out


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    leave_out(monkeypatch)


@pytest.fixture(scope="session")
def doomed() -> Iterator[Doomed]:
    """What makes the runs that are killed."""
    with started() as process:
        yield process


@pytest.fixture
def fresh_place(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str, str], Place]:
    """Return a function that makes an empty place in the store of a name; the second name is for the test alone."""

    def make(name: str, called: str) -> Place:
        return _place(request, name, tmp_path / called)

    return make


@pytest.fixture
def played(fresh_place: Callable[[str, str], Place], doomed: Doomed, tmp_path: Path) -> Callable[..., Played]:
    """Return a function that plays the history between two stores, given by their names, with rules of the job."""

    def between(source: str, target: str, **rules: Any) -> Played:
        (folder := tmp_path / "job").mkdir()
        killed = STORES[source].outlives_processes and STORES[target].outlives_processes
        places = fresh_place(source, "source"), fresh_place(target, "target")
        return play(*places, folder, doomed if killed else None, rules)

    return between


@pytest.fixture(scope="session")
def ends(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, End]:
    """Every store with what it says that it can do."""
    found = {}
    for name, store in STORES.items():
        with _place(request, name, tmp_path_factory.mktemp("end") / name).open() as backend:
            found[name] = End(store, backend.capabilities)
    return found


def _place(request: pytest.FixtureRequest, name: str, folder: Path) -> Place:
    store = STORES[name]
    folder.mkdir()
    return store.place(request.getfixturevalue(store.fixture) if store.fixture else None, folder)
