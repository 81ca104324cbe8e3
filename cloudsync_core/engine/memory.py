"""How many bytes of content may be in memory at a time."""

from __future__ import annotations

import collections
import threading

from cloudsync_core.body import CHUNK_SIZE
from cloudsync_core.errors import CancelledError

_LOOK_AGAIN = 0.25
"""Seconds after which somebody who waits looks whether the run was stopped."""


def held_by(size: int, put_memory: int) -> int:
    """Return the bytes that the transfer of one object holds at most: what the put keeps, and a chunk on its way.

    Args:
        size: of the object, bytes.
        put_memory: of the target, see `Capabilities`.
    """
    return min(size, put_memory) + min(size, CHUNK_SIZE)


class MemoryBudget:
    """Admits transfers as long as what they hold together fits; first come, first served.

    What is larger than the whole budget is admitted when nothing else is under way.

    Args:
        limit: bytes.
        stop: ends every wait.
    """

    def __init__(self, limit: int, stop: threading.Event) -> None:
        self._limit = limit
        self._stop = stop
        self._lock = threading.Lock()
        self._held = 0
        self._queue: collections.deque[_Waiting] = collections.deque()

    def take(self, count: int) -> None:
        """Wait until `count` bytes are free, and hold them until `give_back`.

        Raises:
            CancelledError: the run was stopped meanwhile; nothing is held.
        """
        with self._lock:
            # Behind others even where it would fit: small objects must not starve a large one.
            if not self._queue and self._fits(count):
                self._held += count
                return
            waiting = _Waiting(count)
            self._queue.append(waiting)
        while not waiting.admitted.wait(_LOOK_AGAIN):
            if self._stop.is_set():
                self._leave(waiting)
                raise CancelledError("interrupted")

    def give_back(self, count: int) -> None:
        """Free what `take` has held."""
        with self._lock:
            self._held -= count
            if self._queue:
                self._admit()

    def _fits(self, count: int) -> bool:
        return not self._held or self._held + count <= self._limit

    def _admit(self) -> None:
        while self._queue and self._fits(self._queue[0].count):
            waiting = self._queue.popleft()
            self._held += waiting.count
            waiting.admitted.set()

    def _leave(self, waiting: _Waiting) -> None:
        with self._lock:
            if waiting.admitted.is_set():
                self._held -= waiting.count
            else:
                self._queue.remove(waiting)
            # It may have been what held up those behind it.
            self._admit()


class _Waiting:
    """A transfer that waits for its turn."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.admitted = threading.Event()
