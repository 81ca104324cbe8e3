"""The same faults on the stores that no proxy can stand before: calls go wrong between the engine and the store."""

import uuid

import pytest

from cloudsync_core.backends.file import FileBackend, FileOptions
from cloudsync_core.backends.fsspec import FsspecBackend, FsspecOptions
from cloudsync_core.backends.memory import MemoryBackend, MemoryOptions
from cloudsync_core.errors import AccessDeniedError, PreconditionFailedError, ThrottledError, UnavailableError
from cloudsync_core.location import Location
from cloudsync_core.testing.faults import (
    CutOff,
    EmptyPage,
    EndEarly,
    FailOnPage,
    Faulty,
    Flip,
    LoseAnswer,
    Raise,
    RepeatPage,
    Shorten,
    at,
)
from tests.engine.stores import contents, store
from tests.faults.conftest import ATTEMPTS
from tests.workflows.world import Paged, World

SOURCE = {"key": b"the newer content, which is longer", "same": b"same"}
TARGET = {"key": b"the older content", "same": b"same", "old-1": b"old", "old-2": b"old"}

_THROTTLED = Raise(ThrottledError("slow down", retry_after=0.001))
_DOWN = Raise(UnavailableError("down"))

PASSING = {
    "source-get-throttled": ("source", "get", _THROTTLED),
    "source-get-unavailable": ("source", "get", _DOWN),
    "source-get-cut-off": ("source", "get", CutOff(5)),
    "source-get-shortened": ("source", "get", Shorten(5)),
    "source-get-flipped": ("source", "get", Flip(5)),
    "source-list-unavailable": ("source", "list", _DOWN),
    "source-list-fails-on-a-page": ("source", "list", FailOnPage(2)),
    "target-list-fails-on-a-page": ("target", "list", FailOnPage(2)),
    "target-put-throttled": ("target", "put", _THROTTLED),
    "target-put-cut-off": ("target", "put", CutOff(5)),
    "target-put-shortened": ("target", "put", Shorten(5)),
    "target-put-flipped": ("target", "put", Flip(5)),
    "target-put-answer-lost": ("target", "put", LoseAnswer()),
    "target-delete-throttled": ("target", "delete", _THROTTLED),
    "target-delete-answer-lost": ("target", "delete", LoseAnswer()),
    "target-deletes-unavailable": ("target", "delete_many", _DOWN),
    "target-deletes-answer-lost": ("target", "delete_many", LoseAnswer()),
}
"""What another attempt mends: the side, the verb, the trouble."""

FATAL = {
    "get": ("source", "get", Raise(AccessDeniedError("no"))),
    "put": ("target", "put", Raise(PreconditionFailedError("somebody else's"))),
}


def _file(folder):
    folder.mkdir()
    return lambda: FileBackend(Location.parse(str(folder)), FileOptions(fsync=False))


def _memory(folder):
    url = f"memory://{uuid.uuid4()}"
    MemoryBackend(Location.parse(url), MemoryOptions(create=True)).close()
    return lambda: MemoryBackend(Location.parse(url), MemoryOptions(create=True))


def _fsspec(folder):
    folder.mkdir()
    return lambda: FsspecBackend(Location.parse(f"local://{folder}"), FsspecOptions())


STORES = {"file": _file, "memory": _memory, "fsspec": _fsspec}


class Pair:
    """Two stores and a mirror between them, of which some calls go wrong."""

    def __init__(self, source, target):
        self.places = {"source": source, "target": target}
        self.faulty = []

    def mirror(self, *troubles, times=1, **rules):
        """Run it; each trouble is a side, a verb and what happens to its next calls."""
        chosen = {
            side: [
                at(verb, trouble, "key" if verb in {"get", "put"} else None, times=times)
                for on, verb, trouble in troubles
                if on == side
            ]
            for side in self.places
        }

        def opened(side):
            found = Faulty(Paged(self.places[side](), size=1), *chosen[side])
            self.faulty.append(found)
            return found

        world = World(lambda: opened("source"), lambda: opened("target"), rules={"retries": ATTEMPTS, "delete": True})
        return world.mirror(**rules)

    @property
    def met(self):
        return sum(len(faulty.met) for faulty in self.faulty)

    @property
    def target(self):
        return contents(self.places["target"]())


