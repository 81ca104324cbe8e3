"""A file's status as the contract's values: fingerprint, version, entry."""

from __future__ import annotations

import os
import stat
import time
from typing import Final

from cloudsync_core.backend import NO_ATTRIBUTES
from cloudsync_core.models import Attributes, ObjectInfo, Version

RESOLUTION_NS: Final = 10_000_000
"""Nanoseconds within which two changes of a file may carry the same time: a tick of the slowest kernel clock."""

_COARSE_RESOLUTION_NS: Final = 2_000_000_000
_SECOND_NS: Final = 1_000_000_000

MARKER_FINGERPRINT: Final = "folder"
"""A folder holds no bytes of its own, so nothing about it ever changes."""


_KINDS: Final = {
    stat.S_IFREG: "a file",
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def kind_of(status: os.stat_result) -> str:
    """Say what a file is, in words for the user."""
    return _KINDS.get(stat.S_IFMT(status.st_mode), "no regular file")


def stamp(status: os.stat_result) -> str:
    """Return the etag of a file: it changes with the size, either of its times, and the file itself."""
    return f"{status.st_size:x}-{status.st_mtime_ns:x}-{status.st_ctime_ns:x}-{status.st_ino:x}"


def settled(status: os.stat_result, clock_ns: int) -> bool:
    """Tell whether a later change of the file is certain to change its `stamp` (catalogue B07).

    It is when the last change is older than the resolution of the file system's times: 10 ms, or 2 s where the time
    has no fraction (FAT, old network servers). Only the time of the last status change counts: every write sets
    it, and nobody can set it to a value of their choice, as they can the modification time.

    Args:
        status: the file's status.
        clock_ns: nanoseconds since the epoch, read before the status.
    """
    age = clock_ns - status.st_ctime_ns
    return age > _COARSE_RESOLUTION_NS or (age > RESOLUTION_NS and status.st_ctime_ns % _SECOND_NS != 0)


def just_changed(status: os.stat_result, clock_ns: int) -> bool:
    """Tell whether the file will be `settled` after `wait_until_settled`, if nobody changes it again."""
    return abs(clock_ns - status.st_ctime_ns) <= RESOLUTION_NS


def wait_until_settled() -> None:
    """Let the clock pass the resolution of the file system's times."""
    time.sleep((RESOLUTION_NS + RESOLUTION_NS // 10) / _SECOND_NS)


def entry(key: str, status: os.stat_result, fingerprint: str | None = None) -> ObjectInfo:
    """Return a regular file as an object; without a `fingerprint` it is the file's `stamp`."""
    etag = stamp(status)
    return ObjectInfo(
        key=key,
        size=status.st_size,
        fingerprint=etag if fingerprint is None else fingerprint,
        modified_ns=status.st_mtime_ns,
        version=Version(etag=etag),
        attributes=Attributes(mtime_ns=status.st_mtime_ns),
    )


def marker_entry(key: str, status: os.stat_result) -> ObjectInfo:
    """Return a directory as the marker `key`."""
    return ObjectInfo(
        key=key,
        size=0,
        fingerprint=MARKER_FINGERPRINT,
        modified_ns=status.st_mtime_ns,
        version=Version(etag=MARKER_FINGERPRINT),
        attributes=NO_ATTRIBUTES,
    )
