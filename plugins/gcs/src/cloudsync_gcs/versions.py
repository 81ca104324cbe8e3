"""What an answer tells of an object's version and of its content.

The generation is the version: each content has its own, and what is changed beside the content changes another number
(https://cloud.google.com/storage/docs/metadata#generation-number). The MD5 and the CRC32C are of the bytes as they are
stored; an object that was composed of others has a CRC32C alone (catalogue B11).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import google_crc32c

from cloudsync_core.body import Body, add_algorithm
from cloudsync_core.errors import IntegrityError, UnexpectedBackendError
from cloudsync_core.models import Digest, Version

FIELDS = {"md5": "md5Hash", "crc32c": "crc32c"}
"""The fields of an object's resource that hold digests, the better one first."""

_LENGTHS = {"md5": 16, "crc32c": 4}


class Crc32c:
    """The CRC32C of content that passes, as `cloudsync_core.body` computes digests."""

    __slots__ = ("_value",)

    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes, /) -> None:
        """Take in the next bytes."""
        self._value = google_crc32c.extend(self._value, data)

    def hexdigest(self) -> str:
        """Return the CRC of all bytes so far, the most significant byte first."""
        return f"{self._value:08x}"


add_algorithm("crc32c", Crc32c)


def version(resource: Mapping[str, Any]) -> Version:
    """Return the version that an object's resource tells.

    Raises:
        UnexpectedBackendError: it tells none.
    """
    generation = resource.get("generation")
    if not isinstance(generation, str) or not generation.isdecimal():
        raise UnexpectedBackendError("the server does not tell the object's generation")
    return Version(generation, generation)


def hexadecimal(algorithm: str, text: object) -> str | None:
    """Return a digest that a server tells in base64 as `Digest` holds it, `None` where it is none."""
    if not isinstance(text, str):
        return None
    try:
        value = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return None
    return value.hex() if len(value) == _LENGTHS[algorithm] else None


def encoded(digest: Digest) -> str:
    """Return a digest as requests and resources have it: in base64."""
    return base64.b64encode(bytes.fromhex(digest.value)).decode("ascii")


def digests(resource: Mapping[str, Any]) -> tuple[Digest, ...]:
    """Return the digests of an object's stored bytes that its resource tells."""
    found = ((algorithm, hexadecimal(algorithm, resource.get(field))) for algorithm, field in FIELDS.items())
    return tuple(Digest(algorithm, value) for algorithm, value in found if value is not None)


def require(body: Body) -> str:
    """Return the algorithm by which an upload of `body` is proven, which the body computes.

    That is one of which the source told the digest, so that one is enough, else MD5.
    """
    known = [digest.algorithm for digest in body.expected]
    algorithm = next((name for name in FIELDS if name in known), "md5") if known else "md5"
    body.require(algorithm)
    return algorithm


def confirmed(resource: Mapping[str, Any], sent: tuple[Digest, ...]) -> tuple[Digest, ...]:
    """Return those digests of what was sent that the server tells of what it stored.

    Raises:
        IntegrityError: it tells another one.
    """
    found = []
    for digest in sent:
        stored = hexadecimal(digest.algorithm, resource.get(FIELDS[digest.algorithm]))
        if stored == digest.value:
            found.append(digest)
        elif stored is not None:
            raise IntegrityError(
                f"the server stored the object with the {digest.algorithm} {stored}, sent was {digest.value}"
            )
    return tuple(found)
