"""One server as a child process: started on a port of its own choosing, watched while it starts, stopped for sure."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

START_SECONDS = 60.0
STOP_SECONDS = 2.0
"""For a server that is asked to stop; then it is made to."""

# A test run that is killed runs no fixture's end, so on Linux the kernel ends the server with its parent
# (PR_SET_PDEATHSIG, which a program keeps through exec).
_TIED_TO_PARENT = "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 9); os.execv(sys.argv[1], sys.argv[1:])"


@contextlib.contextmanager
def running(
    name: str,
    command: Sequence[str | os.PathLike[str]],
    *,
    announces: re.Pattern[str],
    ready: Callable[[str], object],
    log: Path,
    env: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """Run a server for the length of the block and yield what it announced, for instance its URL.

    The server is told to take port 0: it says itself which port it got, so no two workers race for one.

    Args:
        name: for messages.
        command: what to run, by the program's path; it gets a process group of its own, which is ended as a whole.
        announces: its first group, searched in the output, is the server's address.
        ready: called with the address until it no longer raises: a real request.
        log: where the output goes.
        env: variables added to the environment.
    """
    if sys.platform == "linux":
        command = [sys.executable, "-c", _TIED_TO_PARENT, *command]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )
    try:
        yield _started(name, process, announces, ready, log)
    finally:
        _stop(process)


def _started(
    name: str,
    process: subprocess.Popen[bytes],
    announces: re.Pattern[str],
    ready: Callable[[str], object],
    log: Path,
) -> str:
    deadline = time.monotonic() + START_SECONDS
    trouble: object = "it announced no address"
    while time.monotonic() < deadline:
        if process.poll() is not None:
            trouble = f"it exited with status {process.returncode}"
            break
        if found := announces.search(log.read_text(errors="replace")):
            try:
                ready(found[1])
            except Exception as error:  # noqa: BLE001 - whatever the client raises, the server is not ready yet
                trouble = error
            else:
                return found[1]
        time.sleep(0.05)
    pytest.fail(f"the server {name} did not start: {trouble}\n{log.read_text(errors='replace')}", pytrace=False)


def _stop(process: subprocess.Popen[bytes]) -> None:
    # Nothing outlives SIGKILL, but on a machine that has much to do the end may take its time.
    for stop, seconds in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, START_SECONDS)):
        # The group outlives its leader when a child was left behind, so it is signalled even after an exit.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, stop)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
