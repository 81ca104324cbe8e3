"""Attributes of objects, as the resources of the JSON API carry them.

The modification time is the custom metadata `mtime`, as RFC 3339 has times, with up to nine decimals, and
`goog-reserved-file-mtime`, in whole seconds since the epoch: rclone reads and writes both
(https://rclone.org/googlecloudstorage/#modification-times), Google's own tools the second.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

from cloudsync_core.backends.objectstore.words import AttributesError, has_control, is_unicode
from cloudsync_core.models import Attributes

_MTIME = "mtime"
_MTIME_SECONDS = "goog-reserved-file-mtime"
_BILLION = 1_000_000_000

_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?([Zz]|[+-]\d\d:\d\d)")
_SECONDS = re.compile(r"(-?)(\d{1,12})(?:\.(\d{1,9}))?")
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)

HEADERS = {
    "content_type": "contentType",
    "cache_control": "cacheControl",
    "content_encoding": "contentEncoding",
    "content_disposition": "contentDisposition",
    "content_language": "contentLanguage",
}
"""The fields of a resource by the names of `Attributes`."""

_UNSET_TYPE = "application/octet-stream"
"""What an object has that was stored without a content type
(https://cloud.google.com/storage/docs/metadata#content-type)."""

FIELDS = ",".join((*HEADERS.values(), "metadata"))
"""What an answer must hold for `from_resource`."""


def to_resource(attributes: Attributes) -> dict[str, Any]:
    """Return the part of a resource that stores `attributes`.

    Raises:
        AttributesError: they cannot be said there.
    """
    resource: dict[str, Any] = {}
    for name, field in HEADERS.items():
        value = getattr(attributes, name)
        if value is not None:
            if not (value.isascii() and value.isprintable()) and (has_control(value) or not is_unicode(value)):
                raise AttributesError(f"Google Cloud Storage cannot store a {name} with a control character")
            resource[field] = value
    metadata = {name.lower(): value for name, value in attributes.metadata.items()}
    for name, value in metadata.items():
        if not name or not is_unicode(name) or not is_unicode(value):
            raise AttributesError(f"Google Cloud Storage cannot store the metadata of the name {name!r}")
    if attributes.mtime_ns is not None:
        metadata[_MTIME] = written_time(attributes.mtime_ns)
        metadata[_MTIME_SECONDS] = str(attributes.mtime_ns // _BILLION)
    if metadata:
        resource["metadata"] = metadata
    return resource


def from_resource(resource: Mapping[str, Any]) -> Attributes:
    """Return the attributes that a resource tells."""
    found = resource.get("metadata")
    metadata = {name.lower(): str(value) for name, value in found.items()} if isinstance(found, dict) else {}
    mtime_ns = None
    for name in (_MTIME, _MTIME_SECONDS):
        told = read_time(metadata.get(name, ""))
        if told is not None:
            del metadata[name]
            mtime_ns = told if mtime_ns is None else mtime_ns
    values = {name: resource.get(field) or None for name, field in HEADERS.items()}
    if values["content_type"] == _UNSET_TYPE:
        values["content_type"] = None
    return Attributes(mtime_ns=mtime_ns, metadata=metadata, **values)


def written_time(nanoseconds: int) -> str:
    """Return a time as RFC 3339 has it; what lies outside its years, as seconds since the epoch."""
    seconds, rest = divmod(nanoseconds, _BILLION)
    fraction = f".{rest:09d}".rstrip("0").rstrip(".")
    try:
        moment = _EPOCH + dt.timedelta(seconds=seconds)
    except OverflowError:
        whole, rest = divmod(abs(nanoseconds), _BILLION)
        return f"{'-' if nanoseconds < 0 else ''}{whole}.{rest:09d}"
    return f"{moment.isoformat()[:19]}{fraction}Z"


def read_time(text: str) -> int | None:
    """Return the nanoseconds since the epoch of a time in either form, `None` of any other text."""
    if (seconds := _SECONDS.fullmatch(text)) is not None:
        amount = int(seconds[2]) * _BILLION + int((seconds[3] or "").ljust(9, "0"))
        return -amount if seconds[1] else amount
    match = _MOMENT.fullmatch(text)
    if match is None:
        return None
    try:
        moment = dt.datetime.fromisoformat(match[1].upper().replace(" ", "T") + match[3].upper())
    except ValueError:
        return None
    return (moment - _EPOCH) // dt.timedelta(seconds=1) * _BILLION + int((match[2] or "").ljust(9, "0"))


def instant(text: object) -> int | None:
    """Return the nanoseconds since the epoch of a time that the server tells, `None` of what is none."""
    try:
        moment = dt.datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return None if moment.tzinfo is None else (moment - _EPOCH) // _MICROSECOND * 1000
