"""An old copy of the state database is put back, whichever run it is of: nothing wrong is deleted or kept (H05)."""

import shutil

import pytest

from cloudsync_core.runs import Counts
from tests.workflows.world import NO_REQUEST_PER_OBJECT, contents, requests_per_object, store

RULES = {"delete": True}


def begin(source, target):
    for key in ("a", "b", "c", "folder/d"):
        store(source, key, b"1 of " + key.encode())
    store(target, "never-on-source")


def edit(source, _):
    store(source, "a", b"2 of a")
    store(source, "folder/e", b"1 of e")


def edit_back(source, _):
    """The content of before, of the same length."""
    store(source, "a", b"1 of a")


def remove(source, _):
    source.delete("b")
    source.delete("folder/d")


def bring_back(source, _):
    store(source, "b", b"2 of b")
    store(source, "folder/d", b"1 of folder/d")


def tamper(_, target):
    store(target, "c", b"x of c")
    store(target, "stray")
    target.delete("a")


def swap(source, target):
    """Both sides have what the other had."""
    store(source, "c", b"x of c")
    store(target, "c", b"1 of c")


HISTORY = (begin, edit, edit_back, remove, bring_back, tamper, swap)
AFTER = {
    "nothing": lambda *_: None,
    "edits": lambda source, _: [store(source, "a", b"3 of a"), source.delete("c")],
    "drift": lambda _, target: [store(target, "a", b"y of a"), target.delete("b"), store(target, "b2")],
    "the state of the beginning": lambda source, _: [store(source, key, b"1 of " + key.encode()) for key in "abc"],
}


@pytest.fixture
def copies(world, state, tmp_path):
    """The state database after each run of the history."""
    made = []
    for number, step in enumerate(HISTORY):
        step(world.source(), world.target())
        assert world.mirror(**RULES).status == "done"
        assert contents(world.target()) == contents(world.source())
        made.append(shutil.copytree(state.parent, tmp_path / f"copy-{number}"))
    return made


@pytest.mark.parametrize("after", AFTER)
def test_H05_a_copy_of_any_run_is_no_danger(world, state, copies, after):
    wanted = None
    for copy in copies:
        shutil.rmtree(state.parent)
        shutil.copytree(copy, state.parent)
        AFTER[after](world.source(), world.target())
        wanted = contents(world.source())
        before = contents(world.target())
        report = world.mirror(**RULES)
        assert (report.status, contents(world.source())) == ("done", wanted)
        assert contents(world.target()) == wanted
        # What had to be done was done, and no object was touched that was right already.
        assert report.counts.deleted == len(before.keys() - wanted.keys())
        assert report.counts.added == len(wanted.keys() - before.keys())
        assert report.counts.updated == sum(before[key] != wanted[key] for key in before.keys() & wanted.keys())
        assert requests_per_object(world.mirror(**RULES)) == NO_REQUEST_PER_OBJECT
    assert wanted


def test_H05_without_delete_a_copy_of_any_run_deletes_nothing(world, state, copies):
    store(world.target(), "only-here")
    world.source().delete("a")
    before = contents(world.target())
    for copy in copies:
        shutil.rmtree(state.parent)
        shutil.copytree(copy, state.parent)
        assert world.mirror().counts == Counts(unchanged=len(before))
        assert contents(world.target()) == before
