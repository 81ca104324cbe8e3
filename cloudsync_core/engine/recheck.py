"""Whether an object of the target is still what it was: asked right before it is written over or removed (D20, F03)."""

from __future__ import annotations

from cloudsync_core.backend import Backend
from cloudsync_core.errors import BackendError, ObjectExistsError, ObjectNotFoundError, PreconditionFailedError
from cloudsync_core.models import ObjectInfo


def change_since(backend: Backend, key: str, seen: ObjectInfo | None, *, operation: str) -> BackendError | None:
    """Return an error when the object is not the one that was seen; a store that cannot be asked is an error too.

    Args:
        backend: the store.
        key: the object.
        seen: the object as it was; `None` where there was none.
        operation: what is about to be done: "delete", for which an object that is gone is no change, or another.
    """
    kind: type[BackendError] = PreconditionFailedError
    reason = "the target's object changed after it was listed; the next run compares it again"
    try:
        found = backend.stat(key)
    except ObjectNotFoundError:
        if seen is None or operation == "delete":
            return None
    except BackendError as error:
        return error
    else:
        if seen is None:
            kind, reason = ObjectExistsError, "an object came there after the listing; the next run compares it"
        elif is_same(found, seen):
            return None
    return kind(reason, operation=operation, location=backend.location, key=key)


def is_same(found: ObjectInfo, seen: ObjectInfo) -> bool:
    """Tell whether two looks at one object, some time apart, saw the same version, by the best that both can tell."""
    if found.fingerprint and seen.fingerprint:
        return found.fingerprint == seen.fingerprint
    if found.version and seen.version:
        return found.version == seen.version
    return (found.size, found.modified_ns) == (seen.size, seen.modified_ns)
