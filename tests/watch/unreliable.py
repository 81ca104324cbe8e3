"""A plugin with the event source `unreliable`: what `local` or `poll` tells, but for what chance makes of it.

Hints are lost, come twice, late and in another order than what they tell of. Doubts are kept: an event source that
knows of none while it loses hints is the worst that there is.
"""

import heapq
import itertools
import random
import threading
import time

from cloudsync_core.event_source import EventSource, Hints, Watched
from cloudsync_core.eventsources.local import LocalEvents
from cloudsync_core.eventsources.poll import PollEvents, PollOptions
from cloudsync_core.options import BackendOptions
from cloudsync_core.plugins import EventSourceInfo, hookimpl

LATEST = 0.6
"""Seconds by which a hint is late, at most."""


@hookimpl
def cloudsync_register_event_sources() -> list[EventSourceInfo]:
    return [
        EventSourceInfo(
            name="unreliable",
            summary="loses, repeats, delays and reorders what another one tells",
            factory=f"{__name__}:Unreliable",
            options=f"{__name__}:UnreliableOptions",
        )
    ]


class UnreliableOptions(BackendOptions):
    """Options of `unreliable`.

    Attributes:
        lost: the share of keys of which nothing is told.
        repeated: the share that is told of twice, as is each that is late.
        interval: seconds between two listings of what is no directory.
    """

    lost: float = 0.2
    repeated: float = 0.2
    interval: float = 0.3


class Unreliable(EventSource):
    """Tells some of it, some of it twice, and in any order."""

    def __init__(self, watched: Watched, options: UnreliableOptions) -> None:
        self._options = options
        self._dice = random.Random()
        self._numbers = itertools.count()
        self._closed = threading.Event()
        self._late: list[tuple[float, int, Hints]] = []
        pace = PollOptions(interval=options.interval, slowest=options.interval)
        self._inner = LocalEvents(watched) if watched.location.scheme == "file" else PollEvents(watched, pace)

    def wait(self, timeout: float) -> Hints | None:
        until = time.monotonic() + timeout
        while not self._closed.is_set():
            now = time.monotonic()
            if self._late and self._late[0][0] <= now:
                return heapq.heappop(self._late)[2]
            next_one = min(until, self._late[0][0] if self._late else until)
            hints = self._inner.wait(max(0.0, next_one - now))
            if hints is not None:
                self._take(hints)
            elif time.monotonic() >= until:
                break
        return None

    def close(self) -> None:
        self._closed.set()
        self._inner.close()

    def _take(self, hints: Hints) -> None:
        if hints.everything is not None:
            self._later(hints, 0)
            return
        told = [Hints(keys=(key,)) for key in hints.keys] + [Hints(folders=(folder,)) for folder in hints.folders]
        for hint in told:
            if self._dice.random() < self._options.lost:
                continue
            self._later(hint, self._dice.uniform(0, LATEST))
            if self._dice.random() < self._options.repeated:
                self._later(hint, self._dice.uniform(0, LATEST))

    def _later(self, hints: Hints, seconds: float) -> None:
        heapq.heappush(self._late, (time.monotonic() + seconds, next(self._numbers), hints))
