"""Attributes of objects, as Azure's requests and answers carry them.

The modification time is the metadata `mtime` in the form of RFC 3339 that rclone reads and writes on Azure
(https://rclone.org/azureblob/#modification-times-and-hashes). Text that no header can have travels as
`cloudsync_core.backends.objectstore.words` has it, and so does what Azure would not keep as it is: empty values, and
several spaces in a row. Names of metadata are C# identifiers to Azure
(https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata): whatever
else is in a name is written as `_` with two hexadecimal digits and `_`, byte by byte.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping

from cloudsync_core.backends.objectstore.words import AttributesError, decoded, encoded, has_control
from cloudsync_core.models import Attributes

METADATA = "x-ms-meta-"
"""What the names of headers with metadata begin with."""

FOLDER = "hdi_isfolder"
"""Metadata by which tools mark an entry as a directory."""

_MTIME = "mtime"
_RFC_3339 = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE)
_SECONDS = re.compile(r"(-?)(\d{1,12})(?:\.(\d{1,9}))?", re.ASCII)
_SECOND = 1_000_000_000
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)

_IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]*")
_ESCAPED = re.compile(r"(?:_[0-9a-f]{2}_)+")
_ESCAPE = re.compile(r"_(?=[0-9a-f]{2}[^a-z0-9])|[^a-z0-9_]|^[0-9]")

_HEADERS = {
    "content_type": "content-type",
    "cache_control": "cache-control",
    "content_encoding": "content-encoding",
    "content_disposition": "content-disposition",
    "content_language": "content-language",
}
_UNSET_TYPE = "application/octet-stream"
"""What Azure answers for an object that was stored without a content type."""


def to_headers(attributes: Attributes) -> dict[str, str]:
    """Return the headers of a request that stores `attributes`.

    Raises:
        AttributesError: they cannot be said in HTTP headers.
    """
    headers = {}
    for name, header in _HEADERS.items():
        value = getattr(attributes, name)
        if value is not None:
            if has_control(value) or not value.isascii():
                raise AttributesError(f"Azure cannot store a {name} with characters that are not printable ASCII")
            headers[f"x-ms-blob-{header}"] = value
    for name, value in attributes.metadata.items():
        headers[METADATA + _name_written(name.lower())] = encoded(value, store="Azure", spaces_kept=False)
    if attributes.mtime_ns is not None:
        headers[METADATA + _MTIME] = _moment(attributes.mtime_ns)
    return headers


def from_headers(headers: Mapping[str, str]) -> Attributes:
    """Return the attributes that an answer about an object tells."""
    metadata = {
        _name_read(name[len(METADATA) :]): decoded(value)
        for name, value in headers.items()
        if name.startswith(METADATA)
    }
    mtime_ns = _nanoseconds(metadata.get(_MTIME, ""))
    if mtime_ns is not None:
        del metadata[_MTIME]
    values = {name: headers.get(header) or None for name, header in _HEADERS.items()}
    if values["content_type"] == _UNSET_TYPE:
        values["content_type"] = None
    return Attributes(mtime_ns=mtime_ns, metadata=metadata, **values)


def is_folder(headers: Mapping[str, str]) -> bool:
    """Tell whether an answer is about a directory of a hierarchical namespace, or of a tool that pretends one."""
    return (
        headers.get("x-ms-resource-type", "").lower() == "directory"
        or headers.get(METADATA + FOLDER, "").strip().lower() == "true"
    )


def _name_written(name: str) -> str:
    try:
        written = _ESCAPE.sub(lambda match: "".join(f"_{byte:02x}_" for byte in match[0].encode()), name)
    except UnicodeEncodeError as error:
        raise AttributesError("Azure cannot store metadata whose name is not valid Unicode") from error
    if not _IDENTIFIER.fullmatch(written):
        raise AttributesError("Azure cannot store metadata without a name")
    return written


def _name_read(written: str) -> str:
    return _ESCAPED.sub(_unescaped, written)


def _unescaped(match: re.Match[str]) -> str:
    try:
        return bytes.fromhex(match[0].replace("_", "")).decode()
    except UnicodeDecodeError:
        return match[0]


def _moment(nanoseconds: int) -> str:
    """Return a time as rclone writes it, or in seconds where its year has no four digits."""
    second, rest = divmod(nanoseconds, _SECOND)
    try:
        moment = _EPOCH + dt.timedelta(seconds=second)
    except OverflowError:
        whole, rest = divmod(abs(nanoseconds), _SECOND)
        return f"{'-' if nanoseconds < 0 else ''}{whole}.{rest:09d}"
    return f"{moment.replace(tzinfo=None).isoformat()}.{rest:09d}Z"


def _nanoseconds(text: str) -> int | None:
    if (match := _RFC_3339.fullmatch(text)) is not None:
        zone = "+00:00" if match[3] in "zZ" else match[3]
        try:
            moment = dt.datetime.fromisoformat(match[1].upper() + zone)
        except ValueError:
            return None
        return (moment - _EPOCH) // dt.timedelta(seconds=1) * _SECOND + int((match[2] or "").ljust(9, "0"))
    if (match := _SECONDS.fullmatch(text)) is not None:
        amount = int(match[2]) * _SECOND + int((match[3] or "").ljust(9, "0"))
        return -amount if match[1] else amount
    return None
