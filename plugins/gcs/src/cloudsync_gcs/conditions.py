"""Preconditions of requests: how they say them, and what a refusal means (clause P4).

https://cloud.google.com/storage/docs/request-preconditions
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from cloudsync_core.errors import (
    BackendError,
    ObjectExistsError,
    ObjectNotFoundError,
    PreconditionFailedError,
    UnsupportedOperationError,
)
from cloudsync_core.models import ALWAYS, IfAbsent, IfMatch, PutCondition, Version
from cloudsync_gcs.errors import Refusal

STALE = "the object is another version than expected"
_ABSENT = "0"
"""The generation of an object that is not there."""


def generation(version: Version) -> str:
    """Return the generation that a version names.

    Raises:
        PreconditionFailedError: it names none, so no object is that version.
    """
    name = version.id or version.etag or ""
    if not name.isdecimal() or name == _ABSENT:
        raise PreconditionFailedError(STALE)
    return name


def parameters(condition: PutCondition, *, honoured: bool) -> dict[str, str]:
    """Return the parameters of a request that say the condition of a write.

    Args:
        condition: what must hold at the target.
        honoured: whether the server honours conditions.

    Raises:
        UnsupportedOperationError: it does not.
        PreconditionFailedError: there can be no object of that version.
    """
    if condition is ALWAYS:
        return {}
    refuse_unless(honoured=honoured)
    match = generation(condition.version) if isinstance(condition, IfMatch) else _ABSENT
    return {"ifGenerationMatch": match}


def refuse_unless(*, honoured: bool) -> None:
    """Raise `UnsupportedOperationError` where the server is not known to honour conditions (clause C1)."""
    if not honoured:
        raise UnsupportedOperationError(
            "this server is not known to honour preconditions", hint="If it does, set the option preconditions."
        )


@contextlib.contextmanager
def refusals(condition: PutCondition) -> Iterator[None]:
    """Say of a write that was refused which condition did not hold."""
    try:
        yield
    except PreconditionFailedError as error:
        # What the body raises is about the source.
        if not isinstance(condition, IfAbsent) or not isinstance(error.__cause__, Refusal):
            raise
        raise _renamed(ObjectExistsError, "there is an object of that name", error) from error
    except ObjectNotFoundError as error:
        if not isinstance(condition, IfMatch) or not isinstance(error.__cause__, Refusal):
            raise
        raise _renamed(PreconditionFailedError, "the object is gone", error) from error


def _renamed(kind: type[BackendError], reason: str, error: BackendError) -> BackendError:
    return kind(reason, operation=error.operation, location=error.location, key=error.key)
