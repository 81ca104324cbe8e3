"""Reading one file as one version: whatever happens to it meanwhile is noticed (clauses S1, G1 and G2)."""

from __future__ import annotations

import contextlib
import functools
import os
import stat
import time
from collections.abc import Iterator
from typing import Final

from cloudsync_core import keys
from cloudsync_core.backends._file_errors import naming
from cloudsync_core.backends._file_info import entry, kind_of, marker_entry, settled, stamp
from cloudsync_core.backends._file_names import name_held
from cloudsync_core.backends._file_root import Folder, Root, place
from cloudsync_core.body import CHUNK_SIZE, ObjectReader
from cloudsync_core.errors import Disposition, InvalidKeyError, ObjectNotFoundError, PreconditionFailedError
from cloudsync_core.models import ByteRange, ObjectInfo

# Without O_NONBLOCK, a named pipe that took the file's place would hang the open.
_OPEN_FILE: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


class Lookup:
    """Finds what keys name in a directory tree, for reading.

    Args:
        root: the directory.
        follow: whether symbolic links are followed, wherever they lead.
    """

    def __init__(self, root: Root, *, follow: bool) -> None:
        self._root = root
        self._follow = follow

    def folder(self, folder: str) -> os.stat_result | None:
        """Return the status of the folder `folder` (`x/`, or "" for the root), or `None` when there is none.

        Raises:
            InvalidKeyError: the way there leads through a symbolic link that is not followed.
        """
        impossible = bool(folder) and keys.tree_problem(folder) is not None
        try:
            with self._root.folder("" if self._follow or impossible else folder.removesuffix("/")) as opened:
                if impossible:
                    return None
                status = os.stat(folder or ".", dir_fd=opened) if self._follow else os.fstat(opened)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return status if stat.S_ISDIR(status.st_mode) else None

    def entry(self, key: str) -> ObjectInfo:
        """Return what a file, or the folder of a marker, is.

        Raises:
            ObjectNotFoundError: there is none.
        """
        with _absence_is_no_object(), contextlib.ExitStack() as stack:
            name, folder = self._locate(stack, key)
            clock_ns = time.time_ns()
            status = self._status(key, name, folder)
            if not self._follow and name_held(folder, name) != name:
                raise FileNotFoundError
            return _describe(key, status, clock_ns)

    def read(self, key: str, limit: int) -> ObjectReader | None:
        """Return a file that is read already, by as few calls as one version of it takes; see `Backend.read`.

        Symbolic links are not followed, and markers are no files: `reader` is for those.
        """
        folder, name = place(key)
        with _absence_is_no_object():
            return self._root.in_folder(folder, functools.partial(_read_file, key, name, limit))

    def reader(
        self, stack: contextlib.ExitStack, key: str, byte_range: ByteRange | None, location: str
    ) -> ObjectReader:
        """Return a reader of a file, or of the nothing that a marker holds; `stack` closes it."""
        with _absence_is_no_object():
            name, folder = self._locate(stack, key)
            clock_ns = time.time_ns()
            status = self._status(key, name, folder)
            if keys.is_marker(key):
                return ObjectReader(_describe(key, status, clock_ns), ())
            flags = _OPEN_FILE if self._follow else _OPEN_FILE | os.O_NOFOLLOW
            descriptor = os.open(name, flags, dir_fd=folder)
            stack.callback(os.close, descriptor)
            status = os.fstat(descriptor)
            _require_file(status)

        def chunks() -> Iterator[bytes]:
            with naming("get", location, key):
                yield from _read(descriptor, start, end)
                _check_unchanged(descriptor, status, name, folder, follow=self._follow)

        start, end = _span(status.st_size, byte_range)
        return ObjectReader(_describe(key, status, clock_ns), chunks(), end - start)

    def _locate(self, stack: contextlib.ExitStack, key: str) -> tuple[str, int]:
        """Return a path to what `key` names, and the descriptor of the folder that the path is relative to."""
        folder, name = place(key)
        if self._follow:
            return key.removesuffix(keys.MARKER_SUFFIX), stack.enter_context(self._root.folder(""))
        return name, stack.enter_context(self._root.folder(folder))

    def _status(self, key: str, name: str, folder: int) -> os.stat_result:
        status = os.stat(name, dir_fd=folder, follow_symlinks=self._follow)
        is_folder = stat.S_ISDIR(status.st_mode)
        if is_folder != keys.is_marker(key) and (is_folder or stat.S_ISREG(status.st_mode)):
            raise FileNotFoundError
        if not is_folder:
            _require_file(status)
        return status


def _read_file(key: str, name: str, limit: int, folder: Folder) -> ObjectReader | None:
    clock_ns = time.time_ns()
    descriptor = os.open(name, _OPEN_FILE | os.O_NOFOLLOW, dir_fd=folder.descriptor)
    try:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise FileNotFoundError
        _require_file(status)
        if status.st_size > limit:
            return None
        # One byte more than there should be shows a file that grew meanwhile.
        data = os.read(descriptor, status.st_size + 1)
        while 0 < len(data) < status.st_size and (more := os.read(descriptor, status.st_size + 1 - len(data))):
            data += more
        # The time of the last status change tells of writes, and of a name that was removed or given to another file.
        after = os.fstat(descriptor)
        if after.st_nlink != status.st_nlink or stamp(after) != stamp(status):
            raise _changed("it changed while it was read")
    finally:
        os.close(descriptor)
    return ObjectReader(_describe(key, status, clock_ns), data)


def _check_unchanged(descriptor: int, status: os.stat_result, name: str, folder: int, *, follow: bool) -> None:
    """Make sure that an open file is what it was, and that its name is still its own."""
    if stamp(os.fstat(descriptor)) != stamp(status):
        raise _changed("it changed while it was read")
    try:
        now = os.stat(name, dir_fd=folder, follow_symlinks=follow)
    except FileNotFoundError:
        raise _changed("it was removed while it was read") from None
    if not os.path.samestat(now, status):
        raise _changed("another file took its place while it was read")


def _describe(key: str, status: os.stat_result, clock_ns: int) -> ObjectInfo:
    if keys.is_marker(key):
        return marker_entry(key, status)
    return entry(key, status, stamp(status) if settled(status, clock_ns) else "")


def _require_file(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise InvalidKeyError(f"it is {kind_of(status)} here, which is not read")


def _span(size: int, byte_range: ByteRange | None) -> tuple[int, int]:
    """Return where reading a file of that size starts and ends."""
    if byte_range is None:
        return 0, size
    end = size if byte_range.end is None else min(byte_range.end, size)
    return min(byte_range.start, end), end


def _read(descriptor: int, start: int, end: int) -> Iterator[bytes]:
    while start < end:
        chunk = os.pread(descriptor, min(CHUNK_SIZE, end - start), start)
        if not chunk:
            return
        start += len(chunk)
        yield chunk


def _changed(reason: str) -> PreconditionFailedError:
    return PreconditionFailedError(reason, disposition=Disposition.RETRY)


@contextlib.contextmanager
def _absence_is_no_object() -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ObjectNotFoundError("there is no such object") from error
