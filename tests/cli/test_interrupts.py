"""Ctrl-C, SIGTERM, and runs that meet: against a mirror that is large enough to be under way."""

import json
import signal
import sqlite3

import pytest

from tests.cli.conftest import read_tree, wait_for

OBJECTS = 700


@pytest.fixture
def large(folder, config):
    """A job that has been slowed down by two workers, and its target."""
    for number in range(OBJECTS):
        path = folder / f"site/{number % 7}/{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{number}\n" * 100)
    config("transfers: 2\ndelete: true")
    return folder / "mirrored"


@pytest.fixture
def under_way(start, large):
    """Start the job, and wait until some of its objects are there."""

    def begin(*args):
        process = start("run", "config.yaml", *args)

        def begun():
            assert process.poll() is None, process.communicate()
            return large.exists() and sum(1 for _ in large.rglob("*.txt")) > 20

        wait_for(begun)
        return process

    return begin


def temporary_files(root):
    return list(root.rglob(".cs-*"))


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_interrupted_ends_with_a_truthful_report(signal_number, under_way, large):
    process = under_way("--json")
    process.send_signal(signal_number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "stopping: what is under way ends first; press Ctrl-C again to abort" in err
    report = json.loads(out.splitlines()[-1])
    assert (report["event"], report["status"], report["exit_code"]) == ("report", "interrupted", 130)
    counts = report["counts"]
    assert 0 < counts["added"] + counts["failed"] == len(read_tree(large)) < OBJECTS
    assert counts["failed"] <= 2, "what was written and not yet verified: at most one object a worker"
    assert not temporary_files(large)


def test_the_next_run_goes_on_from_there(under_way, large, cloudsync, folder):
    process = under_way("--json")
    process.send_signal(signal.SIGINT)
    counts = json.loads(process.communicate(timeout=30)[0].splitlines()[-1])["counts"]
    there = counts["added"] + counts["failed"]
    report = cloudsync("run", "config.yaml", "--json").report
    assert report["counts"]["added"] == OBJECTS - there
    assert report["counts"]["unchanged"] == there
    assert read_tree(large) == read_tree(folder / "site")


def test_the_database_remembers_the_interruption(under_way, cloudsync):
    process = under_way()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    [run] = cloudsync("status", "config.yaml", "--json").of("run")
    assert run["status"] == "interrupted"


def test_a_second_interrupt_ends_the_run_at_once(under_way, large, folder):
    process = under_way("--json")
    process.send_signal(signal.SIGINT)
    process.stderr.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert json.loads(out.splitlines()[-1])["exit_code"] == 130


def test_jobs_that_were_not_started_are_named(start, large, config, folder):
    config(jobs="  a: {source: ./site, target: ./mirrored, transfers: 2}\n  b: {source: ./site, target: ./two}\n")
    process = start("run", "config.yaml")
    wait_for(lambda: large.exists() and any(large.iterdir()))
    process.send_signal(signal.SIGINT)
    err = process.communicate(timeout=30)[1]
    assert "not started: b" in err
    assert not (folder / "two").exists()


def test_an_interrupt_that_was_ignored_at_the_start_stays_ignored(large, folder, cloudsync):
    import subprocess

    from tests.cli.conftest import SCRIPT

    process = subprocess.Popen(
        ["/bin/sh", "-c", f"trap '' INT; exec {SCRIPT} run config.yaml --json"], stdout=subprocess.PIPE, text=True
    )
    wait_for(lambda: large.exists() and any(large.iterdir()))
    process.send_signal(signal.SIGINT)
    report = json.loads(process.communicate(timeout=60)[0].splitlines()[-1])
    assert report["status"] == "done"


def test_a_run_that_was_killed_is_unfinished_and_the_next_one_completes_it(under_way, large, cloudsync, folder):
    process = under_way()
    process.kill()
    process.communicate(timeout=30)
    [run] = cloudsync("status", "config.yaml", "--json").of("run")
    assert run["status"] is None
    assert "unfinished" in cloudsync("status", "config.yaml").out
    cloudsync("run", "config.yaml")
    left = {str(path.relative_to(large)) for path in temporary_files(large)}
    assert {key: text for key, text in read_tree(large).items() if key not in left} == read_tree(folder / "site")
    assert len(left) <= 2, "at most one a worker; they are ours by name, and collected when they are a day old"


def test_two_runs_of_one_job_at_once_are_refused(under_way, cloudsync):
    process = under_way()
    process.send_signal(signal.SIGSTOP)
    result = cloudsync("run", "config.yaml", code=4)
    assert result.err.splitlines() == [
        f"error: job site: job 'site' is already being run by process {process.pid}",
        "  Wait for it to end; two runs at once would undo each other's work.",
    ]


def test_H07_another_job_with_the_same_target_is_refused_until_the_first_has_died(under_way, cloudsync, large, folder):
    first = under_way()
    first.send_signal(signal.SIGSTOP)
    result = cloudsync("mirror", "site", "mirrored", code=4)
    assert "is being written by run" in result.err
    assert f"of job 'site', process {first.pid} on" in result.err
    assert "--wait 300" in result.err
    first.kill()
    first.communicate(timeout=30)
    cloudsync("mirror", "site", "mirrored")
    assert not (large / ".cloudsync").exists()


def test_what_can_be_asked_while_a_job_runs(under_way, cloudsync):
    process = under_way()
    process.send_signal(signal.SIGSTOP)
    assert "unfinished" in cloudsync("status", "config.yaml").out
    assert cloudsync("plan", "config.yaml", "--json").report["counts"]["added"] > 0


def test_a_reader_that_goes_away_ends_the_run_in_order(start, large, folder):
    process = start("run", "config.yaml", "-v")
    process.stdout.readline()
    process.stdout.close()
    err = process.stderr.read()
    assert process.wait(timeout=30) == 141
    assert "Traceback" not in err
    assert "Broken" not in err
    with sqlite3.connect(folder / ".cloudsync/state.db") as database:
        assert database.execute("SELECT status FROM run").fetchall() == [("interrupted",)]
    database.close()
