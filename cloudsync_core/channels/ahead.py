"""Reading the objects of updates a little ahead of their delivery, in order, with bounds on what is held."""

from __future__ import annotations

import collections
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from cloudsync_core.backend import Backend
from cloudsync_core.channels.scan import MAX_OBJECT_SIZE, Listed, fetch
from cloudsync_core.channels.update import Update
from cloudsync_core.errors import CloudSyncError

THREADS: Final = 8

OBJECTS: Final = 32
"""Objects that are read ahead, at most."""

BYTES: Final = 8 * 1024 * 1024
"""Bytes of them, at most; one object may always be read."""

_EXPANSION: Final = 8
"""Times as many bytes that a compressed object is taken to hold."""

Fetched = tuple[Listed, list[Update] | CloudSyncError]
"""An object with its updates, or with what reading it raised."""


class Ahead:
    """Reads objects in a few threads; used from one, and closed at the end."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="cloudsync-channel")

    def fetched(self, wanted: Iterable[Listed]) -> Generator[Fetched, None, None]:
        """Yield the objects with what is in them, in the order in which they are wanted.

        Closing the iterator drops what was read ahead.

        Args:
            wanted: is taken from in the caller's thread, a little ahead.
        """
        waiting: collections.deque[tuple[Listed, Future[list[Update]]]] = collections.deque()
        held = 0
        try:
            for listed in wanted:
                while waiting and (len(waiting) >= OBJECTS or held + _weight(listed) > BYTES):
                    held -= _weight(waiting[0][0])
                    yield _result(*waiting.popleft())
                waiting.append((listed, self._pool.submit(fetch, self._backend, listed)))
                held += _weight(listed)
            while waiting:
                yield _result(*waiting.popleft())
        finally:
            for _, future in waiting:
                future.cancel()

    def close(self) -> None:
        """End the threads, when they have read what they are reading."""
        self._pool.shutdown(cancel_futures=True)


def _result(listed: Listed, future: Future[list[Update]]) -> Fetched:
    try:
        return listed, future.result()
    except CloudSyncError as error:
        return listed, error


def _weight(listed: Listed) -> int:
    return min(MAX_OBJECT_SIZE, listed.size * (_EXPANSION if listed.compressed else 1))
