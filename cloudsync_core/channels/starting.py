"""With which update a new subscription begins."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, Literal

from cloudsync_core.backend import Backend
from cloudsync_core.channels import ids
from cloudsync_core.channels.cursors import Cursor
from cloudsync_core.channels.scan import scan
from cloudsync_core.errors import ConfigError

Start = Literal["earliest", "latest"] | float
"""With the oldest update that is there, with the next one that comes, or with the first that the store got from a time
on (seconds since the epoch, UTC)."""

_SECOND_NS: Final = 1_000_000_000


def checked_start(start: Start) -> Start:
    """Return `start` if a subscription can begin there.

    Raises:
        ConfigError: it cannot.
    """
    if start in {"earliest", "latest"} or (not isinstance(start, str) and math.isfinite(start)):
        return start
    raise ConfigError(f"a subscription starts at 'earliest', 'latest' or a time in seconds, not at {start!r}")


def begin(backend: Backend, cursor: Cursor, start: Start, store_ns: int, *, clock: Callable[[], int]) -> None:
    """Let a new subscription begin.

    Args:
        backend: the channel.
        cursor: of the subscription.
        start: with which update.
        store_ns: what the store's clock said not long ago, or a time before that: nanoseconds since the epoch, UTC.
        clock: tells nanoseconds since the epoch, UTC.

    Raises:
        BackendError: the channel cannot be listed.
        StateError: the state database cannot be used.
    """
    if start == "latest":
        cursor.begin(ids.stamp(max(0, store_ns - ids.OVERLAP_NS)), 0)
        # What is there now is old, and what comes from now on is not, whatever their ids say.
        for page, _ in scan(backend, cursor.floor, clock=clock):
            cursor.settle_objects([listed.id for listed in page])
    elif isinstance(start, str):
        cursor.begin(None, 0)
    else:
        # Some stores tell whole seconds.
        since_ns = max(0, int(start)) * _SECOND_NS
        cursor.begin(ids.stamp(max(0, since_ns - ids.OVERLAP_NS)), since_ns)
    cursor.set_ready()
