"""`--log-file`: what long-running commands keep of themselves, for people and for programs, without secrets."""

import datetime as dt
import json
import re
import signal

import pytest

from tests.cli.conftest import read_tree, wait_for, write_tree

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (DEBUG|INFO|WARNING|ERROR) \S+( \S+)?: .+")


def records(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def mirrored(invoke, config, folder):
    """Mirror some files, and return the path of the log."""

    def run(*args, files=("a",), rules=""):
        write_tree(folder / "site", dict.fromkeys(files, "1"))
        invoke("run", config(rules), "--log-file", "log", *args)
        return folder / "log"

    return run


class TestForPeople:
    def test_each_record_is_a_line_with_its_time_level_and_job(self, mirrored):
        lines = mirrored().read_text().splitlines()
        assert all(LINE.fullmatch(line) for line in lines)
        assert " INFO cloudsync.told site: it starts: mirror from file:///" in lines[0]
        assert lines[-1].endswith(" site: it has ended: done, 1 added")

    def test_is_the_same_where_little_is_wanted_on_standard_error(self, mirrored):
        assert mirrored("-q").read_text().count("\n") == 2

    def test_tells_of_each_object_on_request(self, mirrored):
        assert "DEBUG cloudsync.told site: add a: done\n" in mirrored("-vv").read_text()

    def test_is_continued(self, mirrored):
        mirrored()
        assert mirrored().read_text().count("it has ended") == 2

    def test_a_key_forges_no_line(self, mirrored):
        text = mirrored("-vv", files=("a\nb",)).read_text()
        assert r"add a\nb: done" in text


class TestForPrograms:
    def test_each_line_is_a_record(self, mirrored):
        began = dt.datetime.now(dt.UTC)
        found = records(mirrored("--log-format", "json"))
        for record in found:
            assert (record["level"], record["job"], record["logger"]) == ("info", "site", "cloudsync.told")
            written = dt.datetime.fromisoformat(record["time"])
            assert abs(written - began) < dt.timedelta(seconds=60)
        assert found[-1]["message"] == "it has ended: done, 1 added"

    def test_the_error_that_ends_a_command_is_one(self, invoke, folder):
        (folder / "wrong.yaml").write_text("version: 1\njobs: nothing\n")
        result = invoke("run", "wrong.yaml", "--log-file", "log", "--log-format", "json", code=2)
        [record] = records(folder / "log")
        assert record["level"] == "error"
        assert record["message"].splitlines()[0] in result.err

    def test_the_error_that_ends_a_job_is_one(self, invoke, config, folder):
        invoke("run", config(), "--log-file", "log", "--log-format", "json", code=4)
        [error] = [record for record in records(folder / "log") if record["level"] == "error"]
        assert error["job"] == "site"
        assert "there is no such directory" in error["message"]


@pytest.mark.parametrize("kind", ["text", "json"])
def test_secrets_are_left_out(mirrored, monkeypatch, kind):
    monkeypatch.setenv("THE_SECRET", "hunter2hunter2")
    rules = "headers: [{match: ['**'], metadata: {of: '${env:THE_SECRET}'}}]"
    text = mirrored("-vv", "--log-format", kind, files=("hunter2hunter2",), rules=rules).read_text()
    assert "hunter2" not in text
    assert "add ***: done" in text


def test_a_log_of_some_size_is_followed_by_a_new_one_and_only_so_many_are_kept(mirrored, folder):
    mirrored("-vv", "--log-max-size", "1KiB", "--log-keep", "2", files=[f"file-{n}" for n in range(60)])
    sizes = {path.name: path.stat().st_size for path in folder.glob("log*")}
    assert sizes.keys() == {"log", "log.1", "log.2"}
    assert max(sizes.values()) <= 1024


def test_a_size_of_0_never_begins_a_new_one(mirrored, folder):
    mirrored("-vv", "--log-max-size", "0", files=[f"file-{n}" for n in range(60)])
    assert [path.name for path in folder.glob("log*")] == ["log"]


class TestErrors:
    def test_a_file_that_cannot_be_opened_is_told_and_nothing_is_done(self, invoke, config, folder):
        write_tree(folder / "site", {"a": "1"})
        result = invoke("run", config(), "--log-file", "nowhere/log", code=2)
        assert result.err == "error: --log-file: nowhere/log cannot be written: No such file or directory\n"
        assert not (folder / "mirrored").exists()

    def test_a_wrong_size_is_named(self, invoke, config):
        assert "--log-max-size: '10' is no number" in invoke("run", config(), "--log-max-size", "10", code=2).err

    def test_a_full_disk_is_told_once_and_the_jobs_go_on(self, invoke, config, folder):
        write_tree(folder / "site", {"a": "1"})
        result = invoke("run", config(), "--log-file", "/dev/full")
        assert result.err.count("warning: the log cannot be written: No space left on device") == 1
        assert read_tree("mirrored") == {"a": "1"}


def test_jobs_that_go_on_are_told_apart(start, folder):
    jobs = [f"  {name}: {{workflow: watch, source: ./a, target: ./{name}, settle: 0.05}}" for name in ("one", "two")]
    missing = "  three: {workflow: watch, source: ./nowhere, target: ./three}"
    write_tree(folder, {"a/1": "1", "c.yaml": "\n".join(["version: 1", "jobs:", *jobs, missing])})
    process = start("run", "c.yaml", "--log-file", "log", "--log-format", "json", "-q")

    def told(job, text):
        path = folder / "log"
        return path.exists() and any(r["job"] == job and text in r["message"] for r in records(path) if "job" in r)

    wait_for(lambda: told("one", "1 added") and told("two", "1 added") and told("three", "no such directory"))
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert told("one", "it has ended")


def test_subscribers_keep_one_too(invoke, folder):
    (folder / "channel").mkdir()
    invoke("publish", "channel", "--topic", "t", "--content", "x")
    invoke("subscribe", "channel", "--name", "n", "--once", "--deliver", "directory=inbox", "--log-file", "log", "-q")
    assert "INFO cloudsync.told: 1 update delivered" in (folder / "log").read_text()
