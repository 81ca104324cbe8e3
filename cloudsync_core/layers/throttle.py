"""A layer that asks a backend for no more than so many operations a second."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager

from cloudsync_core.backend import NO_ATTRIBUTES, Backend, Prune
from cloudsync_core.body import Body, ObjectReader
from cloudsync_core.errors import CancelledError
from cloudsync_core.layers.layer import Layer
from cloudsync_core.layers.pace import Pace
from cloudsync_core.models import (
    ALWAYS,
    Attributes,
    ByteRange,
    DeleteResult,
    ObjectInfo,
    Page,
    PutCondition,
    Version,
)

_BURST = 0.1
"""Seconds' worth of operations that may start at once: more would be refused by the stores that such limits are for."""


class Throttle(Layer):
    """Holds operations back until they may start; it sits inside `Retry`, so that every attempt waits its turn.

    A call of a verb is one operation, and so is each page of a listing and each request that `bulk_delete_max` makes
    of a bulk delete. What one operation is made of is not counted: an object that a backend uploads in parts is one.

    When the run is stopped, what waits raises `CancelledError`. A bulk delete does so before its first request only:
    once it has begun, it goes on and reports every key (clause D3).

    Args:
        inner: the backend that is spared.
        rate: operations a second.
        stop: of the run.
        clock: returns seconds that never go back.
    """

    def __init__(
        self,
        inner: Backend,
        rate: float,
        stop: threading.Event,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(inner)
        # At least one operation, however slow the pace: the first of all need not wait.
        self._pace = Pace(lambda: rate, stop, burst=max(_BURST, 1 / rate), clock=clock)

    def list(self, prefix: str = "", *, start_after: str | None = None, prune: Prune | None = None) -> Iterator[Page]:
        """Wait before the first page, and when each further one has come.

        Only then it is known that there was a request for it: the end of a listing is none.
        """
        self._pace.take(1)
        for number, page in enumerate(self.inner.list(prefix, start_after=start_after, prune=prune)):
            if number:
                self._pace.take(1)
            yield page

    def stat(self, key: str) -> ObjectInfo:
        """Wait, and ask."""
        self._pace.take(1)
        return self.inner.stat(key)

    def get(
        self, key: str, *, byte_range: ByteRange | None = None, if_match: Version | None = None
    ) -> AbstractContextManager[ObjectReader]:
        """Wait, and open the object."""
        self._pace.take(1)
        return self.inner.get(key, byte_range=byte_range, if_match=if_match)

    def read(self, key: str, limit: int) -> ObjectReader | None:
        """Wait, and read the object."""
        self._pace.take(1)
        return self.inner.read(key, limit)

    def put(
        self,
        key: str,
        body: Body,
        *,
        attributes: Attributes = NO_ATTRIBUTES,
        condition: PutCondition = ALWAYS,
    ) -> ObjectInfo:
        """Wait, and write."""
        self._pace.take(1)
        return self.inner.put(key, body, attributes=attributes, condition=condition)

    def delete(self, key: str, *, if_match: Version | None = None) -> None:
        """Wait, and delete."""
        self._pace.take(1)
        self.inner.delete(key, if_match=if_match)

    def delete_many(self, items: Sequence[tuple[str, Version | None]]) -> Iterator[DeleteResult]:
        """Wait before each batch of `bulk_delete_max` keys."""
        size = max(1, self.capabilities.bulk_delete_max)
        for start in range(0, len(items), size):
            # What the first requests have deleted is yet to be told, so a stop ends no more than the waiting.
            with contextlib.suppress(*([CancelledError] if start else [])):
                self._pace.take(1)
            yield from self.inner.delete_many(items[start : start + size])

    def copy(
        self,
        source: Backend,
        info: ObjectInfo,
        key: str,
        *,
        attributes: Attributes | None = None,
        condition: PutCondition = ALWAYS,
    ) -> ObjectInfo:
        """Wait, and copy."""
        self._pace.take(1)
        return super().copy(source, info, key, attributes=attributes, condition=condition)
