"""cloudsync and its peers: how each is told to make one place equal to another."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.metadata
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.clouds import FilesystemServer
from benchmarks.servers import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY, Server

Programs = Mapping[str, Path]
"""Where the program of each family of tools is."""

_LIBRARIES = ("fsspec", "s3fs", "adlfs", "gcsfs", "moto")
_IN_PYTHON = {"fsspec", "adlfs", "gcsfs"}
"""Families that are a library of this interpreter, and a script around it."""

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
    "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


class MissingToolError(Exception):
    """A program is not installed; the message says how to get it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket on a server."""

    server: Server
    name: str

    @property
    def url(self) -> str:
        return f"{self.server.scheme}://{self.name}"


Place = Path | Bucket


@dataclasses.dataclass(frozen=True, slots=True)
class Job:
    """What a tool is asked to do: make `target` equal to `source`.

    Attributes:
        source: where from.
        target: where to; if both are buckets, they are on one server.
        state: a file in which the tool may remember something between runs of the same job.
        delete: whether what only the target has goes.
    """

    source: Place
    target: Place
    state: Path
    delete: bool = False

    @property
    def server(self) -> Server:
        """The server of its buckets."""
        return next(place.server for place in (self.source, self.target) if isinstance(place, Bucket))


@dataclasses.dataclass(frozen=True, slots=True)
class Tool:
    """A program with certain settings.

    Attributes:
        name: in the tables.
        family: the program, whatever its settings.
        settings: arguments that say how much is done at once.
        flags: arguments that say how objects are compared.
        counts: whether it stands for its family in the targets; not where it is told to prove less than by default.
        quick: part of a quick run: of each program that is fast, the setting that usually is the better one.
    """

    name: str
    family: str
    settings: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    counts: bool = True
    quick: bool = False

    def command(self, job: Job, programs: Programs) -> list[str | Path]:
        """Return the command line that does the job."""
        return _COMMANDS[self.family](self, job, programs[self.family])

    def comparing(self, *flags: str, counts: bool = True) -> Tool:
        """Return the tool with other flags, which its name tells."""
        return dataclasses.replace(self, name=" ".join((self.name, *flags)), flags=flags, counts=counts)


CLOUDSYNC = Tool("cloudsync", "cloudsync", quick=True)
RCLONE = Tool("rclone", "rclone")
RCLONE_32 = Tool("rclone, 32 transfers", "rclone", settings=("--transfers", "32", "--checkers", "32"), quick=True)
S5CMD = Tool("s5cmd", "s5cmd", quick=True)
S5CMD_32 = Tool("s5cmd, 32 workers", "s5cmd", settings=("--numworkers", "32"))
AWS = Tool("aws s3 sync", "aws")
FSSPEC = Tool("fsspec.generic.rsync", "fsspec")
ADLFS = Tool("adlfs, recursive", "adlfs")
GCSFS = Tool("gcsfs, recursive", "gcsfs")


def environment(home: Path, server: Server | None) -> dict[str, str]:
    """Return the environment of every tool: credentials of the server, and nothing of whoever runs the benchmark."""
    env = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(home), "TMPDIR": str(home), "LANG": "C.UTF-8"}
    env |= CREDENTIALS | {"RCLONE_CONFIG": os.devnull}
    return env if server is None else env | server.environment


def find_programs(families: Sequence[str], peers: Path | None) -> dict[str, Path]:
    """Return where the programs are: beside this interpreter, in the directory `peers`, or on the path.

    Raises:
        MissingToolError: one is nowhere.
    """
    places = [str(place) for place in (Path(sys.executable).parent, peers) if place is not None]
    search = os.pathsep.join([*places, os.environ.get("PATH", "")])
    found: dict[str, Path] = {}
    for family in families:
        if family in _IN_PYTHON:
            if importlib.util.find_spec(family) is None:
                raise MissingToolError(f"{family} is not installed; `nox -s bench` installs it")
            found[family] = Path(sys.executable)
            continue
        program = _s5cmd_of_package() if family == "s5cmd" else None
        program = program or shutil.which(family, path=search)
        if program is None:
            raise MissingToolError(f"{family} is not installed; `nox -s bench` installs it")
        found[family] = Path(program)
    return found


def versions(programs: Programs) -> dict[str, str]:
    """Return the version of each program, and of the libraries under those that are in Python."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    arguments = {"rclone": ["version"], "s5cmd": ["version"]}
    for family, program in programs.items():
        if family in _IN_PYTHON:
            continue
        command: list[str | Path] = [program, *arguments.get(family, ["--version"])]
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        match = re.search(r"\d+\.\d+[\w.]*", printed)
        found[family] = match[0] if match else printed.strip()
    return found


