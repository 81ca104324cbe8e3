"""Conditions of writes: how a request says them, and what a refusal means (clause P4)."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from cloudsync_core.errors import (
    BackendError,
    Disposition,
    ObjectExistsError,
    ObjectNotFoundError,
    PreconditionFailedError,
    UnsupportedOperationError,
)
from cloudsync_core.models import ALWAYS, IfAbsent, IfMatch, PutCondition, Version
from cloudsync_s3.config import S3Options

Kinds = tuple[type[PutCondition], ...]
"""Some of the conditions of writes."""


@dataclasses.dataclass(slots=True)
class Honoured:
    """The conditions that a server honours; what it is found to honour is set here, and counts from then on.

    Attributes:
        puts: those of PutObject.
        completions: those of CompleteMultipartUpload.
        deletes: whether DeleteObject honours If-Match.
    """

    puts: Kinds = ()
    completions: Kinds = ()
    deletes: bool = False


def said_of(options: S3Options, *, is_amazon: bool) -> Honoured:
    """Return what the options say that the server honours, or what is known of Amazon's; nothing of any other."""
    writes = is_amazon if options.conditional_writes == "auto" else options.conditional_writes
    kinds: Kinds = (IfAbsent,) if writes == "if-absent" else (IfAbsent, IfMatch) if writes else ()
    return Honoured(kinds, kinds, is_amazon if options.conditional_deletes == "auto" else options.conditional_deletes)


def unsaid_of(options: S3Options) -> list[Literal["writes", "deletes"]]:
    """Return what the options leave to be found out."""
    said: dict[Literal["writes", "deletes"], object] = {
        "writes": options.conditional_writes,
        "deletes": options.conditional_deletes,
    }
    return [about for about, value in said.items() if value == "auto"]


def if_match(version: Version) -> str:
    """Return the value of an If-Match header for a version.

    Raises:
        UnsupportedOperationError: the version has no ETag, which is what S3 compares.
    """
    if version.etag is None:
        raise UnsupportedOperationError("S3 compares versions by their ETag, and this one has none")
    return f'"{version.etag}"'


def parameters(condition: PutCondition, kinds: Kinds, disposition: Disposition | None = None) -> dict[str, str]:
    """Return the parameters that say a condition.

    Args:
        condition: the condition.
        kinds: those that the server honours there.
        disposition: of the error, instead of its own.

    Raises:
        UnsupportedOperationError: it is none of the kinds that the server honours.
    """
    if condition is ALWAYS:
        return {}
    if not isinstance(condition, kinds):
        raise UnsupportedOperationError(
            "this server is not known to honour conditions on writes like this one",
            hint="If it does, set the option conditional_writes.",
            disposition=disposition,
        )
    return {"IfMatch": if_match(condition.version)} if isinstance(condition, IfMatch) else {"IfNoneMatch": "*"}


@contextlib.contextmanager
def refusals(condition: PutCondition) -> Iterator[None]:
    """Say of a write that was refused which condition did not hold."""
    try:
        yield
    except PreconditionFailedError as error:
        if not isinstance(condition, IfAbsent) or _about_the_source(error):
            raise
        raise _renamed(ObjectExistsError, "there is an object of that name", error) from error
    except ObjectNotFoundError as error:
        if not isinstance(condition, IfMatch):
            raise
        raise _renamed(PreconditionFailedError, "the object is gone", error) from error


def _about_the_source(error: PreconditionFailedError) -> bool:
    """Tell whether a copy was refused for its source; S3 names the header that did not hold."""
    response: Mapping[str, Any] = getattr(error.__cause__, "response", {})
    return str(response.get("Error", {}).get("Condition", "")).lower().startswith("x-amz-copy-source")


def _renamed(kind: type[BackendError], reason: str, error: BackendError) -> BackendError:
    return kind(reason, operation=error.operation, location=error.location, key=error.key)
