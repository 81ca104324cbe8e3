"""Jobs that go on until they are stopped, beside each other and beside those that end by themselves."""

import json
import signal
import threading

import pytest
import yaml

from tests.cli.conftest import read_tree, wait_for, write_tree

ANNOUNCE = "announce: {workflow: publish, source: ./feeds, target: ./channel, follow: true, settle: 0.05}"
INBOX = "inbox: {workflow: watch, source: {channel: ./channel}, deliver: {directory: ./inbox}, interval: 0.1}"
SECOND = "second: {workflow: watch, source: {channel: ./channel}, deliver: {directory: ./second}, interval: 0.1}"
COPY = "copy: {source: ./feeds, target: ./copy}"
FAILING = "failing: {workflow: watch, source: {channel: ./channel}, deliver: {callback: 'nowhere:at_all'}}"


@pytest.fixture
def jobs(folder):
    """Write a configuration of some jobs, with a file to publish."""

    def write(*jobs):
        (folder / "feeds").mkdir()
        (folder / "feeds/a.txt").write_text("a")
        (folder / "channel").mkdir()
        (folder / "cloudsync.yaml").write_text("version: 1\njobs:\n" + "".join(f"  {job}\n" for job in jobs))

    return write


@pytest.fixture
def running(start):
    """Start `cloudsync run`; ending it is left to the test."""
    return lambda *args: start("run", "cloudsync.yaml", *args)


def contents(folder):
    """What the files of a tree hold, whatever they are called."""
    return sorted(content for content in read_tree(folder).values()) if folder.exists() else []


