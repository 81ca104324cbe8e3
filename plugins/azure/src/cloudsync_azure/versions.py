"""What an answer tells of version and digests.

Content-MD5 is a property of an object: the service sets it to the MD5 of what one Put Blob brought, and whoever commits
blocks, or changes properties, sets it to what they like
(https://learn.microsoft.com/rest/api/storageservices/get-blob-properties).
"""

from __future__ import annotations

import base64
import binascii
import email.utils
import functools
from collections.abc import Mapping

from cloudsync_core.backends.objectstore.transport import DamagedAnswerError
from cloudsync_core.errors import IntegrityError
from cloudsync_core.models import Digest, Version

MD5_HINT = "If somebody sets Content-MD5 to something else than the MD5 of the content, set content_md5: false."

_MD5_BYTES = 16
_PARTIAL = 206


def plain(etag: str | None) -> str | None:
    """Return an ETag as `Version` holds it: without its quotes, which listings leave out."""
    return etag.strip('"') if etag else None


def quoted(etag: str) -> str:
    """Return an ETag as a header has it."""
    return f'"{etag}"'


def version(headers: Mapping[str, str]) -> Version:
    """Return the version that an answer tells; it has an id where the account keeps versions."""
    return Version(plain(headers.get("etag")), headers.get("x-ms-version-id") or None)


def digests(headers: Mapping[str, str], status: int) -> tuple[Digest, ...]:
    """Return the digests of an object's whole content that an answer about it tells.

    Args:
        headers: of the answer.
        status: that of a range has the whole's digest under another name.
    """
    told = headers.get("x-ms-blob-content-md5")
    if told is None and status != _PARTIAL:
        told = headers.get("content-md5")
    digest = md5(told)
    return () if digest is None else (digest,)


@functools.lru_cache(maxsize=16)
def md5(told: str | None) -> Digest | None:
    """Return the digest that a Content-MD5 tells, `None` where it is none."""
    try:
        found = base64.b64decode(told or "", validate=True)
    except (binascii.Error, ValueError):
        return None
    return Digest("md5", found.hex()) if len(found) == _MD5_BYTES else None


def check(told: str | None, sent: Digest, what: str) -> None:
    """Compare what the server says it received with what was sent.

    Args:
        told: Content-MD5 of the answer to a write; that it took what was sent with an MD5 is enough where it is `None`.
        sent: the digest of what was sent.
        what: that was, for the message.

    Raises:
        IntegrityError: it received something else.
    """
    stored = md5(told)
    if stored is not None and stored != sent:
        raise IntegrityError(f"the server stored {what} with the MD5 {stored.value}, sent was {sent.value}")


@functools.lru_cache(maxsize=256)
def nanoseconds(moment: str | None) -> int:
    """Return a time of HTTP in nanoseconds since the epoch; objects that were written together share it.

    Raises:
        DamagedAnswerError: it is none.
    """
    try:
        return int(email.utils.parsedate_to_datetime(moment or "").timestamp()) * 1_000_000_000
    except (TypeError, ValueError) as error:
        raise DamagedAnswerError("the server's answer holds a time that is none") from error