def _s5cmd_of_package() -> str | None:
    """Return the program inside the package of that name, whose own entry point is a Python script around it."""
    try:
        files = importlib.metadata.distribution("s5cmd").files or []
    except importlib.metadata.PackageNotFoundError:
        return None
    return next((str(file.locate()) for file in files if str(file).startswith("s5cmd/bin/s5cmd")), None)


def _cloudsync(tool: Tool, job: Job, program: Path) -> list[str | Path]:
    command: list[str | Path] = [program, "mirror"]
    for side, place in (("source", job.source), ("target", job.target)):
        command.append(place.url if isinstance(place, Bucket) else place)
        for name, value in place.server.options.items() if isinstance(place, Bucket) else ():
            command += [f"--{side}-option", f"{name}={value}"]
    if job.delete:
        command += ["--delete", "--max-delete", "100%"]
    return [*command, "--state", job.state, *tool.settings, *tool.flags]


def _rclone(tool: Tool, job: Job, program: Path) -> list[str | Path]:
    places = [f"remote:{place.name}" if isinstance(place, Bucket) else place for place in (job.source, job.target)]
    return [program, "sync" if job.delete else "copy", *places, *tool.settings, *tool.flags]


def _s5cmd(tool: Tool, job: Job, program: Path) -> list[str | Path]:
    source = f"s3://{job.source.name}/*" if isinstance(job.source, Bucket) else f"{job.source}/"
    target = f"s3://{job.target.name}/" if isinstance(job.target, Bucket) else f"{job.target}/"
    settings = ["--endpoint-url", job.server.url, "--log", "error", *tool.settings]
    return [program, *settings, "sync", *(["--delete"] if job.delete else []), *tool.flags, source, target]


def _aws(tool: Tool, job: Job, program: Path) -> list[str | Path]:
    places = [place.url if isinstance(place, Bucket) else place for place in (job.source, job.target)]
    command = [program, "s3", "sync", *places, "--endpoint-url", job.server.url, "--only-show-errors"]
    return [*command, *(["--delete"] if job.delete else []), *tool.settings, *tool.flags]


def _fsspec(tool: Tool, job: Job, program: Path) -> list[str | Path]:
    del tool
    places = [place.url if isinstance(place, Bucket) else f"file://{place}" for place in (job.source, job.target)]
    script = Path(__file__).with_name("fsspec_rsync.py")
    return [program, script, job.server.url, *places, *(["--delete"] if job.delete else [])]


def _recursive(tool: Tool, job: Job, program: Path) -> list[str | Path]:
    server = job.server
    assert isinstance(server, FilesystemServer)
    what = "get" if isinstance(job.source, Bucket) else "put"
    places = [place.name if isinstance(place, Bucket) else place for place in (job.source, job.target)]
    script = Path(__file__).with_name("fsspec_recursive.py")
    return [program, script, server.scheme, json.dumps(server.filesystem), what, *places, *tool.settings]


_COMMANDS: dict[str, Callable[[Tool, Job, Path], list[str | Path]]] = {
    "cloudsync": _cloudsync,
    "rclone": _rclone,
    "s5cmd": _s5cmd,
    "aws": _aws,
    "fsspec": _fsspec,
    "adlfs": _recursive,
    "gcsfs": _recursive,
}
