"""Reading JSON that somebody else wrote: every field is of the type that the format says, or it is an error."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, TypeVar

from cloudsync_core.errors import UnsupportedFormatError
from cloudsync_core.models import Digest
from cloudsync_core.releases.names import FORMAT

T = TypeVar("T")

_DIGEST_LENGTH: Final = 64


class WrongFieldError(ValueError):
    """A field is missing, or is not what the format says."""


def parse(text: bytes) -> dict[str, Any]:
    """Return a JSON object.

    Raises:
        WrongFieldError: it is no JSON object in UTF-8.
    """
    try:
        value = json.loads(text.decode())
    except (ValueError, RecursionError) as error:
        raise WrongFieldError("it is no JSON") from error
    if not isinstance(value, dict):
        raise WrongFieldError("it is no JSON object")
    return value


def check_format(values: Mapping[str, Any], what: str) -> None:
    """Return when this cloudsync knows the format of what was read.

    Args:
        values: of a manifest's first line, or of a pointer.
        what: names it in the message.

    Raises:
        UnsupportedFormatError: it is a newer one.
        WrongFieldError: it is none.
    """
    version = field(values, "format", int)
    if version < 1:
        raise WrongFieldError("'format' is no version")
    if version > FORMAT:
        raise UnsupportedFormatError(
            f"{what} is written in format {version}, and this cloudsync knows formats up to {FORMAT}",
            hint=f"Upgrade cloudsync-core to a version that reads format {version} of releases.",
        )


def field(values: Mapping[str, Any], name: str, kind: type[T]) -> T:
    """Return a field that must be there.

    Raises:
        WrongFieldError: it is missing, or of another type.
    """
    value = values.get(name)
    # By identity: true is no number here.
    if type(value) is not kind:
        raise WrongFieldError(f"{name!r} is missing or no {_WORDS[kind]}")
    if isinstance(value, str):
        check_text(value, name)
    return value


def check_text(value: str, name: str) -> None:
    """Return when text can be written as UTF-8: JSON can escape what cannot.

    Raises:
        WrongFieldError: it cannot.
    """
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise WrongFieldError(f"{name!r} holds what is no Unicode text") from error


def optional(values: Mapping[str, Any], name: str, kind: type[T]) -> T | None:
    """Return a field, or `None` where it is missing or null.

    Raises:
        WrongFieldError: it is of another type.
    """
    return None if values.get(name) is None else field(values, name, kind)


def count(values: Mapping[str, Any], name: str) -> int:
    """Return a field that counts something.

    Raises:
        WrongFieldError: it is no number from 0 on.
    """
    value = field(values, name, int)
    if value < 0:
        raise WrongFieldError(f"{name!r} is below 0")
    return value


def digest(values: Mapping[str, Any], name: str) -> Digest:
    """Return a field that is a SHA-256 digest: `sha256:` and 64 hexadecimal digits.

    Raises:
        WrongFieldError: it is none.
    """
    found = Digest.parse(field(values, name, str))
    if found.algorithm != "sha256" or len(found.value) != _DIGEST_LENGTH or set(found.value) - set("0123456789abcdef"):
        raise WrongFieldError(f"{name!r} is no SHA-256 digest")
    return found


_WORDS: Final[Mapping[type, str]] = {int: "whole number", str: "text", dict: "object", list: "list"}
