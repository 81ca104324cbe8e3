"""Going on with a temporary file that a crash has left: found by its name, and locked as long as somebody writes it.

The lock dies with its process. So two that know of one file, because a state database was copied, never write it both.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator

from cloudsync_core import keys
from cloudsync_core.body import CHUNK_SIZE


def locked(file: int) -> bool:
    """Lock an open file, and tell whether nobody else has; a file system without locks counts as if somebody had."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def reopened(folder: int, name: str | None) -> int | None:
    """Return a temporary file in an open folder, open and locked; `None` where there is none to go on with.

    Args:
        folder: descriptor of the folder.
        name: what is remembered of it, which is not believed: it has to be a file of ours that has no other name.
    """
    if name is None or not keys.is_temporary(name) or "/" in name:
        return None
    try:
        file = os.open(name, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return None
    status = os.fstat(file)
    if stat.S_ISREG(status.st_mode) and status.st_nlink == 1 and locked(file):
        os.lseek(file, 0, os.SEEK_END)
        return file
    os.close(file)
    return None


def content(file: int, size: int) -> Iterator[bytes]:
    """Yield the first `size` bytes of an open file, fewer only where it ends."""
    start = 0
    while start < size and (chunk := os.pread(file, min(CHUNK_SIZE, size - start), start)):
        start += len(chunk)
        yield chunk
