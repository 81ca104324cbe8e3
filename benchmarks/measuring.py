"""Programs run once and measured."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

_LAUNCHER = Path(__file__).with_name("launcher.py")


class WrongResultError(Exception):
    """A program failed, or did not do what it was asked to: its time says nothing."""


@dataclasses.dataclass(frozen=True, slots=True)
class Usage:
    """What a program took.

    Attributes:
        wall: seconds from start to end.
        cpu: seconds of processor, user and system, of the program and its children.
        peak: most bytes of memory that it, or one of its children, had at once.
        output: what it printed, both streams.
    """

    wall: float
    cpu: float
    peak: int
    output: str = ""


def run(command: Sequence[str | Path], *, env: Mapping[str, str], cwd: Path, timeout: float) -> Usage:
    """Run a program to its end.

    Args:
        command: its path and arguments.
        env: all of its environment.
        cwd: where.
        timeout: seconds after which it is ended.

    Raises:
        WrongResultError: it did not exit with 0, or not in time.
    """
    with tempfile.TemporaryDirectory(dir=cwd) as folder:
        result, output = Path(folder, "usage.json"), Path(folder, "output")
        launch = [sys.executable, "-I", "-S", _LAUNCHER, result, *command]
        with output.open("wb") as stream:
            process = subprocess.Popen(
                launch,
                env=dict(env),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                status: int | str = process.wait(timeout)
            except subprocess.TimeoutExpired:
                status = f"nothing within {timeout:.0f} s"
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        printed = output.read_text(errors="replace")
        if status != 0:
            line = " ".join(map(str, command))
            raise WrongResultError(f"{line}\nexited with {status}\n{_ends(printed)}")
        return Usage(**json.loads(result.read_text()), output=printed)


def _ends(text: str, most: int = 4000) -> str:
    return text if len(text) <= most else f"{text[: most // 2]}\n…\n{text[-most // 2 :]}"
