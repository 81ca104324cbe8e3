"""The servers that clients are measured against: each a process of its own, on a free port of this machine."""

from __future__ import annotations

import abc
import contextlib
import ctypes
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.trees import Tree, digests_below

ACCESS_KEY_ID = "AKIDFORBENCHMARKS001"
SECRET_ACCESS_KEY = "secret-of-the-benchmarks"
REGION = "us-east-1"

_START_SECONDS = 120.0
_PR_SET_PDEATHSIG = 1


class Server(abc.ABC):
    """A running server.

    Attributes:
        url: its endpoint.
        scheme: of the URLs of its buckets.
        provider: what rclone calls servers of its kind.
    """

    scheme = "s3"
    provider = "Minio"

    def __init__(self, url: str, process: int) -> None:
        self.url = url
        self._process = process

    @property
    def options(self) -> dict[str, str]:
        """What cloudsync is told of a bucket of it, beside the environment."""
        return {"endpoint_url": self.url}

    @property
    def environment(self) -> dict[str, str]:
        """What tools find in their environment: how to reach it, and by which credentials."""
        remote = {
            "TYPE": "s3",
            "PROVIDER": self.provider,
            "ENDPOINT": self.url,
            "REGION": REGION,
            "ACCESS_KEY_ID": ACCESS_KEY_ID,
            "SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
        }
        return {f"RCLONE_CONFIG_REMOTE_{name}": value for name, value in remote.items()}

    def cpu(self) -> float | None:
        """Return the seconds of processor that it has used, or `None` where the system does not tell."""
        try:
            fields = Path(f"/proc/{self._process}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def requests(self) -> dict[str, int] | None:
        """Return the requests since `forget_requests` by kind, or `None` where it does not count them."""
        return None

    def forget_requests(self) -> None:  # noqa: B027 - there is nothing to forget where nothing is counted
        """Count from zero."""

    @abc.abstractmethod
    def make_bucket(self, name: str, tree: Tree | None = None) -> None:
        """Create a bucket, empty or with the files of a tree, before any client has asked for it."""

    @abc.abstractmethod
    def contents(self, bucket: str) -> Mapping[str, str]:
        """Return the MD5 of the bytes of every object, by key."""

    def _ask(self, method: str, path: str, data: bytes | None = None, **query: str) -> bytes:
        url = f"{self.url}/{urllib.parse.quote(path)}?{urllib.parse.urlencode(query)}"
        request = urllib.request.Request(url, data=data, method=method)
        with urllib.request.urlopen(request, timeout=600) as answer:
            found: bytes = answer.read()
        return found


class RcloneServer(Server):
    """`rclone serve s3` over a directory, which is looked at directly."""

    provider = "Rclone"

    def __init__(self, url: str, process: int, directory: Path) -> None:
        super().__init__(url, process)
        self._directory = directory

    def make_bucket(self, name: str, tree: Tree | None = None) -> None:
        (self._directory / name).mkdir()
        if tree is not None:
            tree.link(self._directory / name)

    def contents(self, bucket: str) -> Mapping[str, str]:
        return digests_below(self._directory / bucket)


class MotoServer(Server):
    """moto: S3 in Python. It checks no signatures."""

    def make_bucket(self, name: str, tree: Tree | None = None) -> None:
        self._ask("PUT", name)
        for key in tree.digests if tree is not None else ():
            assert tree is not None
            self._ask("PUT", f"{name}/{key}", (tree.root / key).read_bytes())

    def contents(self, bucket: str) -> Mapping[str, str]:
        page = self._ask("GET", bucket).decode()
        if "<IsTruncated>true" in page:
            raise NotImplementedError("moto is for cases of one page")
        rows = re.findall(r"<Key>(.*?)</Key>.*?<ETag>(?:&quot;|\")?([0-9a-f]+)", page, re.DOTALL)
        return dict(rows)


class SyntheticServer(Server):
    """Our own: nearly free, and it counts."""

    def make_bucket(self, name: str, tree: Tree | None = None) -> None:
        self._ask("PUT", name)
        if tree is not None:
            self._ask("GET", "-/load", bucket=name, directory=str(tree.root))

    def contents(self, bucket: str) -> Mapping[str, str]:
        found: dict[str, str] = json.loads(self._ask("GET", "-/contents", bucket=bucket))
        return found

    def requests(self) -> dict[str, int] | None:
        found: dict[str, int] = json.loads(self._ask("GET", "-/usage"))["requests"]
        return found

    def forget_requests(self) -> None:
        self._ask("GET", "-/reset")


@contextlib.contextmanager
def serve_rclone(rclone: Path, work: Path) -> Iterator[Server]:
    """Run `rclone serve s3` over a new directory in `work`, with its defaults."""
    data = work / "served"
    data.mkdir()
    command = [
        rclone,
        "serve",
        "s3",
        data,
        "--addr",
        "127.0.0.1:0",
        "--auth-key",
        f"{ACCESS_KEY_ID},{SECRET_ACCESS_KEY}",
    ]
    announces = re.compile(r"Starting s3 server on \[(http://127\.0\.0\.1:\d+)/?\]")
    with running(command, announces, work, RCLONE_CONFIG=os.devnull) as (url, process):
        yield RcloneServer(url, process, data)


@contextlib.contextmanager
def serve_moto(work: Path) -> Iterator[Server]:
    """Run moto."""
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with running(command, re.compile(r"Running on (http://127\.0\.0\.1:\d+)\s"), work) as (url, process):
        yield MotoServer(url, process)


@contextlib.contextmanager
def serve_synthetic(work: Path, *, latency: float = 0.0, rendered: Mapping[str, int] | None = None) -> Iterator[Server]:
    """Run the synthetic server.

    Args:
        work: for its output.
        latency: seconds before every answer.
        rendered: how many keys are in which bucket.
    """
    root = Path(__file__).parents[1]
    command = [sys.executable, "-m", "benchmarks.synthetic", "--latency", str(latency)]
    command += [part for name, keys in (rendered or {}).items() for part in ("--rendered", f"{name}={keys}")]
    with running(command, re.compile(r"(http://127\.0\.0\.1:\d+)\s"), work, PYTHONPATH=str(root)) as (url, process):
        yield SyntheticServer(url, process)


@contextlib.contextmanager
def running(command: Sequence[Any], announces: re.Pattern[str], work: Path, **env: str) -> Iterator[tuple[str, int]]:
    """Run a server for the length of the block; yield what it announced, its URL, and its process.

    Args:
        command: what to run.
        announces: its first group, searched in the output, is the URL.
        work: where the output goes.
        env: variables added to the environment.
    """
    log = work / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **env},
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 - there is one thread
        )
    try:
        yield _announced(process, announces, log), process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _announced(process: subprocess.Popen[bytes], announces: re.Pattern[str], log: Path) -> str:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if found := announces.search(log.read_text(errors="replace")):
            return found[1]
        time.sleep(0.02)
    raise RuntimeError(f"the server {process.args!r} did not start\n{log.read_text(errors='replace')}")


def _end_with_parent() -> None:
    """Have the kernel end the server with a benchmark that is killed."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
