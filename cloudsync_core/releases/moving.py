"""Moving a pointer: the one step that makes a release live, and that one of two publishers takes."""

from __future__ import annotations

import threading
from typing import Final

from cloudsync_core.backend import Backend
from cloudsync_core.body import Body
from cloudsync_core.crashpoints import hit
from cloudsync_core.engine.recheck import is_same
from cloudsync_core.errors import (
    BackendError,
    IntegrityError,
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
from cloudsync_core.releases.pointer import Pointer, Seen, read, stored

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
    move_it = _Move(backend, new, seen)
    try:
        return retry.call(move_it.attempt, stop)
    except (ObjectExistsError, PreconditionFailedError, ObjectNotFoundError) as error:
        raise _conflict(backend, new) from error
    except UnavailableError as error:
        error.reason = f"{error.reason}; nobody can tell whether {new.release} is live now"
        raise


class _Move:
    """The attempts at one move.

    Args:
        backend: the location.
        new: what the pointer shall say.
        seen: what may be replaced.
    """

    def __init__(self, backend: Backend, new: Pointer, seen: Seen | None) -> None:
        self._backend = backend
        self._new = new
        self._key = pointer_key(new.name)
        self._content = new.encode()
        # What an attempt has written wrong takes the place of what was seen.
        self._replaced = seen

    def attempt(self) -> ObjectInfo:
        """Write the pointer, and return its object once it is read back as it was written."""
        try:
            written = self._put()
        except BackendError as error:
            # Perhaps it was written, and the answer was lost (F01): what is there tells.
            own = _own(self._backend, self._key, self._content)
            if own is not None:
                return own
            if isinstance(error, IntegrityError) and error.written is not None:
                self._replaced = Seen(self._new, error.written, b"")
            raise
        hit("release.pointer.moved")
        self._check(written)
        return written

    def _put(self) -> ObjectInfo:
        capabilities, seen = self._backend.capabilities, self._replaced
        condition: PutCondition = ALWAYS
        if seen is None and capabilities.put_if_absent:
            condition = IF_ABSENT
        elif seen is not None and seen.info.version and capabilities.put_if_match:
            condition = IfMatch(seen.info.version)
        if condition != ALWAYS:
            try:
                return self._write(condition)
            except UnsupportedOperationError:
                # Only the place itself knows: a directory may lie on a file system without hard links.
                if condition != IF_ABSENT:
                    raise
        self._look(seen)
        return self._write(ALWAYS)

    def _write(self, condition: PutCondition) -> ObjectInfo:
        return self._backend.put(self._key, Body(self._content), attributes=_ATTRIBUTES, condition=condition)

    def _look(self, seen: Seen | None) -> None:
        """Raise when the pointer is not what it was."""
        try:
            found = stored(self._backend, self._key)
        except ObjectNotFoundError:
            if seen is None:
                return
            raise
        # By its content: two moves within one tick of a file system's clock look alike, and each says when it was.
        if seen is not None and found is not None and found[1] == seen.content:
            return
        raise PreconditionFailedError("it was moved", operation="put", location=self._backend.location, key=self._key)

    def _check(self, written: ObjectInfo) -> None:
        """Read it back: a pointer that leads nowhere would keep every reader out."""
        found = stored(self._backend, self._key)
        if found is None or found[1] == self._content or not is_same(found[0], written):
            # What is not what was written is somebody else's, who has moved it since then.
            return
        self._replaced = Seen(self._new, *found)
        raise IntegrityError(
            "the store holds other bytes than were sent",
            operation="put",
            location=self._backend.location,
            key=self._key,
        )


def _own(backend: Backend, key: str, content: bytes) -> ObjectInfo | None:
    try:
        found = stored(backend, key)
    except BackendError:
        return None
    return found[0] if found is not None and found[1] == content else None


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
