"""What a target can do is found out before the first write, and remembered for a week (E11)."""

import dataclasses
import logging
import sqlite3
import time

import pytest

from cloudsync_core.engine.lease import KEY
from cloudsync_core.engine.probing import BELIEVED_SECONDS, find_out
from cloudsync_core.engine.state import State
from cloudsync_core.errors import UnavailableError
from cloudsync_core.layers.layer import Layer
from tests.engine.stores import contents, store
from tests.workflows.world import MemoryPlace, World


class Undecided(Layer):
    """A store of which nobody has said whether it honours conditions.

    Args:
        inner: the store.
        found: what trying shows.
        error: trying ends by it.
    """

    def __init__(self, inner, found="yes", error=None):
        super().__init__(inner)
        self.found, self.error, self.known = found, error, []
        self._honours = False

    @property
    def capabilities(self):
        honours = dict.fromkeys(("put_if_absent", "put_if_match", "delete_if_match"), self._honours)
        return dataclasses.replace(self.inner.capabilities, **honours)

    def probe(self, known=None):
        self.known.append(known)
        if self.error is not None:
            raise self.error
        self._honours = (known or self.found) == "yes"
        return known or self.found

    def close(self):
        pass


@pytest.fixture
def place():
    return MemoryPlace()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state.db"


def known_to(place, path, **how):
    """Return what a target is told that was found earlier."""
    target = Undecided(place.open(), **how)
    with State(path) as state:
        find_out(target, state)
    return target.known


class TestMemory:
    def test_E11_what_was_found_is_told_to_the_next_run(self, place, path):
        assert known_to(place, path) == [None]
        assert known_to(place, path) == ["yes"]

    def test_of_another_place_nothing_is_believed(self, place, path):
        known_to(place, path)
        assert known_to(MemoryPlace(), path) == [None]

    @pytest.mark.parametrize("seconds", [BELIEVED_SECONDS + 1, -60])
    def test_what_was_found_too_long_ago_or_in_the_future_is_not(self, place, path, seconds):
        known_to(place, path)
        with sqlite3.connect(path) as connection:
            connection.execute("UPDATE probed SET at = ?", (time.time() - seconds,))
        connection.close()
        assert known_to(place, path) == [None]
        assert known_to(place, path) == ["yes"]

    def test_what_could_not_be_found_out_is_not_remembered(self, place, path, caplog):
        caplog.set_level(logging.INFO)
        assert known_to(place, path, error=UnavailableError("down", operation="probe", location="x")) == [None]
        assert "nothing is taken for granted" in caplog.text
        assert known_to(place, path) == [None]

    def test_what_needs_no_finding_out_is_not_remembered(self, place, path):
        with State(path) as state:
            find_out(place.open(), state)
        assert known_to(place, path) == [None]

    def test_what_was_found_is_in_the_log(self, place, path, caplog):
        caplog.set_level(logging.INFO)
        known_to(place, path)
        assert "was found to honour: put_if_absent, put_if_match, delete_if_match" in caplog.text
        known_to(place, path)
        assert "is known to honour: put_if_absent" in caplog.text
        known_to(MemoryPlace(), path, found="no")
        assert "was found to honour: no condition" in caplog.text


class Watching(Undecided):
    """Tells under which conditions objects are written and removed."""

    def __init__(self, inner, **how):
        super().__init__(inner, **how)
        self.conditions = {}

    def put(self, key, body, **how):
        self.conditions[key] = type(how["condition"]).__name__
        return self.inner.put(key, body, **how)

    def delete_many(self, items):
        self.conditions |= {key: version is not None for key, version in items}
        return self.inner.delete_many(items)


class TestRuns:
    @pytest.fixture
    def world(self, place, path):
        source = MemoryPlace()
        store(source.open(), "new")
        store(source.open(), "changed", b"longer than before")
        for key in ("changed", "old"):
            store(place.open(), key)
        self.target = Watching(place.open())
        return World(source.open, lambda: self.target, path, {"server_copy": False, "delete": True})

    @pytest.mark.parametrize("lease", [True, False])
    def test_E11_what_was_found_counts_from_the_first_write_on(self, world, lease):
        assert world.mirror(lease=lease).status == "done"
        assert self.target.conditions.pop(KEY, None) == ("IfAbsent" if lease else None)
        assert self.target.conditions == {"new": "IfAbsent", "changed": "IfMatch", "old": True}
        assert len(self.target.known) == 1
        assert sorted(contents(world.target())) == ["changed", "new"]

    def test_E11_a_run_that_only_deletes_finds_out_first(self, world, place):
        world.mirror(lease=False)
        store(place.open(), "old")
        self.target = Watching(place.open())
        assert world.mirror(lease=False).counts.deleted == 1
        assert self.target.conditions == {"old": True}

    @pytest.mark.parametrize("how", [{"found": "no"}, {"error": UnavailableError("down", operation="probe")}])
    def test_E11_without_conditions_there_is_no_lease(self, world, place, how):
        self.target = Watching(place.open(), **how)
        assert world.mirror(lease=True).status == "done"
        assert self.target.conditions == {"new": "Always", "changed": "Always", "old": False}

    def test_P12_a_dry_run_and_a_run_with_nothing_to_do_try_nothing(self, world, place):
        world.mirror(dry_run=True)
        assert self.target.known == []
        world.mirror()
        self.target = Watching(place.open())
        world.mirror()
        assert self.target.known == []
