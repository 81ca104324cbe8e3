"""Programs that are run for updates."""

import json
import os
import sys
import time
from pathlib import Path

import pytest

from cloudsync_core.channels.deliveries.command import TAIL, CommandDelivery
from cloudsync_core.errors import ConfigError, DeliveryError, IntegrityError
from tests.channels.updates import ID, damage_payload, large_update, update

TOLD = """
import json, os, sys
given = {name: value for name, value in os.environ.items() if name.startswith("CLOUDSYNC_") or name == "INHERITED"}
told = {"arguments": sys.argv[2:], "environment": given, "input": sys.stdin.read()}
with open(sys.argv[1], "w") as file:
    json.dump(told, file)
"""


@pytest.fixture
def program(tmp_path):
    """Write a program in Python and return the beginning of its arguments."""

    def write(source):
        (tmp_path / "program.py").write_text(source)
        return [sys.executable, str(tmp_path / "program.py")]

    return write


def test_gets_arguments_environment_and_content(program, tmp_path, monkeypatch):
    monkeypatch.setenv("INHERITED", "yes")
    found = update("hello\n", topic="feeds/$(touch x); 'y'", metadata={"Feed-Url ü": "http://x", "n": "1"})
    arguments = ["{topic}", "--id={id}", "{publisher}/{content_type}", "{{}}", "$HOME", "*"]
    CommandDelivery([*program(TOLD), str(tmp_path / "told"), *arguments])(found)
    assert json.loads((tmp_path / "told").read_text()) == {
        "arguments": [found.topic, f"--id={ID}", "web1/text/plain; charset=utf-8", "{}", "$HOME", "*"],
        "environment": {
            "INHERITED": "yes",
            "CLOUDSYNC_UPDATE_ID": ID,
            "CLOUDSYNC_TOPIC": found.topic,
            "CLOUDSYNC_PUBLISHER": "web1",
            "CLOUDSYNC_CREATED": "2026-11-20T20:35:40.123456Z",
            "CLOUDSYNC_CONTENT_TYPE": "text/plain; charset=utf-8",
            "CLOUDSYNC_META_FEED_URL_": "http://x",
            "CLOUDSYNC_META_N": "1",
        },
        "input": "hello\n",
    }


def test_gets_the_content_as_a_file_that_is_gone_afterwards(program, tmp_path):
    copy = (
        "import shutil, sys; assert not sys.stdin.read(); shutil.copy(sys.argv[1][5:], sys.argv[2]); print(sys.argv[1])"
    )
    CommandDelivery([*program(copy), "file={file}", str(tmp_path)])(update(b"\x00\xff", content_type="image/png"))
    [copied] = tmp_path.glob("*.png")
    assert copied.read_bytes() == b"\x00\xff"


def test_gets_large_content(program, tmp_path, memory_channel):
    content = os.urandom(1000) * 3000
    found = large_update(memory_channel, content)
    hashed = "import hashlib, sys; open(sys.argv[1], 'w').write(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())"
    CommandDelivery([*program(hashed), str(tmp_path / "digest")])(found)
    assert f"sha256:{(tmp_path / 'digest').read_text()}" == found.digest


def test_is_not_run_for_content_that_is_damaged(program, tmp_path, memory_channel):
    found = large_update(memory_channel, b"x" * 1000)
    damage_payload(memory_channel, found)
    with pytest.raises(IntegrityError):
        CommandDelivery([*program("import sys; open(sys.argv[1], 'w')"), str(tmp_path / "ran")])(found)
    assert not (tmp_path / "ran").exists()


def test_that_does_not_read_its_input_can_succeed():
    CommandDelivery(["true"])(update("x" * 1_000_000))


class TestHasFailed:
    def test_by_its_exit_code_with_the_end_of_what_it_said(self, program):
        source = "import sys; print('y' * 9000); sys.stderr.write('no\\x1b[31m stock\\nfor that\\n'); sys.exit(3)"
        with pytest.raises(DeliveryError) as caught:
            CommandDelivery([*program(source), "--password=hidden"])(update())
        said = str(caught.value)
        assert said.startswith(f"command {sys.executable} exited with 3: ")
        assert "no\\x1b[31m stock | for that" in said
        assert len(said) < TAIL + 500
        assert "hidden" not in said

    def test_by_a_signal(self, program):
        with pytest.raises(DeliveryError, match="was ended by SIGKILL"):
            CommandDelivery(program("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"))(update())

    def test_by_time_and_is_killed_with_what_it_has_started(self, tmp_path):
        script = 'sleep 1000 & echo "$$ $!" > "$0"; echo begun; wait'
        started = time.monotonic()
        with pytest.raises(DeliveryError, match=r"was not done after 1 s and was killed: begun"):
            CommandDelivery(["sh", "-c", script, str(tmp_path / "pids")], timeout=1)(update())
        assert time.monotonic() - started < 20
        for pid in map(int, (tmp_path / "pids").read_text().split()):
            assert gone(pid), "a process of the group is left"

    def test_where_it_cannot_be_started_any_more(self, tmp_path):
        script = tmp_path / "script"
        script.write_text("#!/bin/sh\n")
        script.chmod(0o755)
        deliver = CommandDelivery([str(script)])
        script.unlink()
        with pytest.raises(DeliveryError, match="cannot be started: No such file"):
            deliver(update())


def test_is_done_when_it_has_ended_whatever_it_has_left_running(program, tmp_path):
    source = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(20)"])
open(sys.argv[1], "w").write(str(child.pid))
"""
    started = time.monotonic()
    CommandDelivery([*program(source), str(tmp_path / "pid")])(update())
    assert time.monotonic() - started < 15
    os.kill(int((tmp_path / "pid").read_text()), 9)


class TestIsRefusedAtTheStart:
    def test_where_there_is_no_such_program(self, tmp_path):
        (tmp_path / "not-executable").write_text("")
        for name in ("no-such-program-anywhere", str(tmp_path / "not-executable"), str(tmp_path)):
            with pytest.raises(ConfigError, match="there is no such program"):
                CommandDelivery([name])

    def test_where_an_update_would_choose_the_program(self):
        with pytest.raises(ConfigError, match="does not choose the program"):
            CommandDelivery(["/bin/{topic}"])

    def test_for_an_unknown_placeholder(self):
        with pytest.raises(ConfigError, match=r"unknown placeholder \{name\}"):
            CommandDelivery(["true", "{name}"])

    def test_without_a_program(self):
        with pytest.raises(ConfigError, match="no program"):
            CommandDelivery([])


def gone(pid):
    """Whether a process ends soon: one that was killed is there until its new parent has looked after it."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.01)
    return False
