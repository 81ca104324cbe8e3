"""What a power failure leaves of a directory tree, in its two worst forms.

Only two calls promise anything: `fsync` of a file, that its content of then is on the disk, and `fsync` of a directory,
that its names of then are. A `Shadow` watches both, and tells what is left when nothing else has got there. File
systems also do the reverse: names get to the disk before the content that they stand for. So there are two trees. One
is of the names that were made durable, and a file has no content that was not. The other is of the names of the last
moment, and what was not made durable of a file's content is zeros.
"""

from __future__ import annotations

import functools
import itertools
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

NAMES_LOST, NAMES_KEPT = "names-lost", "names-kept"
"""The folders of the two trees."""

_NEVER_DURABLE = (b"", 0)


class Shadow:
    """Watches what this process makes durable below a directory, from now on; what is there already is.

    Args:
        root: the directory.

    Attributes:
        synced: calls of `fsync` so far.
    """

    def __init__(self, root: Path) -> None:
        self.synced = 0
        self._root = root
        self._lock = threading.RLock()
        self._count = itertools.count()
        self._numbers: dict[int, int] = {}
        self._contents: dict[int, tuple[bytes, int]] = {}
        self._names: dict[int, dict[str, int]] = {}
        for folder, _, files in os.walk(root):
            self._take_names(folder)
            for name in files:
                self._take_content(Path(folder, name))
        self._fsync, self._open, self._mkdir = os.fsync, os.open, os.mkdir
        os.fsync, os.open, os.mkdir = self.fsync, self.open, self.mkdir  # type: ignore[assignment]
        for name in ("rename", "link", "unlink", "rmdir"):
            setattr(os, name, self._one_by_one(getattr(os, name)))

    def write(self, folder: Path) -> None:
        """Write both trees, beside each other, into a new folder. Nothing changes meanwhile; end the process then."""
        with self._lock:
            folder.mkdir()
            self._rebuild(self._number(self._root.stat().st_ino), folder / NAMES_LOST)
            self._copy(self._root, folder / NAMES_KEPT)

    def fsync(self, descriptor: int) -> None:
        """`os.fsync`."""
        with self._lock:
            self.synced += 1
            # Before the call: what is written while it works may be lost.
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                self._take_names(descriptor)
            else:
                self._take_content(Path(f"/proc/self/fd/{descriptor}"))
        self._fsync(descriptor)

    def open(self, path: Any, flags: int, *args: Any, **options: Any) -> int:
        """`os.open`."""
        with self._lock:
            descriptor = self._open(path, flags, *args, **options)
            if flags & os.O_TMPFILE == os.O_TMPFILE or flags & os.O_EXCL:
                self._make_new(os.fstat(descriptor))
            return descriptor

    def mkdir(self, path: Any, *args: Any, **options: Any) -> None:
        """`os.mkdir`."""
        with self._lock:
            self._mkdir(path, *args, **options)
            self._names[self._make_new(os.stat(path, dir_fd=options.get("dir_fd")))] = {}

    def _one_by_one(self, call: Callable[..., None]) -> Callable[..., None]:
        """Let nothing change while a tree is looked at."""

        @functools.wraps(call)
        def changed(*args: Any, **options: Any) -> None:
            with self._lock:
                call(*args, **options)

        return changed

    def _make_new(self, status: os.stat_result) -> int:
        """Tell a file or folder apart from those that had the number of its inode before."""
        self._numbers[status.st_ino] = number = next(self._count)
        return number

    def _number(self, inode: int) -> int:
        if inode not in self._numbers:
            self._numbers[inode] = next(self._count)
        return self._numbers[inode]

    def _take_names(self, folder: str | int) -> None:
        with os.scandir(folder) as entries:
            names = {entry.name: self._number(entry.inode()) for entry in entries}
        self._names[self._number(os.stat(folder).st_ino)] = names  # noqa: PTH116 - or a descriptor

    def _take_content(self, path: Path) -> None:
        status = path.stat()
        self._contents[self._number(status.st_ino)] = (path.read_bytes(), status.st_mtime_ns)

    def _rebuild(self, number: int, place: Path) -> None:
        place.mkdir()
        for name, inner in self._names[number].items():
            if inner in self._names:
                self._rebuild(inner, place / name)
            else:
                self._restore(inner, place / name)

    def _copy(self, folder: Path, place: Path) -> None:
        place.mkdir()
        for entry in os.scandir(folder):
            if entry.is_dir(follow_symlinks=False):
                self._copy(Path(entry.path), place / entry.name)
            else:
                self._restore(self._number(entry.inode()), place / entry.name, size=entry.stat().st_size)

    def _restore(self, number: int, place: Path, *, size: int = 0) -> None:
        content, modified_ns = self._contents.get(number, _NEVER_DURABLE)
        place.write_bytes(content.ljust(size, b"\0"))
        os.utime(place, ns=(modified_ns, modified_ns))
