"""Machines that share a place in a store: each has a directory, a state database, and a process that runs its jobs."""

import contextlib
import subprocess
import time
from pathlib import Path

import yaml

from tests.watch.conftest import SCRIPT

RULES = {"workflow": "watch", "delete": True, "max_delete": "100%", "settle": 0.1, "grace": 0.5, "interval": 0.5}


def until(condition, *, seconds=60.0):
    """Wait until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.1)


def until_equal(found, wanted, *, seconds=60.0):
    """Wait until what is found is what is wanted."""
    deadline = time.monotonic() + seconds
    while (there := found()) != wanted:
        if time.monotonic() > deadline:
            missing, more = sorted(wanted.keys() - there.keys()), sorted(there.keys() - wanted.keys())
            other = sorted(key for key in wanted.keys() & there.keys() if there[key] != wanted[key])
            raise AssertionError(f"not equal: {missing=}, {more=}, {other=}")
        time.sleep(0.1)


def tree(folder):
    """Return the files of a directory, but for those that are being written."""
    found = {}
    for path in Path(folder).rglob("*"):
        if not path.name.startswith(".cs-"):
            with contextlib.suppress(FileNotFoundError, IsADirectoryError):
                found[path.relative_to(folder).as_posix()] = path.read_bytes()
    return found


@contextlib.contextmanager
def running(config, **options):
    """Run the jobs of a configuration by the installed command; it has to end well when it is asked to."""
    log = config.with_name("log")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [SCRIPT, "run", config.name], cwd=config.parent, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            **options,
        )  # fmt: skip
    try:
        yield process
        assert process.poll() is None, f"it has ended by itself: {log.read_text()}"
        process.terminate()
        assert process.wait(30) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()


class Machine:
    """One of them.

    Attributes:
        cloud: the place, by a proxy of its own.
        folder: its directory.
    """

    def __init__(self, name, folder, cloud):
        self.name = name
        self.cloud = cloud
        self.folder = folder / name / "shared"
        self.folder.mkdir(parents=True)
        here, there = str(self.folder), cloud.config
        jobs = {"push": {**RULES, "source": here, "target": there}, "pull": {**RULES, "source": there, "target": here}}
        self._config = folder / name / "config.yaml"
        self._config.write_text(yaml.safe_dump({"version": 1, "state": "./state.db", "jobs": jobs}))

    def running(self):
        """Run its jobs for the length of the block."""
        return running(self._config)

    @property
    def puts(self):
        """What it has written into the store: each object's path and content."""
        asked = [request for request in self.cloud.proxy.requests if self.cloud.dialect.commits(request)]
        return [(request.path, request.body) for request in asked if "/.cs-" not in request.path]

    @property
    def others(self):
        """The requests that were no listings."""
        return [request for request in self.cloud.proxy.requests if not self.cloud.dialect.is_listing(request)]
