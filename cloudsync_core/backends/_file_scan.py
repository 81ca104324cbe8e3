"""What one directory holds, name by name: files, folders, and what cannot be presented as an object."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable

from cloudsync_core import keys
from cloudsync_core.backends._file_errors import meaning_of
from cloudsync_core.backends._file_info import kind_of
from cloudsync_core.backends._file_leftovers import abandoned
from cloudsync_core.errors import printable
from cloudsync_core.models import Gap

Found = tuple[str, os.stat_result | Gap]
"""A name, with "/" appended where it is a folder, and its status or what is wrong with it."""


class Scanner:
    """Reads the directories of one listing.

    Args:
        follow: whether symbolic links are followed.
        start_after: only names from which keys greater than this one come.
        leftover: called with the key of each abandoned temporary file of ours.
    """

    def __init__(self, *, follow: bool, start_after: str, leftover: Callable[[str], object]) -> None:
        self._follow = follow
        self.start_after = start_after
        self._leftover = leftover

    def wanted(self, key: str) -> bool:
        """Tell whether the key, or for a folder (`x/`) any key in it, is greater than `start_after`."""
        return key > self.start_after or (key.endswith("/") and self.start_after.startswith(key))

    def scan(self, opened: int, base: str, clock_ns: int) -> tuple[list[Found], bool]:
        """Return what an open directory holds, unsorted, and whether it holds nothing at all.

        Args:
            opened: the directory's descriptor.
            base: its key, with trailing slash; "" for the root.
            clock_ns: nanoseconds since the epoch, now.

        Raises:
            OSError: it cannot be read to its end.
        """
        found = []
        empty = True
        with os.scandir(opened) as items:
            for item in items:
                if item.name.startswith(".cs-") and self._is_temporary(item, base, clock_ns):
                    continue
                empty = False
                what = self._look(item, base + item.name)
                if what is not None:
                    found.append(what)
        return found, empty

    def _is_temporary(self, item: os.DirEntry[str], base: str, clock_ns: int) -> bool:
        if not (keys.is_temporary(item.name) and item.is_file(follow_symlinks=False)):
            return False
        with contextlib.suppress(OSError):
            if abandoned(item.stat(follow_symlinks=False), clock_ns):
                self._leftover(base + item.name)
        return True

    def _look(self, item: os.DirEntry[str], key: str) -> Found | None:
        """Return what a name stands for, or `None` when it is not wanted or went meanwhile."""
        if not self.wanted(key if item.is_file(follow_symlinks=False) else key + "/"):
            return None
        if not key.isascii() and keys.problem(key) is not None:
            return item.name, Gap(printable(key), "the name is not valid UTF-8", subtree=True)
        try:
            status = item.stat(follow_symlinks=False)
        except FileNotFoundError:
            return None
        except OSError as error:
            return item.name, Gap(key, f"cannot be looked at: {meaning_of(error).reason}", subtree=True)
        if self._follow and stat.S_ISLNK(status.st_mode):
            try:
                status = item.stat()
            except OSError as error:
                reason = f"a symbolic link that leads nowhere: {meaning_of(error).reason}"
                return item.name, Gap(key, reason, subtree=True)
        return _classified(item.name, key, status)


def _classified(name: str, key: str, status: os.stat_result) -> Found:
    kind = stat.S_IFMT(status.st_mode)
    if kind == stat.S_IFREG:
        return name, status
    if kind == stat.S_IFDIR:
        return name + "/", status
    # Nobody looked at what lies behind a link, so nothing below its name is known to be gone.
    return name, Gap(key, kind_of(status), subtree=kind == stat.S_IFLNK, kind="skipped")
