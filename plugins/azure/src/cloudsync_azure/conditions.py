"""Conditions of writes: how a request says them, and what a refusal means (clause P4)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from cloudsync_azure.errors import SOURCE_OF_COPY, RefusedError
from cloudsync_azure.versions import quoted
from cloudsync_core.errors import (
    BackendError,
    ObjectExistsError,
    ObjectNotFoundError,
    PreconditionFailedError,
    UnsupportedOperationError,
)
from cloudsync_core.models import ALWAYS, IfAbsent, IfMatch, PutCondition, Version

_ABOUT_THE_SOURCE = frozenset({"SourceConditionNotMet", SOURCE_OF_COPY})


def if_match(version: Version) -> str:
    """Return the value of an If-Match header for a version.

    Raises:
        UnsupportedOperationError: the version has no ETag, which is what Azure compares.
    """
    if version.etag is None:
        raise UnsupportedOperationError("Azure compares versions by their ETag, and this one has none")
    return quoted(version.etag)


def headers(condition: PutCondition) -> dict[str, str]:
    """Return the headers that say a condition."""
    if condition is ALWAYS:
        return {}
    return {"if-match": if_match(condition.version)} if isinstance(condition, IfMatch) else {"if-none-match": "*"}


@contextlib.contextmanager
def refusals(condition: PutCondition) -> Iterator[None]:
    """Say of a write that was refused which condition did not hold.

    A write without a condition is refused with "already exists" where a directory of a hierarchical namespace is in
    the way; that stays as it is.
    """
    try:
        yield
    except PreconditionFailedError as error:
        if not isinstance(condition, IfAbsent) or _about_the_source(error):
            raise
        raise _renamed(ObjectExistsError, "there is an object of that name", error) from error
    except (ObjectNotFoundError, ObjectExistsError) as error:
        if not isinstance(condition, IfMatch) or _about_the_source(error):
            raise
        raise _renamed(PreconditionFailedError, "the object is gone", error) from error


def _about_the_source(error: BackendError) -> bool:
    """Tell whether a copy was refused for its source."""
    cause = error.__cause__
    return isinstance(cause, RefusedError) and cause.code in _ABOUT_THE_SOURCE


def _renamed(kind: type[BackendError], reason: str, error: BackendError) -> BackendError:
    return kind(reason, operation=error.operation, location=error.location, key=error.key)
