"""One run of a job at a time, among the processes of this machine; a lock dies with its process (catalogue F06)."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO

from cloudsync_core.crashpoints import hit
from cloudsync_core.errors import StateError


def lock_job(name: str, path: Path, kind: str = "job") -> IO[str]:
    """Return an open file that locks a job until it is closed.

    Args:
        name: the job's name, for messages.
        path: the lock's file, made when it is missing; it stays, and holds the number of the last process.
        kind: what the name is one of, for messages.

    Raises:
        StateError: another process runs the job, or the file system has no locks.
        OSError: the file cannot be opened.
    """
    file = path.open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        with file:
            raise _refusal(f"{kind} {name!r}", file, error) from error
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    hit("run.lock.acquired")
    return file


def _refusal(what: str, file: IO[str], error: OSError) -> StateError:
    if not isinstance(error, BlockingIOError):
        return StateError(
            f"the lock {file.name} of {what} cannot be taken: {error.strerror}",
            hint="Name a state file on a file system that has locks.",
        )
    file.seek(0)
    holder = file.read().strip()
    return StateError(
        f"{what} is already being run{f' by process {holder}' if holder else ''}",
        hint="Wait for it to end; two runs at once would undo each other's work.",
    )
