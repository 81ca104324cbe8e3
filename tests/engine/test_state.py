"""The state database: what was last known equal, and how runs ended."""

import contextlib
import dataclasses
import fcntl
import os
import sqlite3
import stat
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudsync_core.engine import base as base_module
from cloudsync_core.engine import state as module
from cloudsync_core.engine.diff import BaseRow
from cloudsync_core.engine.state import State
from cloudsync_core.errors import StateError
from cloudsync_core.runs import RunInfo, RunReport
from tests.engine.objects import ANY_NAMES, NAMES

JOB = ("site", "file:///a/", "memory://b/")
ROW = BaseRow("s", "t", "md5:00")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "state.db"


@pytest.fixture
def state(path):
    with State(path) as opened:
        yield opened


def rows(job):
    return {key: page[index] for page in job.pages() for index, key in enumerate(page.keys)}


def count(state):
    with state.using() as connection:
        return connection.execute("SELECT count(*) FROM base").fetchone()[0]


def soon(condition):
    """Wait for what another thread is about to bring about."""
    limit = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.001)


def report(run_id, job="site", started=0.0, status="done"):
    return RunReport(RunInfo(run_id, job, "mirror", "a", "b", False, started), status)


class TestBase:
    def test_comes_back_as_it_was_recorded(self, path):
        recorded = {"a": ROW, "b": BaseRow(None, "t", None), "é\n/": BaseRow("", "", "")}
        with State(path) as state:
            job = state.open_job(*JOB)
            for key, row in recorded.items():
                job.record(key, row)
            job.close()
        with State(path) as state:
            job = state.open_job(*JOB)
            assert rows(job) == recorded
            job.close()

    def test_the_last_word_about_a_key_counts(self, state):
        job = state.open_job(*JOB)
        job.record("a", ROW)
        job.forget("a")
        job.record("b", ROW)
        job.save()
        job.forget("b")
        job.record("b", BaseRow("new", "t", None))
        assert rows(job) == {"b": BaseRow("new", "t", None)}
        job.close()

    def test_what_was_just_noted_is_in_the_pages(self, state):
        job = state.open_job(*JOB)
        job.record("a", ROW)
        assert rows(job) == {"a": ROW}
        job.close()

    @settings(max_examples=60, deadline=None)
    @given(
        recorded=st.dictionaries(
            NAMES | ANY_NAMES, st.builds(BaseRow, *[st.none() | st.text(st.characters(exclude_categories=["Cs"]))] * 3)
        )
    )
    def test_L4_any_key_and_any_fingerprint_comes_back_exactly(self, recorded):
        with State(None) as state:
            job = state.open_job(*JOB)
            for key, row in recorded.items():
                job.record(key, row)
            assert rows(job) == recorded
            for key in recorded:
                job.forget(key)
            assert rows(job) == {}
            job.close()

    @settings(max_examples=60, deadline=None)
    @given(names=st.lists(NAMES | ANY_NAMES, max_size=12, unique=True))
    def test_A12_pages_come_in_the_order_of_the_keys(self, names):
        with State(None) as state, pytest.MonkeyPatch.context() as patch:
            patch.setattr(base_module, "PAGE_LENGTH", 3)
            job = state.open_job(*JOB)
            for name in names:
                job.record(name, ROW)
            assert [key for page in job.pages() for key in page.keys] == sorted(names)
            job.close()

    @pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 6, 7])
    def test_pages_are_whole_at_every_boundary(self, state, monkeypatch, count):
        monkeypatch.setattr(base_module, "PAGE_LENGTH", 3)
        job = state.open_job(*JOB)
        for number in range(count):
            job.record(str(number), ROW)
        assert [len(page.keys) for page in job.pages()] == [3] * (count // 3) + ([count % 3] if count % 3 else [])
        job.close()

    def test_what_is_noted_while_it_is_read_does_not_disturb(self, state, monkeypatch):
        monkeypatch.setattr(base_module, "PAGE_LENGTH", 2)
        monkeypatch.setattr(base_module, "BATCH_LENGTH", 1)
        job = state.open_job(*JOB)
        for key in "abcdef":
            job.record(key, ROW)
        seen = []
        for page in job.pages():
            for key in page.keys:
                seen.append(key)
                job.record(key, BaseRow("new", "new", None))
                job.forget("a")
        assert seen == list("abcdef")
        job.close()

    def test_is_written_in_batches(self, state, monkeypatch):
        monkeypatch.setattr(base_module, "BATCH_LENGTH", 3)
        monkeypatch.setattr(base_module, "BATCH_SECONDS", 1e9)
        job = state.open_job(*JOB)
        for key in "ab":
            job.record(key, ROW)
        assert count(state) == 0
        for key in "cd":
            job.record(key, ROW)
        soon(lambda: count(state) == 3)
        job.close()
        assert count(state) == 4

    def test_is_written_after_a_while_too(self, state, monkeypatch):
        monkeypatch.setattr(base_module, "BATCH_SECONDS", -1)
        job = state.open_job(*JOB)
        job.record("a", ROW)
        soon(lambda: count(state) == 1)
        job.close()


class TestWriting:
    def test_that_fails_is_told_at_the_next_call_and_nothing_later_is_written(self, state, monkeypatch):
        monkeypatch.setattr(base_module, "BATCH_LENGTH", 1)
        job = state.open_job(*JOB)
        job.record("a", ROW)
        job.save()
        with state.using() as connection:
            connection.execute("ALTER TABLE base RENAME TO elsewhere")
        job.record("b", ROW)
        with pytest.raises(StateError, match="cannot be used"):
            job.save()
        with state.using() as connection:
            connection.execute("ALTER TABLE elsewhere RENAME TO base")
        with pytest.raises(StateError, match="cannot be used"):
            job.record("c", ROW)
        with pytest.raises(StateError, match="cannot be used"):
            job.close()
        assert count(state) == 1

    def test_that_fails_in_a_way_that_nobody_expected_is_told_too(self, state, monkeypatch):
        def fail(*_):
            raise RuntimeError("a defect")

        monkeypatch.setattr(base_module, "_write", fail)
        monkeypatch.setattr(base_module, "BATCH_LENGTH", 1)
        job = state.open_job(*JOB)
        job.record("a", ROW)
        with pytest.raises(RuntimeError, match="a defect"):
            job.save()
        with pytest.raises(RuntimeError, match="a defect"):
            job.close()

    def test_a_fingerprint_that_is_no_text_is_not_remembered(self, state):
        job = state.open_job(*JOB)
        job.record("a", BaseRow("\udcff", "t", None))
        job.record("b", BaseRow("s", "\udcff", "md5:00"))
        job.record("c", ROW)
        assert rows(job) == {"a": BaseRow(None, "t", None), "b": BaseRow("s", None, "md5:00"), "c": ROW}
        job.close()

    def test_waits_for_the_disk_when_too_much_is_noted(self, state, path, monkeypatch):
        monkeypatch.setattr(base_module, "BATCH_LENGTH", 1)
        job = state.open_job(*JOB)
        noted = []

        def note():
            for key in "abcdefghij":
                job.record(key, ROW)
                noted.append(key)

        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            noting = threading.Thread(target=note)
            noting.start()
            noting.join(0.3)
            waiting = len(noted)
            other.execute("ROLLBACK")
            noting.join()
        assert waiting <= base_module.BATCHES_WAITING + 1
        job.close()
        assert count(state) == 10

    def test_leaves_no_thread_behind(self, state):
        before = threading.active_count()
        job = state.open_job(*JOB)
        job.record("a", ROW)
        job.save()
        assert threading.active_count() == before + 1
        job.close()
        assert threading.active_count() == before


class TestJobs:
    def test_do_not_see_each_other(self, state):
        first, second = state.open_job("one", "a", "b"), state.open_job("two", "a", "b")
        first.record("k", ROW)
        second.record("other", ROW)
        assert (list(rows(first)), list(rows(second))) == (["k"], ["other"])
        first.close()
        second.close()

    @pytest.mark.parametrize("place", [("elsewhere", "memory://b/"), ("file:///a/", "elsewhere")])
    def test_H05_whose_locations_change_start_with_an_empty_base(self, state, place):
        job = state.open_job(*JOB)
        job.record("k", ROW)
        job.close()
        moved = state.open_job("site", *place)
        assert rows(moved) == {}
        moved.close()
        back = state.open_job(*JOB)
        assert rows(back) == {"k": ROW}
        back.close()

    def test_F06_that_run_are_locked_and_the_holder_is_named(self, state, path):
        job = state.open_job(*JOB)
        with (
            State(path) as other,
            pytest.raises(StateError, match=f"job 'site' is already being run by process {os.getpid()}"),
        ):
            other.open_job(*JOB)
        job.close()
        with State(path) as other:
            other.open_job(*JOB).close()

    def test_others_run_meanwhile(self, state, path):
        job = state.open_job(*JOB)
        with State(path) as other:
            beside = other.open_job("beside", "a", "b")
            beside.record("k", ROW)
            job.record("k", ROW)
            beside.close()
        job.close()

    def test_may_be_looked_at_while_they_run(self, state, path):
        job = state.open_job(*JOB)
        job.record("k", ROW)
        job.save()
        with State(path, read_only=True) as other:
            assert rows(other.open_job(*JOB)) == {"k": ROW}
        job.close()

    def test_a_lock_that_cannot_be_taken_is_an_error_that_says_so(self, state, path, monkeypatch):
        def refuse(*_):
            raise OSError(37, "No locks available")

        monkeypatch.setattr(fcntl, "flock", refuse)
        with pytest.raises(StateError, match="cannot be taken: No locks available"):
            state.open_job(*JOB)


class TestRuns:
    def test_that_never_ended_show(self, state):
        state.start_run("1", "site", 5.0)
        [run] = state.runs()
        assert (run.id, run.job, run.started, run.status, run.report) == ("1", "site", 5.0, None, None)

    def test_hold_their_report(self, state):
        state.start_run("1", "site", 5.0)
        state.finish_run(report("1", status="partial"))
        [run] = state.runs()
        assert (run.status, run.report) == ("partial", report("1", status="partial").to_dict())

    def test_hold_no_secret_that_a_server_has_quoted(self, path):
        with State(path, redact=lambda text: text.replace("hunter2", "***")) as state:
            state.start_run("1", "site", 5.0)
            state.finish_run(dataclasses.replace(report("1"), message="your key was hunter2"))
            [run] = state.runs()
        assert run.report["message"] == "your key was ***"
        assert b"hunter2" not in path.read_bytes()

    def test_come_newest_first(self, state):
        for number in (2, 3, 1):
            state.start_run(str(number), f"job{number % 2}", float(number))
        assert [run.id for run in state.runs()] == ["3", "2", "1"]
        assert [run.id for run in state.runs(limit=2)] == ["3", "2"]
        assert [run.id for run in state.runs("job1")] == ["3", "1"]

    def test_are_kept_in_bounded_number_job_by_job(self, state, monkeypatch):
        monkeypatch.setattr(module, "RUNS_KEPT", 3)
        state.start_run("other", "other", 0.0)
        for number in range(5):
            state.start_run(str(number), "site", float(number))
            state.finish_run(report(str(number), started=float(number)))
        assert [run.id for run in state.runs("site", limit=99)] == ["4", "3", "2"]
        assert [run.id for run in state.runs("other", limit=99)] == ["other"]


class TestWithoutAFile:
    def test_remembers_as_long_as_it_is_open(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        with State(None) as state:
            job = state.open_job(*JOB)
            job.record("k", ROW)
            assert rows(job) == {"k": ROW}
            job.close()
        with State(None) as state:
            assert rows(state.open_job(*JOB)) == {}
        assert list(tmp_path.iterdir()) == []


class TestReadOnly:
    def test_a_missing_file_is_an_empty_database_and_stays_missing(self, path, tmp_path):
        with State(path, read_only=True) as state:
            job = state.open_job(*JOB)
            job.record("k", ROW)
            assert rows(job) == {}
            assert state.runs() == []
            job.close()
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("begun", [b"", None])
    def test_a_file_whose_first_writer_was_killed_is_an_empty_database(self, path, begun):
        path.parent.mkdir()
        if begun is None:
            with sqlite3.connect(path) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
            connection.close()
        else:
            path.write_bytes(begun)
        before = path.read_bytes()
        with State(path, read_only=True) as state:
            assert rows(state.open_job(*JOB)) == {}
        assert path.read_bytes() == before

    def test_changes_nothing_and_leaves_nothing_beside(self, path):
        with State(path) as state:
            job = state.open_job(*JOB)
            job.record("k", ROW)
            job.close()
        before = {file.name: file.read_bytes() for file in path.parent.iterdir()}
        with State(path, read_only=True) as state:
            job = state.open_job(*JOB)
            job.record("other", ROW)
            job.forget("k")
            assert rows(job) == {"k": ROW}
            job.close()
        assert {file.name: file.read_bytes() for file in path.parent.iterdir()} == before

    def test_refuses_to_write(self, path):
        State(path).close()
        with State(path, read_only=True) as state, pytest.raises(StateError, match="cannot be used"):
            state.start_run("1", "site", 0.0)


class TestUnusableFiles:
    def test_H06_of_a_newer_cloudsync_is_refused_and_stays_as_it_is(self, path):
        State(path).close()
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA user_version = 99")
        connection.close()
        before = path.read_bytes()
        for read_only in (True, False):
            with pytest.raises(StateError, match=r"newer cloudsync \(format 99"):
                State(path, read_only=read_only)
        assert path.read_bytes() == before

    @pytest.mark.parametrize("read_only", [True, False])
    def test_that_are_damaged_are_an_error_that_says_what_to_do(self, path, read_only):
        path.parent.mkdir()
        path.write_bytes(b"this is no database, and longer than its header would be" * 100)
        with pytest.raises(StateError, match="move it away"):
            State(path, read_only=read_only)

    def test_on_a_full_disk_are_not_to_be_moved_away(self, path):
        with State(path) as state, state.using() as connection:
            connection.execute("CREATE TABLE filler (content)")
            [(pages,)] = connection.execute("PRAGMA page_count")
            connection.execute(f"PRAGMA max_page_count = {pages}")
            with pytest.raises(StateError, match="database or disk is full") as caught, state.using():
                connection.execute("INSERT INTO filler VALUES (zeroblob(100000))")
        assert "Make room on its disk" in str(caught.value)
        assert "move it away" not in str(caught.value)

    def test_that_cannot_be_opened_are_not_to_be_moved_away(self, path):
        path.mkdir(parents=True)
        with pytest.raises(StateError, match="unable to open database file") as caught:
            State(path)
        assert "can be written, or name another place" in str(caught.value)

    @pytest.mark.parametrize("read_only", [True, False])
    def test_of_something_else_are_refused_and_stay_as_they_are(self, path, read_only):
        path.parent.mkdir()
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE job (somebody TEXT)")
        connection.close()
        before = path.read_bytes()
        with pytest.raises(StateError, match="a database of something else"):
            State(path, read_only=read_only)
        assert path.read_bytes() == before

    def test_that_are_damaged_in_the_middle_are_an_error_when_that_is_read(self, path):
        with State(path) as state:
            job = state.open_job(*JOB)
            for number in range(2000):
                job.record(f"{number:05}", ROW)
            job.close()
        data = bytearray(path.read_bytes())
        data[8192:] = b"\xff" * (len(data) - 8192)
        path.write_bytes(data)
        with State(path) as state, pytest.raises(StateError, match="cannot be used"):
            rows(state.open_job(*JOB))

    @pytest.mark.parametrize("obstacle", ["a-file-for-a-directory", "a-directory-for-the-file"])
    def test_that_cannot_be_made_are_an_error(self, tmp_path, obstacle):
        path = tmp_path / "x" / "state.db"
        if obstacle.startswith("a-file"):
            (tmp_path / "x").write_text("")
        else:
            path.mkdir(parents=True)
        with pytest.raises(StateError, match="x"):
            State(path)

    def test_are_closed_when_they_are_refused(self, path, monkeypatch):
        opened = []
        connect = sqlite3.connect
        monkeypatch.setattr(module.sqlite3, "connect", lambda *a, **k: opened.append(connect(*a, **k)) or opened[-1])
        path.parent.mkdir()
        path.write_bytes(b"no database" * 1000)
        with pytest.raises(StateError):
            State(path)
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            opened[0].execute("SELECT 1")


def test_its_directory_is_for_its_owner_only(path):
    State(path).close()
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_two_threads_that_make_the_file_at_once_make_one_database(path):
    together, failures = threading.Barrier(4), []

    def make(number):
        together.wait(10)
        try:
            with State(path) as state:
                state.start_run(str(number), "site", float(number))
        except Exception as error:  # noqa: BLE001 - shown by the assertion
            failures.append(error)

    threads = [threading.Thread(target=make, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    with State(path, read_only=True) as state:
        assert [run.id for run in state.runs()] == ["3", "2", "1", "0"]
