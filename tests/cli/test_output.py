"""What is printed where: JSON, volume, terminals, logs, readers that go away."""

import json
import os
import pty
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.cli.conftest import SCRIPT, write_tree

COUNTS = ["added", "updated", "deleted", "unchanged", "skipped", "unknown", "failed"]


@pytest.fixture
def site(folder, config):
    write_tree(folder / "site", {"a.txt": "a" * 2000, "b.txt": "b"})
    (folder / "site/link").symlink_to("a.txt")
    config("delete: true")


class TestJson:
    def test_every_line_is_an_event_and_the_last_one_the_report(self, cloudsync, site):
        result = cloudsync("run", "config.yaml", "--json")
        assert result.events[0]["event"] == "run_started"
        assert sorted(event["key"] for event in result.of("action_finished")) == ["a.txt", "b.txt"]
        assert result.of("key_left_out")[0]["key"] == "link"
        report = result.report
        assert report["event"] == "report"
        assert list(report["counts"]) == COUNTS
        assert (report["bytes_transferred"], report["verified"]) == (2001, {"readback": 2})
        assert set(report["requests"]) == {"source", "target"}
        assert report["seconds"] > 0
        assert report["failures"][0]["count"] == 1

    @pytest.mark.parametrize(
        ("args", "code"),
        [
            (["run", "config.yaml", "--nonsense"], 2),
            (["run", "nowhere.yaml"], 2),
            (["nonsense"], 2),
            (["mirror", "site"], 2),
            (["mirror", "nowhere", "copy"], 4),
            (["ls", "nowhere"], 4),
            (["apply", "nowhere"], 4),
        ],
    )
    def test_a_failure_ends_with_its_exit_code_too(self, invoke, site, args, code):
        last = invoke(*args, "--json", code=code).report
        assert last["event"] in {"error", "report"}
        assert last["exit_code"] == code

    def test_nothing_else_is_on_standard_output_whatever_the_volume(self, cloudsync, site):
        assert cloudsync("run", "config.yaml", "--json", "-vvv").events
        assert cloudsync("run", "config.yaml", "--json", "-q").events


class TestVolume:
    def test_the_summary_is_a_table_and_what_it_rests_on(self, cloudsync, site):
        lines = cloudsync("run", "config.yaml").out.splitlines()
        assert lines[0].split() == ["job", "status", *COUNTS, "bytes", "time", "rate"]
        assert re.fullmatch(r"site  done +2 +0 +0 +0 +1 +0 +0  2\.0 KiB +\d+\.\d s +[\d.]+ (B|KiB|MiB)/s", lines[1]), (
            lines[1]
        )
        assert lines[2] == "verified: 2 by readback"
        assert lines[3].startswith("requests: source ")

    def test_verbose_tells_each_outcome(self, invoke, site):
        lines = invoke("run", "config.yaml", "-v").out.splitlines()
        assert "+ added       2.0 KiB  a.txt  (readback)" in lines
        assert any(line.startswith("? skipped") and "link" in line for line in lines)

    def test_quiet_says_nothing_when_all_is_well(self, cloudsync, site):
        result = cloudsync("run", "config.yaml", "-q")
        assert (result.out, result.err) == ("", "")

    def test_quiet_still_says_what_is_not(self, invoke, folder, config):
        invoke("run", config(), "-q", code=4)
        result = invoke("run", "config.yaml", "-q", code=4)
        assert result.out == ""
        assert "there is no such directory" in result.err

    def test_failures_are_grouped_by_cause_with_a_few_examples(self, invoke, folder, config):
        write_tree(folder / "site", {f"{number:02}": "x" for number in range(12)})
        invoke("plan", config(), "-o", "plan.jsonl")
        write_tree(folder / "mirrored", {f"{number:02}": "somebody else's" for number in range(12)})
        result = invoke("apply", "plan.jsonl", code=1)
        lines = result.err.splitlines()
        assert lines[0] == "job site: PreconditionFailedError (12)"
        assert len([line for line in lines if "it changed after the plan was made" in line]) == 3
        assert lines[-1] == "    … and 9 more"
        assert len(invoke("apply", "plan.jsonl", "-v", code=1).err.splitlines()) == 12


class TestATerminal:
    def run(self, *args, env=None):
        """Run the command on a terminal of its own, and return what it showed there."""
        ours, theirs = pty.openpty()
        shown = []

        def read():
            while True:
                try:
                    data = os.read(ours, 65536)
                except OSError:
                    return
                if not data:
                    return
                shown.append(data)

        reader = threading.Thread(target=read)
        reader.start()
        with subprocess.Popen(
            [SCRIPT, *args],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "TERM": "xterm", **(env or {})},
        ) as process:
            os.close(theirs)
            process.wait(timeout=60)
        reader.join(timeout=10)
        os.close(ours)
        return b"".join(shown).decode()

    def test_bars_while_it_runs_and_the_table_at_the_end(self, site):
        shown = self.run("run", "config.yaml")
        assert "\x1b[?25l" in shown, "the cursor is hidden while the bars are drawn"
        assert "\x1b[?25h" in shown, "and is back at the end"
        assert "objects" in shown
        assert shown.rstrip().splitlines()[-4].startswith("site  done") or "site  done" in shown

    def test_colours_mark_what_a_plan_does(self, site):
        assert "\x1b[32m+ add" in self.run("plan", "config.yaml")

    @pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
    def test_no_colours_where_they_are_not_wanted(self, site, env):
        shown = self.run("plan", "config.yaml", env=env)
        assert "+ add" in shown
        assert "\x1b[32m" not in shown

    def test_a_dumb_terminal_gets_no_bars(self, site):
        assert "\x1b" not in self.run("run", "config.yaml", env={"TERM": "dumb"})

    def test_json_is_alone_there_too(self, site):
        for line in self.run("run", "config.yaml", "--json").splitlines():
            json.loads(line)

    def test_errors_are_shown(self, site):
        assert "error: " in self.run("run", "nowhere.yaml")


class TestALog:
    def test_it_holds_no_control_characters(self, cloudsync, site):
        result = cloudsync("run", "config.yaml", "-v")
        assert "\x1b" not in result.out + result.err

    def test_standard_output_may_be_of_any_encoding(self, cloudsync, folder):
        write_tree(folder / "site", {"été": "x"})
        assert cloudsync("ls", "site", env={"PYTHONIOENCODING": "ascii"}).out == "\\xe9t\\xe9\n"

    def test_closed_standard_error_is_no_error(self, site):
        finished = subprocess.run(
            ["/bin/sh", "-c", f"exec {SCRIPT} run config.yaml 2>&-"], stdout=subprocess.PIPE, check=False, timeout=60
        )
        assert finished.returncode == 0

    def test_a_full_disk_behind_standard_output_is_told(self, site):
        with Path("/dev/full").open("w") as full:
            finished = subprocess.run(
                [SCRIPT, "schema"], stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60
            )
        assert finished.returncode == 4
        assert finished.stderr == "error: standard output cannot be written: No space left on device\n"


def test_a_command_in_this_process_leaves_the_log_as_it_was(invoke, site):
    import logging

    before = (list(logging.getLogger().handlers), logging.getLogger().level)
    invoke("run", "config.yaml", "-vv")
    assert (list(logging.getLogger().handlers), logging.getLogger().level) == before
    assert sys.stdout is not None
