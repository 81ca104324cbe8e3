"""inotify(7), as it is: what Linux tells of changes in directories, the loss of events included.

It is read here and not by a library because two things must not be missed. One is the overflow of the kernel's queue:
watchdog 6 drops that record, and 7.1 renews its watches and tells no handler. The other is a watch below the root that
the kernel refuses, because there are too many: watchdog passes over it, and the folder is never heard of again.
"""

from __future__ import annotations

import ctypes
import dataclasses
import errno
import os
import select
import struct
import threading
from typing import Any, Final

MODIFIED: Final = 0x002
ATTRIBUTES: Final = 0x004
CLOSED: Final = 0x008
MOVED_FROM: Final = 0x040
MOVED_TO: Final = 0x080
CREATED: Final = 0x100
DELETED: Final = 0x200
SELF_DELETED: Final = 0x400
SELF_MOVED: Final = 0x800
UNMOUNTED: Final = 0x2000
OVERFLOWED: Final = 0x4000
IGNORED: Final = 0x8000
IS_FOLDER: Final = 0x40000000
"""Bits of an event, by the names that inotify(7) has for them (MODIFIED is IN_MODIFY, CLOSED IN_CLOSE_WRITE)."""

_ONLY_FOLDERS: Final = 0x01000000
_FOLLOW_NO_LINK: Final = 0x02000000
_NOT_UNLINKED: Final = 0x04000000
_WATCHED: Final = (
    MODIFIED | ATTRIBUTES | CLOSED | MOVED_FROM | MOVED_TO | CREATED | DELETED | SELF_DELETED | SELF_MOVED
) | (_ONLY_FOLDERS | _FOLLOW_NO_LINK | _NOT_UNLINKED)

_HEAD: Final = struct.Struct("iIII")
_READ_AT_ONCE: Final = 64 * 1024


class WatchLimitError(OSError):
    """The system allows no more watches, or no more instances of inotify."""


@dataclasses.dataclass(frozen=True, slots=True)
class Event:
    """One record.

    Attributes:
        watch: the number that `Inotify.add` returned; -1 where the record is about no watch.
        bits: what happened.
        name: what it happened to, in the watched folder; empty for the folder itself.
    """

    watch: int
    bits: int
    name: bytes


class Inotify:
    """One instance of inotify; used by one thread, which another one may wake.

    Raises:
        WatchLimitError: there are too many instances.
        OSError: there is no inotify here.
    """

    def __init__(self) -> None:
        self._libc: Any = ctypes.CDLL(None, use_errno=True)
        self._file = self._libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        if self._file < 0:
            raise _error("")
        self._lock = threading.Lock()
        try:
            self._woken = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        except OSError:
            os.close(self._file)
            raise
        self._poll = select.poll()
        for file in (self._file, self._woken):
            self._poll.register(file, select.POLLIN)

    def add(self, path: bytes) -> int:
        """Watch a directory, and return the number of the watch: the same as before where it is watched already.

        Raises:
            WatchLimitError: there are too many watches.
            FileNotFoundError: there is no such directory.
            NotADirectoryError: it is a symbolic link, or something else.
            OSError: it cannot be watched; it may not be readable.
        """
        watch = int(self._libc.inotify_add_watch(self._file, path, _WATCHED))
        if watch < 0:
            raise _error(os.fsdecode(path))
        return watch

    def remove(self, watch: int) -> None:
        """Watch a directory no longer; one that is gone is not watched any more."""
        self._libc.inotify_rm_watch(self._file, watch)

    def read(self, timeout: float) -> list[Event]:
        """Return what has happened, in order; nothing where nothing has.

        Args:
            timeout: seconds to wait for the first event.
        """
        if not self._poll.poll(max(0.0, timeout) * 1000):
            return []
        try:
            data = os.read(self._file, _READ_AT_ONCE)
        except BlockingIOError:
            return []
        events = []
        start = 0
        while start < len(data):
            watch, bits, _, length = _HEAD.unpack_from(data, start)
            start += _HEAD.size + length
            events.append(Event(watch, bits, data[start - length : start].rstrip(b"\0")))
        return events

    def wake(self) -> None:
        """Let `read` wait for nothing any more; may be called by another thread, and after `close`."""
        with self._lock:
            if self._file >= 0:
                os.eventfd_write(self._woken, 1)

    def close(self) -> None:
        """Watch nothing any more."""
        with self._lock:
            if self._file >= 0:
                os.close(self._file)
                os.close(self._woken)
                self._file = -1


def _error(path: str) -> OSError:
    number = ctypes.get_errno()
    kind = WatchLimitError if number in {errno.ENOSPC, errno.EMFILE} else OSError
    return kind(number, os.strerror(number), path)
