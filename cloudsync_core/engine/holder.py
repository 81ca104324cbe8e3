"""Who holds a lease: which run of which process of which machine, and whether that process is still there."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import socket
import time
from pathlib import Path
from typing import Final, Self

from cloudsync_core.errors import printable
from cloudsync_core.runs import RunInfo

FORMAT: Final = 1
_LONGEST = 16 * 1024
_START = 19
"""The place of the start time among the fields of `/proc/PID/stat` that follow the name (proc_pid_stat(5))."""


@dataclasses.dataclass(frozen=True, slots=True)
class Holder:
    """The holder of a lease, as the lease says it.

    Attributes:
        run: the run's id.
        job: its job's name.
        host: the name of the machine.
        machine: what tells the process numbers of one machine, since it was started, from all others; "" where the
            system tells no such thing.
        pid: the process.
        started: when it was started, in the system's own count; "" where the system does not tell.
        since: when the run took the lease, by the clock of its machine: ISO 8601, UTC.
    """

    run: str
    job: str
    host: str
    machine: str
    pid: int
    started: str
    since: str

    @classmethod
    def of(cls, run: RunInfo) -> Self:
        """Return this process, for a run of its own."""
        since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        pid = os.getpid()
        return cls(run.id, run.job, socket.gethostname(), _machine(), pid, _started(pid), since)

    @classmethod
    def read(cls, content: bytes) -> Self | None:
        """Return the holder that the content of a lease names; `None` where it is not of this format."""
        try:
            found = json.loads(content[:_LONGEST])
            if found["format"] != FORMAT:
                return None
            texts = {name: str(found[name]) for name in ("run", "job", "host", "machine", "started", "since")}
            return cls(pid=int(found["pid"]), **texts)
        except (ValueError, TypeError, KeyError, RecursionError):
            return None

    def written(self, renewals: int) -> bytes:
        """Return the content of the lease; it is another one after each renewal, and so is its ETag."""
        return json.dumps({"format": FORMAT, **dataclasses.asdict(self), "renewals": renewals}).encode()

    def is_gone(self) -> bool:
        """Tell whether this is certain: its process ran on this machine, and runs no more."""
        if not self.machine or self.machine != _machine() or not self.started:
            return False
        return _started(self.pid) != self.started

    def __str__(self) -> str:
        return printable(f"run {self.run} of job {self.job!r}, process {self.pid} on {self.host}, since {self.since}")


@functools.cache
def _machine() -> str:
    """Return what the numbers of processes are valid in: the machine since its start, and the container."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{socket.gethostname()}/{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _started(pid: int) -> str:
    """Return when a process was started, "" where there is none or the system does not tell."""
    try:
        # The name of the program stands in parentheses, and may hold anything.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    # A process that has ended and that nobody has asked about yet is gone.
    return "" if fields[0] in {"Z", "X"} else fields[_START]