PAIRS = ("memory-file", "file-memory", "file-fsspec", "fsspec-file")
UNKNOWABLE = {
    *((pair, "source-get-flipped") for pair in ("file-memory", "file-fsspec", "fsspec-file")),
    ("memory-file", "target-put-flipped"),
}
"""Nobody has a digest of what a disk holds: what it reads wrongly is right for all who ask, and what it was given by a
source that vouches for it is believed to be there (P4)."""


def passing(*without):
    """Return each pair with each trouble, but for those troubles whose names hold one of these words."""
    return [
        pytest.param(pair, trouble, id=f"{pair}-{trouble}")
        for pair in PAIRS
        for trouble in PASSING
        if (pair, trouble) not in UNKNOWABLE and not any(word in trouble for word in without)
    ]


@pytest.fixture
def pair(request, tmp_path, without_pauses):
    source, target = (
        STORES[kind](tmp_path / side) for kind, side in zip(request.param.split("-"), ("source", "target"), strict=True)
    )
    for place, objects in ((source, SOURCE), (target, TARGET)):
        backend = place()
        for key, content in objects.items():
            store(backend, key, content)
    return Pair(source, target)


@pytest.mark.parametrize(("pair", "trouble"), passing(), indirect=["pair"])
def test_D16_D18_F01_once_is_mended_by_another_attempt(pair, trouble):
    report = pair.mirror(PASSING[trouble])
    assert pair.met == 1
    assert (report.status, report.counts.updated, report.counts.deleted) == ("done", 1, 2)
    assert pair.target == SOURCE
    again = pair.mirror()
    assert (again.counts.updated, again.counts.deleted) == (0, 0)


@pytest.mark.parametrize(("pair", "trouble"), passing("delete", "lost"), indirect=["pair"])
def test_D16_D18_always_deletes_nothing_and_leaves_nothing_wrong(pair, trouble):
    report = pair.mirror(PASSING[trouble], times=None)
    assert pair.met
    assert report.status == ("aborted" if "list" in trouble else "partial")
    assert report.counts.deleted == 0
    assert {**pair.target, "key": TARGET["key"]} == TARGET
    assert pair.target.get("key") in {None, TARGET["key"], SOURCE["key"]}
    assert pair.mirror().status == "done"
    assert pair.target == SOURCE


@pytest.mark.parametrize("pair", PAIRS, indirect=True)
@pytest.mark.parametrize("trouble", FATAL)
def test_A06_what_no_attempt_mends_is_tried_once_and_holds_back_the_deletes(pair, trouble):
    report = pair.mirror(FATAL[trouble], times=None)
    assert pair.met == 1
    assert (report.status, report.counts.failed, report.counts.deleted, report.deletes_withheld) == ("partial", 1, 0, 2)
    assert pair.target == TARGET


@pytest.mark.parametrize("pair", PAIRS, indirect=True)
@pytest.mark.parametrize("lie", [EndEarly(0), EndEarly(1), EmptyPage(1), EmptyPage(2)], ids=repr)
def test_A10_a_source_that_lies_about_its_end_is_caught_by_the_limits(pair, lie):
    report = pair.mirror(("source", "list", lie), max_delete="50%")
    assert pair.met == 1
    assert (report.status, report.counts.deleted) == ("refused", 0)
    assert set(pair.target) == set(TARGET)


@pytest.mark.parametrize("pair", PAIRS, indirect=True)
@pytest.mark.parametrize("side", ["source", "target"])
def test_A13_A21_a_listing_that_turns_in_a_circle_deletes_nothing(pair, side):
    report = pair.mirror((side, "list", RepeatPage(1, 3)), times=None)
    assert pair.met
    assert (report.status, report.counts.deleted) == ("aborted", 0)
    assert set(pair.target) == set(TARGET)


@pytest.mark.parametrize("pair", PAIRS, indirect=True)
@pytest.mark.parametrize("lie", [EndEarly(0), EndEarly(1), EmptyPage(1), EmptyPage(2)], ids=repr)
def test_a_target_that_lies_about_its_objects_loses_none_of_them(pair, lie):
    """What it hides is not deleted, and what is written over it is what the source has."""
    pair.mirror(("target", "list", lie))
    assert pair.met == 1
    assert {"same": pair.target["same"], "key": pair.target["key"]} in (SOURCE, {**SOURCE, "key": TARGET["key"]})
    assert pair.mirror().status == "done"
    assert pair.target == SOURCE
