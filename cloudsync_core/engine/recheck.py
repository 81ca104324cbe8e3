"""Whether an object of the target is still what it was: asked right before it is written over or removed (D20, F03)."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from itertools import islice
from operator import lt

from cloudsync_core.backend import Backend
from cloudsync_core.errors import BackendError, ObjectExistsError, ObjectNotFoundError, PreconditionFailedError
from cloudsync_core.models import ObjectInfo, Page

_PAGES_AT_LEAST = 2
"""Pages that are read however few of them show what somebody asked about."""

_OBJECTS_A_PAGE = 50
"""Objects that each further page has to show: with fewer, as many looks side by side cost less."""


def change_since(backend: Backend, key: str, seen: ObjectInfo | None, *, operation: str) -> BackendError | None:
    """Return an error when the object is not the one that was seen; a store that cannot be asked is an error too.

    Args:
        backend: the store.
        key: the object.
        seen: the object as it was; `None` where there was none.
        operation: what is about to be done: "delete", for which an object that is gone is no change, or another.
    """
    try:
        found = backend.stat(key)
    except ObjectNotFoundError:
        if seen is None or operation == "delete":
            return None
    except BackendError as error:
        return error
    else:
        if seen is None:
            reason = "an object came there after the listing; the next run compares it"
            return ObjectExistsError(reason, operation=operation, location=backend.location, key=key)
        if is_same(found, seen):
            return None
    return changed_error(backend, key, operation=operation)


def changed_error(backend: Backend, key: str, *, operation: str) -> PreconditionFailedError:
    """Return the error for an object that is not the one that was seen."""
    reason = "the target's object changed after it was listed; the next run compares it again"
    return PreconditionFailedError(reason, operation=operation, location=backend.location, key=key)


def unchanged_in_listing(backend: Backend, seen: Mapping[str, ObjectInfo]) -> dict[str, bool]:
    """Tell of many objects by one short listing whether each is still what was seen; be silent about the others.

    Only what the listing shows counts, as what it leaves out may be there all the same: a server may not know where to
    start, or sort in its own way. The caller looks by itself at every object that is not in the result: the first one,
    after which the listing starts, those that are gone or between which too much else lies, and whatever comes after an
    error or after a key that is not in order.

    Args:
        backend: the store; it has to list in order.
        seen: the objects as they were, by key; at least one.
    """
    first, last = min(seen), max(seen)
    found: dict[str, bool] = {}
    if first == last:
        return found
    with contextlib.suppress(BackendError):
        reached = first
        for number, page in enumerate(backend.list(start_after=first), start=1):
            names = page.keys
            if names:
                if names[0] <= reached or not all(map(lt, names, islice(names, 1, None))):
                    break
                reached = names[-1]
            found.update((name, _row_is(page, row, seen[name])) for row, name in enumerate(names) if name in seen)
            if reached >= last or number >= _PAGES_AT_LEAST + len(found) // _OBJECTS_A_PAGE:
                break
    return found


def _row_is(page: Page, row: int, seen: ObjectInfo) -> bool:
    # Most rows are what they were, and building the entry costs more than the rest.
    return (seen.fingerprint != "" and page.fingerprints[row] == seen.fingerprint) or is_same(page[row], seen)


def is_same(found: ObjectInfo, seen: ObjectInfo) -> bool:
    """Tell whether two looks at one object, some time apart, saw the same version, by the best that both can tell."""
    if found.fingerprint and seen.fingerprint:
        return found.fingerprint == seen.fingerprint
    if found.version and seen.version:
        return found.version == seen.version
    return (found.size, found.modified_ns) == (seen.size, seen.modified_ns)
