"""What a filesystem says of one path, and what that says of an object."""

from __future__ import annotations

import dataclasses
import datetime as dt
import time
from collections.abc import Mapping
from typing import Any, Final, Literal

from cloudsync_core.backend import NO_ATTRIBUTES
from cloudsync_core.errors import UnexpectedBackendError
from cloudsync_core.models import Attributes, ObjectInfo, Version

_CONTENT: Final = (
    "etag",
    "checksum",
    "md5",
    "md5hash",
    "md5checksum",
    "content_hash",
    "sha256",
    "crc32c",
    "generation",
)
"""Facts that change with the content, as filesystems name them, in lower case."""

_IDENTITY: Final = ("ino", "fileid", "unique")
"""Facts that change when another file takes the name."""

_ORIGIN_TIMES: Final = ("mtime", "modify", "modified", "modificationtime")
"""Times of the last change of the content, which a copy within the filesystem keeps."""

_TIMES: Final = (*_ORIGIN_TIMES, "lastmodified", "last_modified", "updated", "created", "creation_time", "ctime")

_MILLISECONDS_FROM: Final = 100_000_000_000
"""A whole number of at least this is a time in milliseconds: in seconds it would be after the year 5000."""

_SECOND_NS: Final = 1_000_000_000

_COARSE_NS: Final = 2 * _SECOND_NS
"""Nanoseconds within which two changes of a file may carry the same time where times are whole seconds."""

_MARKER: Final = "folder"
"""The fingerprint of a folder: it holds no bytes of its own, so nothing about it ever changes."""

Kind = Literal["file", "folder", "other"]


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """What a filesystem says of one path.

    Attributes:
        name: the last segment.
        kind: "other" is a link, a device, whatever else.
        size: bytes, or `None` where the filesystem does not tell.
        stamp: changes when the content does, as far as the filesystem can tell; "" where it tells nothing but a size.
        modified_ns: when the content last changed, or when the file was made: ns since the epoch; `None` if unknown.
        is_origin_time: whether it is the former.
        is_coarse: whether the stamp rests on times of whole seconds.
    """

    name: str
    kind: Kind
    size: int | None
    stamp: str = ""
    modified_ns: int | None = None
    is_origin_time: bool = False
    is_coarse: bool = False

    @classmethod
    def of(cls, name: str, info: Mapping[str, Any]) -> Entry:
        """Return the entry that an `info` dictionary of fsspec describes."""
        kinds: dict[str, Kind] = {"file": "file", "directory": "folder"}
        kind: Kind = "other" if info.get("islink") else kinds.get(info["type"], "other")
        facts = {fact.lower(): value for fact, value in info.items() if value is not None}
        content = [str(facts[fact]) for fact in _CONTENT if fact in facts]
        identity = [str(facts[fact]) for fact in _IDENTITY if fact in facts]
        times = {fact: _nanoseconds(facts[fact]) for fact in _TIMES if fact in facts}
        known = {fact: time for fact, time in times.items() if time is not None}
        size = None if info.get("size") is None else int(info["size"])
        stamp = "-".join([f"{size}", *content, *identity, *(f"{time // 1000:x}" for time in known.values())])
        origin = next((fact for fact in known if fact in _ORIGIN_TIMES), None)
        return cls(
            name=name,
            kind=kind,
            size=size,
            stamp=stamp if content or known else "",
            modified_ns=known[origin] if origin is not None else next(iter(known.values()), None),
            is_origin_time=origin is not None,
            is_coarse=not content and all(time % _SECOND_NS == 0 for time in known.values()),
        )


def as_object(key: str, entry: Entry, *, written: bool = False) -> ObjectInfo:
    """Return an entry as an object.

    Args:
        key: the object's.
        entry: a file or a folder.
        written: whether it is what this process has just written, which nobody changes unnoticed in the same second.

    Raises:
        UnexpectedBackendError: the filesystem does not tell the size.
    """
    modified_ns = entry.modified_ns or 0
    if entry.kind == "folder":
        return ObjectInfo(key, 0, _MARKER, modified_ns, Version(_MARKER), attributes=NO_ATTRIBUTES)
    if entry.size is None:
        raise UnexpectedBackendError("the filesystem does not tell its size")
    # A second change within the resolution of the times would not show (catalogue B07).
    is_young = entry.is_coarse and abs(time.time_ns() - modified_ns) <= _COARSE_NS
    return ObjectInfo(
        key=key,
        size=entry.size,
        fingerprint="" if is_young and not written else entry.stamp,
        modified_ns=modified_ns,
        version=Version(entry.stamp or None),
        attributes=Attributes(mtime_ns=modified_ns) if entry.is_origin_time else NO_ATTRIBUTES,
    )


def _nanoseconds(time: object) -> int | None:
    """Return a time as filesystems tell them, ns since the epoch to the microsecond, or `None` for a text."""
    if isinstance(time, dt.datetime):
        time = time.timestamp()
    if isinstance(time, bool) or not isinstance(time, int | float):
        return None
    if isinstance(time, int):
        return time * (1_000_000 if time >= _MILLISECONDS_FROM else _SECOND_NS)
    return round(time * 1_000_000) * 1000
