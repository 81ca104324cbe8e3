"""One side as far as a part of the keys goes: what a listing would say of them, without listing the rest.

The pages are those that `list_side` yields, less everything outside the part, so that whatever reads listings reads
these: the comparison, the plan and the limits do not know the difference.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Unpack

from cloudsync_core.backend import Backend
from cloudsync_core.engine.filters import Filter
from cloudsync_core.engine.listing import ListingRules, list_side
from cloudsync_core.engine.part import Part
from cloudsync_core.errors import (
    BackendError,
    CancelledError,
    Disposition,
    InvalidKeyError,
    KeyBlockedError,
    ObjectNotFoundError,
)
from cloudsync_core.models import Gap, ObjectInfo, Page
from cloudsync_core.runs import Side

LOOKS_AT_ONCE: Final = 16
"""Objects that are asked for at the same time, on each side."""

_PAGE_LENGTH: Final = 1000

_Found = ObjectInfo | Gap | None
"""What a look at one key has found; `None`: there is no such object."""


def look_at(backend: Backend, side: Side, part: Part, scope: Filter, **rules: Unpack[ListingRules]) -> Generator[Page]:
    """Yield the objects of a part that are in scope, in key order; close it when the rest is not wanted.

    An object that is named is asked for by a request of its own, and what is in a folder is listed. One that is not
    there is on no page; one that cannot be told is a gap, as in a listing.

    Args:
        backend: the side.
        side: for messages.
        part: which keys.
        scope: the job's filter.
        rules: as of `list_side`.

    Raises:
        ContainerNotFoundError: the location does not exist.
        BackendError: the side cannot be asked at all; what concerns one object is a gap.
    """
    with ThreadPoolExecutor(LOOKS_AT_ONCE, thread_name_prefix="cloudsync-look") as pool:
        try:
            for names, folder in part.batches(_PAGE_LENGTH):
                found = pool.map(functools.partial(_look, backend), filter(scope.wants, names))
                page = _page(_until_stopped(found, rules["stop"]), rules["include"])
                if len(page) or page.gaps:
                    rules["progress"].listed(side, len(page))
                    yield page
                if folder is not None:
                    yield from list_side(backend, side, scope, prefix=folder, **rules)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _until_stopped(found: Iterator[_Found], stop: threading.Event) -> Iterator[_Found]:
    for item in found:
        if stop.is_set():
            raise CancelledError("interrupted")
        yield item


def _page(found: Iterable[_Found], include: Callable[[ObjectInfo], bool] | None) -> Page:
    rows: list[ObjectInfo] = []
    gaps: list[Gap] = []
    for item in found:
        if isinstance(item, Gap):
            gaps.append(item)
        elif item is not None and (include is None or include(item)):
            rows.append(item)
    return Page.of(rows, tuple(gaps))


def _look(backend: Backend, key: str) -> _Found:
    try:
        return backend.stat(key)
    except ObjectNotFoundError:
        return None
    except (InvalidKeyError, KeyBlockedError) as error:
        # What a listing leaves out: a symbolic link, a socket, a name that this store cannot hold.
        return Gap(key, error.reason, kind="skipped")
    except BackendError as error:
        if error.disposition is Disposition.ABORT:
            raise
        return Gap(key, error.reason)
