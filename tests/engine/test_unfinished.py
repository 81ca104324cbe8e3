"""What is recorded of puts outlives the process, one row each, and disturbs nobody."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest

from cloudsync_core.engine import unfinished
from cloudsync_core.engine.state import State
from cloudsync_core.engine.unfinished import Unfinished
from cloudsync_core.errors import StateError


@pytest.fixture
def path(tmp_path):
    """A database that knows two jobs."""
    with State(tmp_path / "state.db") as state:
        for name in ("one", "two"):
            state.open_job(name, "source", f"target of {name}").close()
    return tmp_path / "state.db"


def test_H03_a_token_is_there_for_the_next_process(path):
    with State(path) as state:
        Unfinished(state, 1).begin("key", "version 1").save("token")
    with State(path) as state:
        again = Unfinished(state, 1).begin("key", "version 1")
        assert again.token == "token"
        again.forget()
    with State(path) as state:
        assert Unfinished(state, 1).begin("key", "version 1").token is None


def test_H01_a_token_is_for_one_version_of_one_object_of_one_job(path):
    with State(path) as state:
        Unfinished(state, 1).begin("key", "version 1").save("token")
        assert Unfinished(state, 1).begin("key", "version 2").token is None
        assert Unfinished(state, 1).begin("other", "version 1").token is None
        assert Unfinished(state, 2).begin("key", "version 1").token is None


def test_H01_nothing_is_recorded_of_an_object_whose_changes_would_not_show(path):
    with State(path) as state:
        assert Unfinished(state, 1).begin("key", "") is None


def test_H03_a_new_token_takes_the_place_of_the_old_one(path):
    with State(path) as state:
        found = Unfinished(state, 1)
        found.begin("key", "version 1").save("old")
        found.begin("key", "version 2").save("new")
        assert [(record.source, record.token) for record in unfinished.records(state, 1)] == [("version 2", "new")]


def test_many_threads_record_at_once(path):
    with State(path) as state:
        found = Unfinished(state, 1)

        def work(number):
            recording = found.begin(f"key {number}", "version")
            recording.save(f"token {number}")
            recording.kept(1)
            if number % 2:
                recording.forget()

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(40)))
        assert len(unfinished.records(state, 1)) == 20


def test_a_database_that_is_read_only_is_not_changed(path):
    with State(path, read_only=True) as state:
        Unfinished(state, 1).begin("key", "version").save("token")
        assert unfinished.records(state, 1) == []


def test_what_cannot_be_recorded_fails_no_transfer(path, caplog):
    with State(path) as state:
        recording = Unfinished(state, 1).begin("key \udcff", "version")
        recording.save("token")
        assert recording.token is None
    assert "cannot be recorded" in caplog.text


def test_a_database_from_before_there_were_records_is_read(path):
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE IF EXISTS unfinished")
    connection.close()
    with State(path) as state:
        assert unfinished.records(state, 1) == []
        unfinished.forget(state, [])


def test_the_jobs_of_a_target_are_locked_meanwhile(path):
    with State(path) as state, State(path) as other:
        with state.jobs_of_target("target of one") as jobs:
            assert jobs == [1]
            with pytest.raises(StateError, match="already being run"):
                other.open_job("one", "source", "target of one")
            other.open_job("two", "source", "target of two").close()
        other.open_job("one", "source", "target of one").close()
