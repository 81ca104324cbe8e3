"""Moving a pointer: the one step that makes a release live, and that one of two publishers takes."""

from __future__ import annotations

import threading
from typing import Final

from cloudsync_core.backend import Backend
from cloudsync_core.body import Body
from cloudsync_core.crashpoints import hit
from cloudsync_core.errors import (
    BackendError,
    ManifestError,
    ObjectExistsError,
    ObjectNotFoundError,
    PreconditionFailedError,
    ReleaseConflictError,
    UnavailableError,
    UnsupportedOperationError,
    printable,
)
from cloudsync_core.layers.retry import RetryPolicy
from cloudsync_core.models import ALWAYS, IF_ABSENT, Attributes, IfMatch, ObjectInfo, PutCondition
from cloudsync_core.releases.names import pointer_key
from cloudsync_core.releases.pointer import LONGEST, Pointer, Seen, read

_PATIENT: Final = RetryPolicy()
_ATTRIBUTES: Final = Attributes(content_type="application/json", cache_control="no-cache")
"""A reader behind a cache would otherwise see for long what was live before."""


def move(
    backend: Backend,
    new: Pointer,
    seen: Seen | None,
    *,
    retry: RetryPolicy = _PATIENT,
    stop: threading.Event | None = None,
) -> ObjectInfo:
    """Move a pointer, unless somebody else has moved it since it was read; return its object.

    A store that takes conditions decides between two who do that at once. Elsewhere it is looked at right before, which
    leaves a moment in which the later of two wins (docs/releases.md, Durability).

    Args:
        backend: the location of the releases; it knows by now what its store can do (`Backend.probe`).
        new: what it shall say.
        seen: what it said when that was decided; `None` for one that was not there.
        retry: when the put is tried again.
        stop: see `RetryPolicy.call`.

    Raises:
        ReleaseConflictError: somebody else has moved it.
        BackendError: it cannot be written, or nobody can tell whether it was.
    """
    try:
        return retry.call(lambda: _move(backend, new, seen), stop)
    except (ObjectExistsError, PreconditionFailedError, ObjectNotFoundError) as error:
        raise _conflict(backend, new) from error
    except UnavailableError as error:
        error.reason = f"{error.reason}; nobody can tell whether {new.release} is live now"
        raise


def _move(backend: Backend, new: Pointer, seen: Seen | None) -> ObjectInfo:
    key, content = pointer_key(new.name), new.encode()
    try:
        written = _put(backend, key, content, seen)
    except BackendError:
        # Perhaps it was written, and the answer was lost (F01): what is there tells.
        own = _own(backend, key, content)
        if own is None:
            raise
        return own
    hit("release.pointer.moved")
    return written


def _put(backend: Backend, key: str, content: bytes, seen: Seen | None) -> ObjectInfo:
    capabilities = backend.capabilities
    condition: PutCondition = ALWAYS
    if seen is None and capabilities.put_if_absent:
        condition = IF_ABSENT
    elif seen is not None and seen.info.version and capabilities.put_if_match:
        condition = IfMatch(seen.info.version)
    if condition != ALWAYS:
        try:
            return backend.put(key, Body(content), attributes=_ATTRIBUTES, condition=condition)
        except UnsupportedOperationError:
            # Only the place itself knows: a directory may lie on a file system without hard links.
            if condition != IF_ABSENT:
                raise
    _look(backend, key, seen)
    return backend.put(key, Body(content), attributes=_ATTRIBUTES)


def _look(backend: Backend, key: str, seen: Seen | None) -> None:
    """Raise when the pointer is not what it was."""
    try:
        found = backend.read(key, LONGEST)
    except ObjectNotFoundError:
        if seen is None:
            return
        raise
    # By its content: two moves within one tick of a file system's clock look alike, and each says when it was.
    if seen is not None and found is not None and found.read() == seen.content:
        return
    raise PreconditionFailedError("it was moved", operation="put", location=backend.location, key=key)


def _own(backend: Backend, key: str, content: bytes) -> ObjectInfo | None:
    try:
        found = backend.read(key, LONGEST)
    except BackendError:
        return None
    return found.info if found is not None and found.read() == content else None


def _conflict(backend: Backend, new: Pointer) -> ReleaseConflictError:
    try:
        now = read(backend, new.name)
    except (BackendError, ManifestError):
        now = None
    pointer = printable(f"{backend.location}/{pointer_key(new.name)}")
    what = "was removed" if now is None else f"was moved to {now.pointer.release} by {now.pointer.by}"
    return ReleaseConflictError(
        f"the pointer {pointer} {what} meanwhile, and was left there; {new.release} is complete, and not live",
        hint=f"Look at what is live, then publish anew, or make yours live by `cloudsync release promote "
        f"{backend.location} {new.release} --to {new.name}`.",
    )
