"""SIGHUP: the configuration is read again, and only what has changed is ended, started or started anew."""

import json
import signal
import subprocess

import pytest

from tests.cli.conftest import read_tree, wait_for, write_tree

ONE = "one: {workflow: watch, source: ./a, target: ./one, settle: 0.05, delete: true}"
TWO = "two: {workflow: watch, source: ./a, target: ./two, settle: 0.05}"
THREE = "three: {workflow: watch, source: ./a, target: ./three, settle: 0.05}"


class Running:
    """A process of `cloudsync run` whose standard error goes to a file."""

    def __init__(self, folder, process):
        self.folder = folder
        self.process = process

    @property
    def err(self):
        return (self.folder / "stderr").read_text()

    def holds(self, *folders):
        """Wait until these follow the source."""
        wait_for(lambda: all(read_tree(folder) == read_tree(self.folder / "a") for folder in folders))

    def hang_up(self, line, count=1):
        """Have the configuration read again, and wait until a line says what came of it."""
        self.process.send_signal(signal.SIGHUP)
        wait_for(lambda: self.err.count(line) == count)

    def end(self, code=0):
        """End it; return the job of each run."""
        self.process.send_signal(signal.SIGTERM)
        out, _ = self.process.communicate(timeout=30)
        assert self.process.returncode == code, self.err
        reports = [event for event in map(json.loads, out.splitlines()) if event["event"] == "report"]
        return [report["run"]["job"] for report in reports]


@pytest.fixture
def jobs(folder):
    """Write the configuration, or write it anew, in one step."""

    def write(*jobs):
        (folder / "new").write_text("version: 1\njobs:\n" + "".join(f"  {job}\n" for job in jobs))
        (folder / "new").rename(folder / "cloudsync.yaml")

    write_tree(folder, {"a/1": "1"})
    return write


@pytest.fixture
def running(start, folder, monkeypatch):
    def started(*args):
        with (folder / "stderr").open("w") as err, monkeypatch.context() as patch:
            popen = subprocess.Popen
            patch.setattr(subprocess, "Popen", lambda *a, **rest: popen(*a, **{**rest, "stderr": err}))
            return Running(folder, start("run", "cloudsync.yaml", "--json", *args))

    return started


def test_what_has_changed_is_ended_started_and_started_anew_and_nothing_else(jobs, running, folder):
    jobs(ONE, TWO, "gone: {workflow: watch, source: ./a, target: ./gone}", "other: {source: ./a, target: ./other}")
    process = running()
    process.holds("one", "two", "gone")
    jobs(ONE, TWO.replace("0.05", "0.06"), THREE, "other: {source: ./a, target: ./other, delete: true}")
    process.hang_up("the configuration was taken in: ended: gone; started anew: one, two; started: three\n")
    write_tree(folder, {"a/2": "2"})
    process.holds("one", "two", "three")
    assert read_tree("gone") == {"1": "1"}
    assert sorted(process.end()) == ["gone", "one", "one", "other", "three", "two", "two"]


def test_a_job_goes_on_whose_text_and_neighbours_are_the_same(jobs, running, folder):
    jobs(ONE, TWO)
    process = running()
    process.holds("one", "two")
    jobs(ONE, f"{TWO}   # as it was", "more: {source: ./a, target: ./more}")
    process.hang_up("the configuration was taken in: nothing has changed for the jobs that go on\n")
    write_tree(folder, {"a/2": "2"})
    process.holds("one", "two")
    assert sorted(process.end()) == ["one", "two"]
    assert not (folder / "more").exists(), "a job that ends by itself is no part of a reload"


@pytest.mark.parametrize("wrong", ["- not a mapping", "one: {workflow: sing}"])
def test_a_wrong_file_is_told_and_changes_nothing(jobs, running, folder, wrong):
    jobs(ONE)
    process = running()
    process.holds("one")
    jobs(wrong)
    process.hang_up("the configuration was not taken in: all jobs go on as before\n")
    assert "error: cloudsync.yaml:" in process.err
    write_tree(folder, {"a/2": "2"})
    process.holds("one")
    assert process.end() == ["one"]


def test_a_job_that_an_error_has_ended_is_started_again(jobs, running, folder):
    jobs(ONE, "two: {workflow: watch, source: ./late, target: ./two, settle: 0.05}")
    process = running()
    wait_for(lambda: "error: job two: " in process.err)
    write_tree(folder, {"late/1": "1"})
    process.hang_up("the configuration was taken in: started: two\n")
    wait_for(lambda: read_tree("two") == {"1": "1"})
    process.end(code=4)


def test_only_the_jobs_that_were_asked_for_are_taken_in(jobs, running):
    jobs(ONE, TWO)
    process = running("--job", "one")
    process.holds("one")
    jobs(ONE.replace("0.05", "0.06"), TWO, THREE)
    process.hang_up("the configuration was taken in: started anew: one\n")
    process.holds("one")
    assert set(process.end()) == {"one"}


def test_another_state_database_starts_all_anew(jobs, running, folder):
    jobs(ONE)
    process = running()
    process.holds("one")
    text = (folder / "cloudsync.yaml").read_text()
    (folder / "cloudsync.yaml").write_text(f"state: elsewhere.db\n{text}")
    process.hang_up("the configuration was taken in: started anew: one\n")
    wait_for((folder / "elsewhere.db").exists)
    process.end()
