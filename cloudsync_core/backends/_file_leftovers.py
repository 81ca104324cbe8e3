"""Temporary files that a crash left behind (P6).

Listings note those that are a day old, and the next write removes them. `find` and `remove` do the same at once, for
whoever asks. Files that somebody is writing at this moment are left alone: large ones are locked meanwhile, small ones
are told by their age.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import time
from collections.abc import Iterator, Sequence
from typing import Final

from cloudsync_core import keys
from cloudsync_core.backends._file_root import Root
from cloudsync_core.errors import BackendError, UnavailableError
from cloudsync_core.unfinished import Leftover

_AGE_NS: Final = 24 * 3600 * 1_000_000_000
"""Nanoseconds without a change after which nobody is writing a file any more."""

_MOST: Final = 1000


def abandoned(status: os.stat_result, clock_ns: int) -> bool:
    """Tell whether a temporary file of ours was left by a crash; only the time of its last change can tell."""
    return status.st_ctime_ns < clock_ns - _AGE_NS


class Leftovers:
    """The abandoned temporary files of one directory tree, as far as its listings met them.

    A listing must not change what it lists, so it takes two to remove one: `note` and, when something is
    written to the tree anyway, `collect`.
    """

    def __init__(self, root: Root) -> None:
        self._root = root
        self._noted: set[str] = set()

    def note(self, key: str) -> None:
        """Remember a temporary file; those beyond the first thousand are left to the next run."""
        if len(self._noted) < _MOST:
            self._noted.add(key)

    def collect(self) -> None:
        """Remove what was noted and is still abandoned; what cannot be removed stays."""
        while self._noted:
            with contextlib.suppress(KeyError, OSError, BackendError):
                folder, _, name = self._noted.pop().rpartition("/")
                with self._root.folder(folder) as opened:
                    if abandoned(os.stat(name, dir_fd=opened, follow_symlinks=False), time.time_ns()):
                        os.unlink(name, dir_fd=opened)


def find(root: Root, recorded: Sequence[tuple[str, str]]) -> Iterator[Leftover]:
    """Yield the temporary files of a tree that nobody is writing; see `Backend.leftovers`.

    Raises:
        OSError, BackendError: a folder cannot be read.
    """
    known = {f"{key[: key.rfind('/') + 1]}{token}": key for key, token in recorded}
    with contextlib.suppress(FileNotFoundError), root.folder("") as opened:
        for folder, _, names, descriptor in os.fwalk(".", onerror=_raise, dir_fd=opened):
            base = folder.removeprefix(".").removeprefix("/")
            for name in sorted(filter(keys.is_temporary, names)):
                path = f"{base}/{name}" if base else name
                status = _idle(name, descriptor)
                if status is not None:
                    key, is_recorded = known.get(path, path), path in known
                    yield Leftover(
                        "temporary file", key, name, status.st_ctime_ns, status.st_size, is_recorded, ours=True
                    )


def remove(root: Root, key: str, name: str) -> None:
    """Remove a temporary file from the folder of a key; see `Backend.discard`.

    Raises:
        UnavailableError: somebody is writing it.
        OSError, BackendError: it cannot be removed.
    """
    if not keys.is_temporary(name) or "/" in name:
        return
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), root.folder(key.rpartition("/")[0]) as opened:
        status = os.stat(name, dir_fd=opened, follow_symlinks=False)
        if stat.S_ISREG(status.st_mode):
            if _idle(name, opened) is None:
                raise UnavailableError("another process is writing it")
            os.unlink(name, dir_fd=opened)


def _idle(name: str, folder: int) -> os.stat_result | None:
    """Return the status of a temporary file, `None` of one that is locked, is gone, or is no file."""
    try:
        file = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        # What cannot be opened may still be removed, which takes no more than to write to its folder.
        with contextlib.suppress(FileNotFoundError):
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            return status if stat.S_ISREG(status.st_mode) else None
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        status = os.fstat(file)
    except BlockingIOError:
        return None
    except OSError:
        # A file system without locks: age alone can tell.
        status = os.fstat(file)
    finally:
        os.close(file)
    return status if stat.S_ISREG(status.st_mode) else None


def _raise(error: OSError) -> None:
    raise error
