"""What a service manager is told that started this process, by the protocol of systemd's `sd_notify`.

=====================  ============================================================================================
NOTIFY_SOCKET          The datagram socket that is told; one that begins with `@` is in the abstract namespace.
WATCHDOG_USEC          Microseconds after which the process is taken for hung if it has not shown life.
WATCHDOG_PID           The process that the above is meant for.
=====================  ============================================================================================

Without the first nothing is told. See https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Mapping

_MICROSECONDS = 1_000_000


class ServiceManager:
    """What has started this process, if that wants to know how it is.

    Whatever goes wrong in telling is nothing to the jobs, and is passed over. Nothing here waits, so that signal
    handlers may tell, too.

    Args:
        environ: the environment; by default the process's.

    Attributes:
        patience: seconds after which the process is taken for hung if it has not shown life; `None` when nobody looks.
    """

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        environ = os.environ if environ is None else environ
        place = environ.get("NOTIFY_SOCKET", "")
        self._place = f"\0{place[1:]}" if place.startswith("@") else place
        self.patience = _patience(environ) if place else None

    def ready(self, status: str) -> None:
        """Tell that the process is up, or has taken in its new configuration.

        Args:
            status: a line for people.
        """
        self._tell(f"READY=1\nSTATUS={status}")

    def reloading(self) -> None:
        """Tell that the process takes in a new configuration; `ready` is told afterwards."""
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """Tell that the process ends what it has in hand."""
        self._tell("STOPPING=1\nSTATUS=what is under way ends first")

    def alive(self) -> None:
        """Show life."""
        self._tell("WATCHDOG=1")

    def _tell(self, text: str) -> None:
        if not self._place:
            return
        with contextlib.suppress(OSError, ValueError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.sendto(text.encode(), self._place)


def _patience(environ: Mapping[str, str]) -> float | None:
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    try:
        return int(environ["WATCHDOG_USEC"]) / _MICROSECONDS or None
    except (KeyError, ValueError):
        return None
