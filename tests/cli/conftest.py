"""The command as users have it: the installed script in a process of its own, and the same in this process."""

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cloudsync_core.cli import main
from tests.cli.forked import forks

SCRIPT = Path(sys.executable).with_name("cloudsync")


@dataclasses.dataclass
class Finished:
    """How an invocation ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def events(self):
        """Standard output in JSON mode: every line has to be an event."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def report(self):
        """The last event."""
        return self.events[-1]

    def of(self, name):
        """The events of one name."""
        return [event for event in self.events if event["event"] == name]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty working directory, and a home that is the test's own."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr("tempfile.tempdir", None)
    for name in ("XDG_STATE_HOME", "CLOUDSYNC_STATE_DIR", "NO_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    for name in ("work", "home", "temporary"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


@pytest.fixture(scope="session")
def forked(tmp_path_factory):
    """Makes calls of the installed script, each a process that has its imports already."""
    with forks(tmp_path_factory.mktemp("forks") / "socket") as running:
        yield running


@pytest.fixture
def cloudsync(folder, forked):
    """Run the command in a process of its own to its end, and hold it to an exit code."""

    def run(*args, code=0, env=None):
        whole = {**os.environ, **(env or {})}
        result = Finished(*(forked.run if forked.can(whole) else _by_the_script)([SCRIPT, *args], whole))
        assert result.code == code, f"exit code {result.code}\n{result.out}\n{result.err}"
        return result

    return run


@pytest.fixture
def start(folder):
    """Start the installed script and let it run; whatever is left of it at the end is killed."""
    with contextlib.ExitStack() as stack:

        def started(*args, stdout=subprocess.PIPE):
            process = subprocess.Popen(
                [SCRIPT, *args], stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE, text=True
            )
            stack.callback(_end, process)
            return process

        yield started


@pytest.fixture
def invoke(folder, capsys):
    """Run the command line in this process, and hold it to an exit code."""

    def run(*args, code=0):
        capsys.readouterr()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["cloudsync", *map(str, args)])
            # From `python -m pytest` the command would be `python -m pytest.cloudsync` in messages.
            patch.setattr(sys.modules["__main__"], "__package__", None)
            with pytest.raises(SystemExit) as caught:
                main()
        printed = capsys.readouterr()
        result = Finished(caught.value.code, printed.out, printed.err)
        assert result.code == code, f"exit code {result.code}\n{result.out}\n{result.err}"
        return result

    return run


@pytest.fixture
def config(folder):
    """Write config.yaml, by default with the job `site` from ./site to ./mirrored."""

    def write(rules="", *, jobs=None, head=""):
        text = jobs or "  site:\n    source: ./site\n    target: ./mirrored\n" + indented(rules)
        path = folder / "config.yaml"
        path.write_text(f"version: 1\n{head}jobs:\n{text}")
        return "config.yaml"

    return write


def indented(rules):
    return "".join(f"    {line}\n" for line in rules.splitlines())


def write_tree(root, files):
    """Write files, given as a mapping of keys to text."""
    for key, text in files.items():
        path = Path(root) / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def read_tree(root):
    """Return every file under `root` as a mapping of keys to text; an empty one when there is no such directory."""
    root = Path(root)
    return {str(path.relative_to(root)): path.read_text() for path in sorted(root.rglob("*")) if path.is_file()}


def snapshot(root):
    """Return everything under `root` with what would show that it was touched."""
    return {
        str(path.relative_to(root)): (path.read_bytes(), path.lstat().st_mtime_ns) if path.is_file() else None
        for path in sorted(Path(root).rglob("*"))
    }


def wait_for(condition, *, seconds=30):
    """Wait until `condition()` holds, and return what it returned."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
    return found


def _by_the_script(command, env):
    finished = subprocess.run(
        command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=100, check=False
    )
    return finished.returncode, finished.stdout, finished.stderr


def _end(process):
    process.send_signal(signal.SIGCONT)
    process.kill()
    process.communicate()
