"""The ids of one publisher: ascending, and by the clock of the store, which all publishers of a channel share.

Subscribers look for new updates a little behind the newest (`ids.OVERLAP_NS`). An update whose id were older than that
when it became visible could be missed, so ids do not depend on the clocks of hosts more than they must: every answer of
the store tells its time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from cloudsync_core.channels import ids

_SECOND_NS: Final = 1_000_000_000

_TOLERANCE_NS: Final = 2 * _SECOND_NS
"""Nanoseconds that clocks may differ before ids are corrected: stores tell whole seconds, and answers take a moment."""

LATE_NS: Final = ids.OVERLAP_NS // 2
"""Nanoseconds between an id and the store's clock from which on nobody relies on the update being found."""


class IdSource:
    """Hands out ids; from many threads.

    Args:
        clock: tells nanoseconds since the epoch, UTC, by this host.
    """

    def __init__(self, clock: Callable[[], int] = time.time_ns) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._offset_ns = 0
        self._last_ns = 0
        self._kept_ns = 0

    def now(self) -> int:
        """Return what the store's clock says, as far as it is known."""
        return self._clock() + self._offset_ns

    def reserve(self) -> str:
        """Return a fresh id, above all that were handed out and not taken back."""
        with self._lock:
            # Ids count microseconds: two of one microsecond would be in no order.
            moment_ns = max(self.now(), self._last_ns + 1000)
            self._last_ns = moment_ns - moment_ns % 1000
            return ids.new(self._last_ns)

    def too_far(self, object_id: str, store_ns: int | None = None, *, behind_ns: int = LATE_NS) -> bool:
        """Tell whether an id is further from the store's clock, before or after, than an update can be given.

        Args:
            object_id: the id.
            store_ns: what the store's clock says; by default as far as it is known.
            behind_ns: how far the id may be behind it.
        """
        ahead_ns = ids.time_ns(object_id) - (self.now() if store_ns is None else store_ns)
        if ahead_ns < -behind_ns:
            return True
        # What follows an update that was kept cannot be below it, wherever that was.
        return ahead_ns > LATE_NS and ids.time_ns(object_id) - self._kept_ns > _SECOND_NS

    def learn(self, before_ns: int, store_ns: int) -> None:
        """Hear what the store's clock said in an answer that came just now.

        Args:
            before_ns: what `host_time` was when the store was asked.
            store_ns: nanoseconds since the epoch, UTC; maybe cut down to whole seconds.
        """
        after_ns = self._clock()
        # The store said it some time between question and answer.
        low, high = store_ns - after_ns - _TOLERANCE_NS, store_ns + _SECOND_NS - before_ns + _TOLERANCE_NS
        with self._lock:
            if low <= 0 <= high:
                self._offset_ns = 0
            elif not low <= self._offset_ns <= high:
                self._offset_ns = (low + high) // 2

    def host_time(self) -> int:
        """Return what the clock of this host says, for `learn`."""
        return self._clock()

    def keep(self, object_id: str) -> None:
        """Hear that an update of this id was published."""
        with self._lock:
            self._kept_ns = max(self._kept_ns, ids.time_ns(object_id))

    def take_back(self) -> None:
        """Hear that an id was too far from the store's clock: the next may be below it, above all that were kept."""
        with self._lock:
            self._last_ns = self._kept_ns