def ended(process, signal_number, code):
    """End a process by a signal, and return what it has printed."""
    process.send_signal(signal_number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == code, f"exit code {process.returncode}\n{out}\n{err}"
    return out, err


def events(out):
    return [json.loads(line) for line in out.splitlines()]


class TestSeveralJobs:
    def test_run_at_once_until_sigterm_which_is_exit_code_0(self, jobs, running, folder):
        jobs(ANNOUNCE, INBOX, SECOND, COPY)
        process = running()
        wait_for(lambda: contents(folder / "inbox") == contents(folder / "second") == ["a"])
        (folder / "feeds/b.txt").write_text("b")
        wait_for(lambda: contents(folder / "inbox") == contents(folder / "second") == ["a", "b"])
        out, err = ended(process, signal.SIGTERM, 0)
        assert contents(folder / "copy") == ["a"], "the job that ends by itself ran once, beside the others"
        assert err.count("inbox: 1 update delivered\n") == err.count("second: 1 update delivered\n") == 2
        assert "announce: 1 added\n" in err
        rows = {line.split()[0]: line.split()[1:3] for line in out.splitlines()[1:5]}
        assert rows == {
            "announce": ["done", "2"],
            "inbox": ["done", "2"],
            "second": ["done", "2"],
            "copy": ["done", "1"],
        }

    def test_events_say_whose_they_are(self, jobs, running, folder):
        jobs(ANNOUNCE, INBOX, COPY)
        process = running("--json")
        wait_for(lambda: contents(folder / "inbox") == ["a"])
        out, _ = ended(process, signal.SIGTERM, 0)
        told = events(out)
        assert {event["job"] for event in told} == {"announce", "inbox", "copy"}
        [delivered] = [event for event in told if event["event"] == "update_delivered"]
        assert (delivered["job"], delivered["topic"]) == ("inbox", "a.txt")
        ends = {event["job"]: event["status"] for event in told if event["event"] == "report"}
        assert ends == {"announce": "done", "inbox": "done", "copy": "done"}

    def test_ctrl_c_is_an_interruption(self, jobs, running, folder):
        jobs(ANNOUNCE, INBOX)
        process = running()
        wait_for(lambda: contents(folder / "inbox") == ["a"])
        out, _ = ended(process, signal.SIGINT, 130)
        assert [line.split()[1] for line in out.splitlines()[1:3]] == ["interrupted", "interrupted"]

    def test_what_was_stopped_goes_on_where_it_was(self, jobs, running, folder, cloudsync):
        jobs(ANNOUNCE, INBOX)
        process = running()
        wait_for(lambda: contents(folder / "inbox") == ["a"])
        ended(process, signal.SIGTERM, 0)
        (folder / "feeds/b.txt").write_text("b")
        result = cloudsync("run", "cloudsync.yaml", "--once", "--json")
        counts = {event["run"]["job"]: event["counts"]["added"] for event in result.of("report")}
        assert counts == {"announce": 1, "inbox": 1}
        assert contents(folder / "inbox") == ["a", "b"]


def test_they_share_a_bucket(moto_s3, folder, running, monkeypatch):
    monkeypatch.setenv("THE_SECRET", moto_s3.secret_access_key)
    credentials = {"access_key_id": moto_s3.access_key_id, "secret_access_key": "${env:THE_SECRET}"}
    options = {**moto_s3.options, **credentials}
    channel = {"url": f"s3://{moto_s3.make_bucket()}/channel", "options": options}
    jobs = {
        "announce": {"workflow": "publish", "source": "./feeds", "target": channel, "follow": True, "settle": 0.05},
        "inbox": {
            "workflow": "watch",
            "source": {"channel": channel},
            "deliver": {"directory": "./inbox"},
            "interval": 0.1,
        },
    }
    write_tree(folder, {"feeds/a.txt": "a", "cloudsync.yaml": yaml.safe_dump({"version": 1, "jobs": jobs})})
    process = running()
    wait_for(lambda: contents(folder / "inbox") == ["a"])
    write_tree(folder, {"feeds/b.txt": "b"})
    wait_for(lambda: contents(folder / "inbox") == ["a", "b"])
    out, err = ended(process, signal.SIGTERM, 0)
    assert moto_s3.secret_access_key not in out + err


class TestErrors:
    def test_one_that_fails_is_told_at_once_and_stops_no_other(self, jobs, running, folder):
        jobs(FAILING, ANNOUNCE, INBOX)
        process = running()
        lines = []
        reader = threading.Thread(target=lambda: lines.extend(iter(process.stderr.readline, "")))
        reader.start()
        error = "error: job failing: cloudsync.yaml:3: "
        wait_for(lambda: any(line.startswith(error) for line in lines))
        (folder / "feeds/b.txt").write_text("b")
        wait_for(lambda: contents(folder / "inbox") == ["a", "b"])
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 2, "the most serious end, of a configuration that is wrong"
        reader.join()
        assert sum(line.startswith(error) for line in lines) == 1

    def test_all_that_fail_end_the_command(self, jobs, cloudsync):
        jobs(FAILING)
        result = cloudsync("run", "cloudsync.yaml", code=2)
        assert result.err.startswith("error: job failing: cloudsync.yaml:3")

    def test_a_second_run_of_one_is_refused(self, jobs, running, folder, cloudsync):
        jobs(INBOX, ANNOUNCE)
        process = running()
        wait_for(lambda: contents(folder / "inbox") == ["a"])
        result = cloudsync("run", "cloudsync.yaml", code=4)
        assert f"process {process.pid}" in result.err
        assert result.err.count("error: job ") == 2
        ended(process, signal.SIGTERM, 0)


class TestOnce:
    def test_each_does_what_there_is_to_do_in_their_order(self, jobs, folder, cloudsync):
        jobs(ANNOUNCE, INBOX)
        assert cloudsync("run", "cloudsync.yaml", "--once").out.splitlines()[1].split()[:2] == ["announce", "done"]
        assert contents(folder / "inbox") == ["a"]
        again = cloudsync("run", "cloudsync.yaml", "--once", "--json")
        assert [event["counts"]["added"] for event in again.of("report")] == [0, 0]

    def test_what_cannot_be_delivered_is_exit_code_1(self, jobs, folder, cloudsync):
        refusing = "{command: ['false']}"
        jobs(ANNOUNCE, f"inbox: {{workflow: watch, source: {{channel: ./channel}}, deliver: {refusing}, attempts: 1}}")
        result = cloudsync("run", "cloudsync.yaml", "--once", code=1)
        assert ["inbox", "partial"] in [line.split()[:2] for line in result.out.splitlines()]


class TestDryRuns:
    def test_of_a_job_that_publishes_tells_what_would_be(self, jobs, folder, cloudsync):
        jobs(ANNOUNCE)
        assert "a.txt" in cloudsync("run", "cloudsync.yaml", "--dry-run").out
        assert contents(folder / "channel") == []

    @pytest.mark.parametrize("command", [("run", "--dry-run"), ("plan",)])
    def test_of_a_job_that_subscribes_is_refused_beside_others(self, jobs, command, cloudsync):
        jobs(INBOX, COPY)
        result = cloudsync(command[0], "cloudsync.yaml", *command[1:], code=2)
        assert "error: job inbox: a subscribe job has no dry run" in result.err
        assert "+ add" in result.out, "the other job was tried all the same"

    def test_only_plans_of_mirror_jobs_can_be_saved(self, jobs, cloudsync, folder):
        jobs(ANNOUNCE, COPY)
        result = cloudsync("plan", "cloudsync.yaml", "-o", "plan", code=2)
        assert "job announce is a publish job: only plans of mirror jobs can be saved" in result.err
        assert not (folder / "plan").exists()
        cloudsync("plan", "cloudsync.yaml", "--job", "copy", "-o", "plan")
