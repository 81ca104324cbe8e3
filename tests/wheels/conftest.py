"""Wheels as they are published, and environments that hold nothing but what pip put there."""

import contextlib
import dataclasses
import fcntl
import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECTS = {
    "cloudsync-core": ROOT,
    "cloudsync-s3": ROOT / "plugins/s3",
    "cloudsync-azure": ROOT / "plugins/azure",
    "cloudsync-gcs": ROOT / "plugins/gcs",
    "cloudsync-sqlite": ROOT / "examples/cloudsync-sqlite",
    "cloudsync-webdav": ROOT / "examples/cloudsync-webdav",
}


@dataclasses.dataclass(frozen=True)
class Environment:
    """A virtual environment, and a place far from the checkout to run its programs in."""

    folder: Path
    home: Path

    def run(self, *command, exit_code=0):
        """Run a program of the environment and return what it printed to standard output."""
        ran = subprocess.run(
            [self.folder / "bin" / command[0], *command[1:]],
            cwd=self.home,
            env={"HOME": str(self.home), "PATH": f"{self.folder}/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert ran.returncode == exit_code, f"{command} exited with {ran.returncode}\n{ran.stdout}\n{ran.stderr}"
        return ran.stdout

    def events(self, *command):
        """Run a program that prints one JSON value a line, and return the values."""
        return [json.loads(line) for line in self.run(*command).splitlines()]

    def plugins(self):
        """Return what `cloudsync plugins list` says, by distribution."""
        events = self.events("cloudsync", "plugins", "list", "--json")
        return {event["distribution"]: event for event in events if event["event"] == "plugin"}


@pytest.fixture(scope="session")
def workshop(tmp_path_factory):
    """A folder that every worker of this test run shares."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@contextlib.contextmanager
def made_once(folder):
    """Give `folder` to whoever comes first to fill; the others wait, and are told that it is full."""
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        full = folder.with_suffix(".full")
        yield full.exists()
        full.touch()


@pytest.fixture(scope="session")
def wheels(workshop):
    """The wheel of every distribution, by its name, built from the checkout."""
    folder = workshop / "wheels"
    with made_once(folder) as full:
        for project in () if full else PROJECTS.values():
            build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, project]
            subprocess.run(build, check=True, stdout=subprocess.DEVNULL, timeout=100)
    built = {path.name.partition("-")[0].replace("_", "-"): path for path in folder.glob("*.whl")}
    assert built.keys() == PROJECTS.keys()
    return built


@pytest.fixture(scope="session")
def make_environment(workshop, wheels):
    """Return a new environment with the wheels of some distributions, and from the index what they depend on."""

    def make_environment(*names):
        folder = workshop / "-".join(("environment", *names))
        with made_once(folder) as full:
            if not full:
                venv.create(folder)
                install = ["install", "--quiet", "--no-input", "--no-compile", *(wheels[name] for name in names)]
                pip = [sys.executable, "-m", "pip", "--python", folder / "bin/python"]
                subprocess.run([*pip, *install], check=True, timeout=280)
                (folder / "home").mkdir()
        return Environment(folder, folder / "home")

    return make_environment
