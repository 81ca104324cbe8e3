"""`cloudsync status`: what the state database remembers."""

import json
import signal
import sqlite3

import pytest

from tests.cli.conftest import write_tree

JOBS = "  zoo: {source: ./site, target: ./one}\n  ape: {source: ./site, target: ./two}\n"


@pytest.fixture
def ran(folder, config, invoke):
    write_tree(folder / "site", {"a": "a"})
    invoke("run", config(jobs=JOBS))
    (folder / "site/b").write_text("b")
    invoke("run", "config.yaml", "--job", "zoo")


def test_the_last_runs_of_each_job_newest_first_in_the_order_of_the_file(cloudsync, ran):
    lines = cloudsync("status", "config.yaml").out.splitlines()
    assert [line.split()[0] for line in lines] == ["job", "zoo", "zoo", "ape"]
    added = [line.split()[3] for line in lines]
    assert added == ["added", "1", "1", "1"]
    unchanged = [line.split()[6] for line in lines]
    assert unchanged == ["unchanged", "1", "0", "0"]


def test_one_job(invoke, ran):
    result = invoke("status", "config.yaml", "--job", "ape", "--json")
    assert [event["job"] for event in result.of("run")] == ["ape"]


def test_a_limit(invoke, ran):
    result = invoke("status", "config.yaml", "--limit", "1", "--json")
    assert [(event["job"], event["report"]["counts"]["unchanged"]) for event in result.of("run")] == [
        ("zoo", 1), ("ape", 0)
    ]  # fmt: skip


def test_a_database_without_its_file(invoke, ran, folder):
    result = invoke("status", "--state", ".cloudsync/state.db", "--json")
    assert [event["job"] for event in result.of("run")] == ["ape", "zoo", "zoo"]
    assert result.report == {
        "event": "report", "state": ".cloudsync/state.db", "runs": 3, "exit_code": 0
    }  # fmt: skip


def test_the_report_is_the_one_of_the_run(invoke, folder, config):
    write_tree(folder / "site", {"a": "a"})
    report = invoke("run", config(), "--json").report
    [run] = invoke("status", "config.yaml", "--json").of("run")
    del report["event"], report["job"]
    assert run["report"] == report
    assert run["id"] == report["run"]["id"]


def test_why_the_last_run_was_refused(invoke, folder, config):
    write_tree(folder / "site", {"a": "a", "b": "b"})
    invoke("run", config("delete: true\nmax_delete: 0"))
    (folder / "site/b").unlink()
    invoke("run", "config.yaml", code=4)
    out = invoke("status", "config.yaml").out
    assert "refused" in out
    assert "site: 1 of the 2 objects of " in out


def test_no_runs_yet(invoke, folder, config):
    assert invoke("status", config()).out == f"no runs yet in {folder}/.cloudsync/state.db\n"
    assert not (folder / ".cloudsync").exists()


class TestBadInput:
    @pytest.mark.parametrize("args", [[], ["config.yaml", "--state", "x.db"]])
    def test_it_has_to_be_one_of_file_and_database(self, invoke, config, args):
        config()
        result = invoke("status", *args, code=2)
        assert result.err == "error: name a configuration file, or a state database by --state\n"

    def test_a_database_that_is_not_there(self, invoke):
        assert invoke("status", "--state", "x.db", code=2).err == "error: x.db: no such file\n"

    def test_a_job_that_is_not_there(self, invoke, ran):
        result = invoke("status", "config.yaml", "--job", "zoos", code=2)
        assert result.err == "error: config.yaml: no job 'zoos'; did you mean 'zoo'?\n"

    def test_a_file_that_is_no_database(self, invoke, folder):
        (folder / "x.db").write_text("what is this? " * 500)
        result = invoke("status", "--state", "x.db", code=4)
        assert result.err.splitlines() == [
            "error: the state database x.db cannot be used: file is not a database",
            "  If it is damaged, move it away: the next run compares everything anew.",
        ]

    def test_a_database_of_a_newer_version(self, invoke, folder):
        database = sqlite3.connect(folder / "x.db")
        database.execute("PRAGMA user_version = 99")
        database.close()
        result = invoke("status", "--state", "x.db", code=4)
        assert "was written by a newer cloudsync" in result.err


class TestJobsThatGoOn:
    @pytest.fixture
    def received(self, folder, config, cloudsync):
        """A channel of two updates, of which one could be delivered and one was parked."""
        write_tree(folder / "feeds", {"a": "a", "b/c": "b"})
        (folder / "channel").mkdir()
        config(
            jobs="  announce: {workflow: publish, source: ./feeds, target: ./channel}\n"
            "  inbox: {workflow: watch, name: me, source: {channel: ./channel}, attempts: 1, deliver: {directory: "
            "{path: ./inbox, name: '{topic}'}}}\n"
        )
        write_tree(folder, {"inbox/b": "a file where a folder should be"})
        cloudsync("run", "config.yaml", "--once", code=1)

    def test_what_a_subscriber_has_settled_and_parked(self, received, cloudsync):
        [event] = cloudsync("status", "config.yaml", "--job", "inbox", "--json").of("subscription")
        assert (event["job"], event["subscriber"], event["parked"]) == ("inbox", "me", 1)
        assert event["looked"]
        assert event["settled"]
        [line] = [line for line in cloudsync("status", "config.yaml").out.splitlines() if line.startswith("inbox: ")]
        assert "all is settled up to 20" in line
        assert line.endswith("1 update parked: see 'cloudsync channel parked'")

    def test_other_jobs_are_none_of_it(self, received, cloudsync):
        assert cloudsync("status", "config.yaml", "--job", "announce", "--json").of("subscription") == []

    def test_follow_shows_what_has_changed(self, received, start, cloudsync, folder):
        process = start("status", "config.yaml", "--follow", "--json")
        shown = [process.stdout.readline() for _ in range(4)]
        assert [json.loads(line)["event"] for line in shown] == ["run", "run", "subscription", "report"]
        write_tree(folder / "feeds", {"d": "d"})
        cloudsync("run", "config.yaml", "--job", "announce")
        assert [json.loads(process.stdout.readline())["event"] for _ in range(3)] == ["run", "run", "run"]
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
