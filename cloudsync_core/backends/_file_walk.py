"""The walk that makes a directory tree a listing in key order, one directory at a time (clauses L1, L3, L4)."""

from __future__ import annotations

import dataclasses
import errno
import os
import time
from collections.abc import Iterator
from operator import itemgetter
from typing import Final

from cloudsync_core import keys
from cloudsync_core.backend import Prune
from cloudsync_core.backends._file_errors import meaning_of
from cloudsync_core.backends._file_info import (
    MARKER_FINGERPRINT,
    entry,
    just_changed,
    marker_entry,
    settled,
    stamp,
    wait_until_settled,
)
from cloudsync_core.backends._file_scan import Found, Scanner
from cloudsync_core.models import Gap, ObjectInfo, Page

PAGE_SIZE: Final = 1000
"""Rows and gaps in a page."""


class _Rows:
    """A page in the making."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.sizes: list[int] = []
        self.fingerprints: list[str] = []
        self.statuses: list[os.stat_result] = []
        self.gaps: list[Gap] = []

    def __len__(self) -> int:
        return len(self.keys) + len(self.gaps)

    def add(self, key: str, size: int, fingerprint: str, status: os.stat_result) -> None:
        self.keys.append(key)
        self.sizes.append(size)
        self.fingerprints.append(fingerprint)
        self.statuses.append(status)

    def page(self) -> Page:
        return Page(self.keys, self.sizes, self.fingerprints, self._row, tuple(self.gaps))

    def _row(self, index: int) -> ObjectInfo:
        key, status = self.keys[index], self.statuses[index]
        return marker_entry(key, status) if keys.is_marker(key) else entry(key, status, self.fingerprints[index])


@dataclasses.dataclass(frozen=True, slots=True)
class _Folder:
    """A directory that was read: which one, what it holds in key order, and when that was."""

    key: str
    identity: tuple[int, int]
    found: Iterator[Found]
    clock_ns: int


class Walk:
    """One listing of a directory tree.

    Args:
        root: absolute path of the tree.
        scanner: reads its directories.
        follow: whether the scanner follows symbolic links; a link to a folder that it lies in never is.
        prune: tells of a folder whether nothing under it is wanted.
    """

    def __init__(self, root: str, scanner: Scanner, *, follow: bool, prune: Prune | None) -> None:
        self._root = root
        self._scanner = scanner
        self._follow = follow
        self._prune = prune
        self._folders: list[_Folder] = []

    def pages(self, start: str, status: os.stat_result) -> Iterator[Page]:
        """Yield the objects under a folder.

        Args:
            start: the folder's key, with trailing slash; "" is the root.
            status: the folder's status.

        Raises:
            OSError: that folder itself cannot be read.
        """
        rows = _Rows()
        self._read(start, status, rows)
        while self._folders:
            if len(rows) >= PAGE_SIZE:
                yield rows.page()
                rows = _Rows()
            folder = self._folders[-1]
            for name, found in folder.found:
                if isinstance(found, Gap):
                    rows.gaps.append(found)
                elif name[-1] == "/":
                    self._descend(folder.key + name, found, rows)
                    break
                else:
                    fingerprint = stamp(found) if settled(found, folder.clock_ns) else ""
                    rows.add(folder.key + name, found.st_size, fingerprint, found)
                if len(rows) >= PAGE_SIZE:
                    break
            else:
                self._folders.pop()
        if len(rows):
            yield rows.page()

    def _descend(self, key: str, status: os.stat_result, rows: _Rows) -> None:
        """Go on with a sub-directory, or note why that cannot be done."""
        name = key.removesuffix("/")
        if self._prune is not None and self._prune(name):
            return
        if self._follow and any(above.identity == _identity(status) for above in self._folders):
            rows.gaps.append(Gap(name, "a symbolic link to a folder that it lies in", subtree=True, kind="skipped"))
            return
        try:
            self._read(key, status, rows)
        except FileNotFoundError:
            # It went while the listing went on, with everything in it.
            return
        except OSError as error:
            rows.gaps.append(Gap(name, f"cannot be listed: {meaning_of(error).reason}", subtree=True))

    def _read(self, key: str, status: os.stat_result, rows: _Rows) -> None:
        """Read a directory, make it the one that the walk goes on with, and add its marker if it is empty."""
        opened = os.open(f"{self._root}/{key}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            # A part of the path may have become a link: this is the directory that was seen, or none.
            if _identity(os.fstat(opened)) != _identity(status):
                raise OSError(errno.ESTALE, "it was replaced while the listing went on")
            clock_ns = time.time_ns()
            found, empty = self._scanner.scan(opened, key, clock_ns)
            if any(_just_changed(name, what, clock_ns) for name, what in found):
                # Another look, at a time when a further change will show in the files' times.
                wait_until_settled()
                clock_ns = time.time_ns()
                found, empty = self._scanner.scan(opened, key, clock_ns)
        finally:
            os.close(opened)
        if empty and key > self._scanner.start_after:
            rows.add(key, 0, MARKER_FINGERPRINT, status)
        found.sort(key=itemgetter(0))
        self._folders.append(_Folder(key, _identity(status), iter(found), clock_ns))


def _just_changed(name: str, found: os.stat_result | Gap, clock_ns: int) -> bool:
    return not isinstance(found, Gap) and name[-1] != "/" and just_changed(found, clock_ns)


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
