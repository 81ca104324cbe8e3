"""Temporary files that a crash left behind: listings note them, the next write removes them (P6)."""

from __future__ import annotations

import contextlib
import os
import time
from typing import Final

from cloudsync_core.backends._file_root import Root
from cloudsync_core.errors import BackendError

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
