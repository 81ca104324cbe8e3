"""Attributes of objects, as S3 requests and responses carry them.

The modification time is the user metadata `mtime`: seconds since the epoch with up to nine decimals, which is the form
that rclone reads and writes (https://rclone.org/s3/#modification-times-and-hashes). Text that no header can have is
written as `cloudsync_core.backends.objectstore.words` does it, the form in which S3 itself returns such metadata
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from cloudsync_core.backends.objectstore.words import AttributesError, decoded, encoded, has_control
from cloudsync_core.models import Attributes
from cloudsync_s3.versions import PART_SIZE_METADATA

_MTIME = "mtime"
_SECONDS = re.compile(r"(-?)(\d{1,11})(?:\.(\d{1,9}))?")
_NAME = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+")

_HEADERS = {
    "content_type": "ContentType",
    "cache_control": "CacheControl",
    "content_encoding": "ContentEncoding",
    "content_disposition": "ContentDisposition",
    "content_language": "ContentLanguage",
}
_UNSET_TYPE = "binary/octet-stream"
"""What S3 answers for an object that was stored without a content type."""


def to_request(attributes: Attributes) -> dict[str, Any]:
    """Return the parameters of a request that stores `attributes`.

    Raises:
        AttributesError: they cannot be said in HTTP headers.
    """
    request: dict[str, Any] = {}
    for name, parameter in _HEADERS.items():
        value = getattr(attributes, name)
        if value is not None:
            if has_control(value):
                raise AttributesError(f"S3 cannot store a {name} with a control character")
            request[parameter] = value
    metadata = {name.lower(): encoded(value, store="S3") for name, value in attributes.metadata.items()}
    for name in metadata:
        if not _NAME.fullmatch(name):
            raise AttributesError(f"S3 cannot store metadata of the name {name!r}")
    metadata.pop(PART_SIZE_METADATA, None)
    if attributes.mtime_ns is not None:
        metadata[_MTIME] = _seconds(attributes.mtime_ns)
    request["Metadata"] = metadata
    return request


def from_response(response: Mapping[str, Any]) -> Attributes:
    """Return the attributes that a response of GetObject or HeadObject tells."""
    metadata = {name.lower(): decoded(value) for name, value in response.get("Metadata", {}).items()}
    metadata.pop(PART_SIZE_METADATA, None)
    mtime_ns = _nanoseconds(metadata.get(_MTIME, ""))
    if mtime_ns is not None:
        del metadata[_MTIME]
    values = {name: response.get(parameter) or None for name, parameter in _HEADERS.items()}
    if values["content_type"] == _UNSET_TYPE:
        values["content_type"] = None
    values["content_encoding"] = _without_transfer(values["content_encoding"])
    return Attributes(mtime_ns=mtime_ns, metadata=metadata, **values)


def _seconds(nanoseconds: int) -> str:
    whole, rest = divmod(abs(nanoseconds), 1_000_000_000)
    sign = "-" if nanoseconds < 0 else ""
    return f"{sign}{whole}.{rest:09d}".rstrip("0").rstrip(".")


def _nanoseconds(seconds: str) -> int | None:
    match = _SECONDS.fullmatch(seconds)
    if match is None:
        return None
    amount = int(match[2]) * 1_000_000_000 + int((match[3] or "").ljust(9, "0"))
    return -amount if match[1] else amount


def _without_transfer(encoding: str | None) -> str | None:
    """Drop `aws-chunked`, which is how an upload was sent; some servers keep it as if it were the object's."""
    if encoding is None or "aws-chunked" not in encoding.lower():
        return encoding
    kept = [token.strip() for token in encoding.split(",") if token.strip().lower() != "aws-chunked"]
    return ",".join(kept) or None
