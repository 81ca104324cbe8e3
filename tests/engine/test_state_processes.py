"""The state database among processes: shared, locked, and whole after a kill."""

import signal
import sqlite3
import subprocess
import sys
import textwrap

import pytest

from cloudsync_core.engine.state import State
from cloudsync_core.errors import StateError

JOB = ("site", "a", "b")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state.db"


@pytest.fixture
def process(path):
    """Start a Python program that has the state open as `state`, and end it with the test."""
    started = []

    def start(program):
        begin = f"""
            import pathlib, sys
            from cloudsync_core.engine.diff import BaseRow
            from cloudsync_core.engine.state import State
            state = State(pathlib.Path({str(path)!r}))
        """
        code = textwrap.dedent(begin) + textwrap.dedent(program)
        child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(child)
        return child

    yield start
    for child in started:
        child.kill()
        child.communicate()


HOLDER = """
    job = state.open_job("site", "a", "b")
    print("locked", flush=True)
    sys.stdin.read()
    job.close()
"""


def test_F06_a_job_that_another_process_runs_is_refused_and_the_process_named(path, process):
    holder = process(HOLDER)
    assert holder.stdout.readline() == "locked\n"
    with State(path) as state:
        with pytest.raises(StateError, match=f"already being run by process {holder.pid}"):
            state.open_job(*JOB)
        state.open_job("other", "a", "b").close()


def test_a_lock_dies_with_its_process(path, process):
    holder = process(HOLDER)
    assert holder.stdout.readline() == "locked\n"
    holder.send_signal(signal.SIGKILL)
    holder.wait(10)
    with State(path) as state:
        state.open_job(*JOB).close()


def test_H10_processes_that_write_at_once_wait_for_each_other(path, process):
    writers = [
        process(f"""
            job = state.open_job("job{number}", "a", "b")
            for turn in range(40):
                job.record(f"{{turn:03}}", BaseRow("s", "t", None))
                job.save()
            job.close()
            print("done", flush=True)
        """)
        for number in range(3)
    ]
    assert [writer.communicate(timeout=60)[0] for writer in writers] == ["done\n"] * 3
    with State(path) as state, state.using() as connection:
        rows = connection.execute("SELECT job, count(*) FROM base GROUP BY job ORDER BY job").fetchall()
    assert rows == [(1, 40), (2, 40), (3, 40)]


def test_P6_a_kill_in_mid_write_leaves_whole_batches(path, process):
    writer = process("""
        job = state.open_job("site", "a", "b")
        state.start_run("1", "site", 1.0)
        turn = 0
        while True:
            turn += 1
            for key in range(300):
                job.record(f"{key:03}", BaseRow(str(turn), str(turn), None))
            job.save()
            print(turn, flush=True)
    """)
    for _ in range(5):
        last = int(writer.stdout.readline())
    writer.send_signal(signal.SIGKILL)
    writer.wait(10)
    with State(path) as state:
        job = state.open_job(*JOB)
        turns = {source for page in job.pages() for source in page.sources}
        assert len(turns) == 1, "a batch was written in part"
        assert int(turns.pop()) >= last
        [run] = state.runs()
        assert run.status is None, "a run that was killed must not look finished"
        job.close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
