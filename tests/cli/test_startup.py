"""What the command imports, and how fast it starts."""

import os
import subprocess
import sys

import pytest

from tests.cli.conftest import SCRIPT, write_tree

SDKS = {"s3fs", "boto3", "botocore", "aiobotocore", "aiohttp", "adlfs", "azure", "gcsfs", "google.cloud"}
HEAVY = {"pydantic", "rich", "yaml", "fsspec", "sqlite3", "pluggy"}

PROBE = """
import sys
sys.argv = ["cloudsync", *sys.argv[1:]]
from cloudsync_core.cli import main
try:
    main()
except SystemExit as end:
    print(*sorted(sys.modules), file=sys.stderr, sep="\\n")
    raise
"""


def imported_by(*args):
    finished = subprocess.run(
        [sys.executable, "-c", PROBE, *args], capture_output=True, text=True, check=True, timeout=60
    )
    return set(finished.stderr.splitlines())


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_imports_nothing_heavy(option):
    modules = imported_by(option)
    assert "cloudsync_core.cli.root" in modules
    assert not modules & SDKS
    assert not modules & HEAVY
    assert not {module for module in modules if module.startswith(("cloudsync_s3", "cloudsync_azure", "cloudsync_gcs"))}


def test_a_mirror_of_directories_imports_no_sdk_and_no_display(folder, config):
    write_tree(folder / "site", {"a": "a"})
    modules = imported_by("run", config())
    assert "cloudsync_core.workflows.mirror" in modules
    assert not modules & SDKS
    assert not modules & {"rich", "fsspec"}


def test_completing_a_command_imports_none(monkeypatch):
    monkeypatch.setenv("_CLOUDSYNC_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "cloudsync s")
    monkeypatch.setenv("COMP_CWORD", "1")
    modules = imported_by()
    assert not {module for module in modules if module.startswith("cloudsync_core.cli.commands")}


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_takes_less_than_150_ms_of_the_processor(option):
    assert min(processor_seconds(option) for _ in range(5)) < 0.15


def processor_seconds(option):
    """How long the processor was busy: how long the user waits on a machine that does nothing else."""
    with subprocess.Popen([SCRIPT, option], stdout=subprocess.DEVNULL) as process:
        usage = os.wait4(process.pid, 0)[2]
        process.returncode = 0
    return usage.ru_utime + usage.ru_stime


class TestCompletion:
    def complete(self, words, monkeypatch):
        monkeypatch.setenv("_CLOUDSYNC_COMPLETE", "bash_complete")
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", str(words.count(" ")))
        finished = subprocess.run([SCRIPT], capture_output=True, text=True, check=False, timeout=60)
        return [line.partition(",")[2] for line in finished.stdout.splitlines()]

    def test_the_script_for_a_shell(self, cloudsync):
        for shell, word in {
            "bash": "complete -o nosort -F",
            "zsh": "#compdef cloudsync",
            "fish": "complete --",
        }.items():
            assert word in cloudsync(env={"_CLOUDSYNC_COMPLETE": f"{shell}_source"}).out

    def test_commands(self, monkeypatch):
        assert self.complete("cloudsync s", monkeypatch) == ["subscribe", "status", "schema"]

    def test_options_of_a_command(self, monkeypatch):
        assert "--max-delete" in self.complete("cloudsync mirror --m", monkeypatch)

    def test_options_of_the_whole(self, monkeypatch):
        assert "--version" in self.complete("cloudsync --v", monkeypatch)


def test_python_m_is_the_same_command():
    finished = subprocess.run(
        [sys.executable, "-m", "cloudsync_core", "--version"], capture_output=True, text=True, check=True, timeout=60
    )
    assert finished.stdout.startswith("cloudsync ")


class TestGarbage:
    """Looking for cycles costs a run some per cent; the library leaves that to the program that uses it."""

    @staticmethod
    def thresholds_after(code):
        finished = subprocess.run(
            [sys.executable, "-c", f"import gc, sys\n{code}\nprint(gc.get_threshold()[0])"],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return int(finished.stdout.splitlines()[-1])

    def test_is_looked_for_less_often_by_the_command(self):
        run = "sys.argv = ['cloudsync', 'version']\ntry: main()\nexcept SystemExit: pass"
        assert self.thresholds_after(f"from cloudsync_core.cli import main\n{run}") > 10 * self.thresholds_after("")

    def test_is_left_alone_by_the_library(self):
        assert self.thresholds_after("import cloudsync_core.cli.root, cloudsync_core") == self.thresholds_after("")


def test_the_process_may_open_as_many_files_as_it_is_allowed_to():
    probe = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 512))\n"
        'sys.argv = ["cloudsync", "--version"]\n'
        "from cloudsync_core.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    print(resource.getrlimit(resource.RLIMIT_NOFILE))\n"
    )
    finished = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True, timeout=60)
    assert finished.stdout.splitlines()[-1] == "(512, 512)"
