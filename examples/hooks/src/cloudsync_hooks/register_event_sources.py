"""The event source `told`: who changes an object appends its key to a file, a line each."""

import functools
import time
from pathlib import Path

from cloudsync_core.event_source import HINTED_AT_ONCE, EventSource, Hints, Watched
from cloudsync_core.options import BackendOptions
from cloudsync_core.plugins import EventSourceInfo, hookimpl

PAUSE = 0.05
"""Seconds between two looks at the file."""


@hookimpl
def cloudsync_register_event_sources() -> list[EventSourceInfo]:
    """Offer the event source; it can watch every location."""
    module = "cloudsync_hooks.register_event_sources"
    return [EventSourceInfo("told", "lines of a file", f"{module}:Told", options=f"{module}:ToldOptions")]


class ToldOptions(BackendOptions):
    """Which file; `PATH.done` remembers how far it was read."""

    file: Path


class Told(EventSource):
    """Reads the lines that were appended; those that nobody was done with are read again after a restart."""

    def __init__(self, watched: Watched, options: ToldOptions) -> None:
        del watched
        self._lines = options.file.open("rb")
        self._done = options.file.with_suffix(".done")
        if self._done.exists():
            self._lines.seek(int(self._done.read_text()))

    def wait(self, timeout: float) -> Hints | None:
        """Return the keys of the lines that have come."""
        until = time.monotonic() + timeout
        while not (found := self._complete_lines()) and time.monotonic() < until:
            time.sleep(PAUSE)
        if not found:
            return None
        return Hints(keys=tuple(found), done=functools.partial(self._remember, self._lines.tell()))

    def close(self) -> None:
        """Read no more."""
        self._lines.close()

    def _remember(self, place: int) -> None:
        self._done.write_text(str(place))

    def _complete_lines(self) -> list[str]:
        found: list[str] = []
        while len(found) < HINTED_AT_ONCE:
            start = self._lines.tell()
            line = self._lines.readline()
            if not line.endswith(b"\n"):
                self._lines.seek(start)
                break
            found.append(line.decode().rstrip("\n"))
        return found
