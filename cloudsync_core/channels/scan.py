"""Reading a channel: which objects of updates there are, in the order of their ids, and what is in them."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from typing import Final

from cloudsync_core.backend import Backend
from cloudsync_core.channels import compression, envelope, ids, names
from cloudsync_core.channels.update import Update
from cloudsync_core.engine.sorting import sort_pages
from cloudsync_core.errors import AccessDeniedError
from cloudsync_core.models import Gap, Page

MAX_OBJECT_SIZE: Final = 8 * 1024 * 1024
"""Bytes of an object of updates, as it is stored and expanded, at most; no publisher writes half as many."""

_HOUR_NS: Final = 3600 * 1_000_000_000
_AHEAD_NS: Final = 2 * _HOUR_NS
"""How far after now ids are looked for where every hour costs a request."""

_FAR_BEHIND_NS: Final = 48 * _HOUR_NS
"""From how far behind on listing everything and sorting it costs less than a request for every hour."""


@dataclasses.dataclass(frozen=True, slots=True)
class Listed:
    """An object of updates that a channel holds.

    Attributes:
        key: of the object.
        id: of the object, and of the first update in it.
        publisher: the name of who published them.
        compressed: whether the object is compressed by zstd.
        size: bytes that are stored.
        modified_ns: when the store got it, by its own clock: nanoseconds since the epoch, UTC.
    """

    key: str
    id: str
    publisher: str
    compressed: bool
    size: int
    modified_ns: int


@dataclasses.dataclass(frozen=True, slots=True)
class Foreign:
    """Something under `updates/` that is no object of updates.

    Attributes:
        key: its name, as printable text where it is no valid key.
        reason: why it is none, in words for the user.
    """

    key: str
    reason: str


def scan(
    backend: Backend, floor: str | None, *, clock: Callable[[], int] = time.time_ns
) -> Iterator[tuple[list[Listed], list[Foreign]]]:
    """Yield the objects of updates whose ids are not below `floor`, page by page, in the order of their ids.

    Where listings are in order, a page costs one request, and a channel in which nothing is new costs one. Elsewhere
    the hours from the floor's on are listed one after the other, up to two after now or after the newest object that is
    met; from a floor that is two days old, or none, everything is listed and sorted on disk.

    A channel without any update yields nothing. Nothing is skipped in silence: what is no object of updates comes as
    `Foreign`, what hides some raises.

    Args:
        backend: the channel.
        floor: an id, or the time that ids begin with; `None` for everything.
        clock: tells nanoseconds since the epoch, UTC; needed only where listings are in no order.

    Raises:
        ContainerNotFoundError: the container does not exist.
        AccessDeniedError: a part of the channel cannot be listed.
        BackendError: the listing cannot be completed.
    """
    for page in _pages(backend, floor, clock):
        listed: list[Listed] = []
        foreign = [_foreign(backend, gap) for gap in page.gaps]
        for index, key in enumerate(page.keys):
            parsed = names.parse_update(key)
            if isinstance(parsed, str):
                foreign.append(Foreign(key, parsed))
            elif floor is None or parsed.id >= floor:
                listed.append(Listed(key, *parsed, page.sizes[index], page[index].modified_ns))
        if listed or foreign:
            yield listed, foreign


def fetch(backend: Backend, listed: Listed) -> list[Update]:
    """Return the updates of an object, in order; one request.

    Args:
        backend: the channel.
        listed: the object.

    Raises:
        DamagedUpdateError: the object is not what a publisher writes; the message names its key.
        UnsupportedFormatError: it was written by a newer cloudsync.
        ObjectNotFoundError: it is gone.
        BackendError: it could not be read.
    """
    origin = envelope.Origin(listed.key, listed.id, listed.publisher, backend)
    reader = backend.read(listed.key, MAX_OBJECT_SIZE) if listed.size <= MAX_OBJECT_SIZE else None
    if reader is None:
        raise envelope.damaged(
            origin, f"it has more than the {MAX_OBJECT_SIZE} bytes that an object of updates may have"
        )
    data = reader.read()
    if listed.compressed:
        try:
            data = compression.expanded_whole(data, MAX_OBJECT_SIZE)
        except compression.DamagedError as error:
            raise envelope.damaged(origin, str(error)) from error
    return envelope.decode_all(data, origin)


def _pages(backend: Backend, floor: str | None, clock: Callable[[], int]) -> Iterator[Page]:
    if backend.capabilities.ordered_listing:
        return backend.list(names.UPDATES, start_after=None if floor is None else names.start_of(floor))
    if floor is None or ids.time_ns(floor) < clock() - _FAR_BEHIND_NS:
        return sort_pages(backend.list(names.UPDATES))
    return _by_the_hour(backend, ids.time_ns(floor), clock())


def _by_the_hour(backend: Backend, start_ns: int, now_ns: int) -> Iterator[Page]:
    """Yield the objects of one hour after the other, each sorted, up to those that may be there by now."""
    hour_ns = start_ns - start_ns % _HOUR_NS
    newest_ns = max(start_ns, now_ns)
    latest_ns = newest_ns + _FAR_BEHIND_NS
    while hour_ns <= newest_ns + _AHEAD_NS:
        folder = f"{names.UPDATES}/{ids.hour(ids.stamp(hour_ns))}"
        for page in sort_pages(backend.list(folder)):
            # Whoever's clock is behind hears from the store how late it is; an object of the year 2099 says nothing.
            newest_ns = max(newest_ns, *(min(entry.modified_ns, latest_ns) for entry in page), 0)
            yield page
        hour_ns += _HOUR_NS


def _foreign(backend: Backend, gap: Gap) -> Foreign:
    hides = gap.kind == "unknown" and (gap.subtree or not isinstance(names.parse_update(gap.key), str))
    if hides:
        raise AccessDeniedError(
            f"{gap.reason}; updates may be hidden there", operation="list", location=backend.location, key=gap.key
        )
    return Foreign(gap.key, gap.reason)
