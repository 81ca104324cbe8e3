"""A file under a temporary name, beside the one that it becomes: how every put of the `file` backend is atomic."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from cloudsync_core.backends._file_names import require_name_kept, require_own_name
from cloudsync_core.backends._file_resuming import content, locked, reopened
from cloudsync_core.backends._file_root import Folder
from cloudsync_core.crashpoints import hit
from cloudsync_core.errors import InvalidKeyError, UnexpectedBackendError, UnsupportedOperationError
from cloudsync_core.unfinished import Resumption

_NO_UNNAMED_FILES: Final = {errno.EOPNOTSUPP, errno.EISDIR, errno.ENOSYS, errno.EINVAL, errno.EPERM, errno.EACCES}
"""What file systems and kernels say that have no files without names."""

_NO_HARD_LINKS: Final = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}

_PERMISSIONS: Final = 0o777

_DESCRIPTORS: Final = "/proc/self/fd"
"""Where the files that this process has open can be linked from (open(2), O_TMPFILE)."""


def has_unnamed_files() -> bool:
    """Tell whether this system can have files without names, and give them one."""
    return hasattr(os, "O_TMPFILE") and Path(_DESCRIPTORS).is_dir()


def create(folder: Folder, name: str, data: bytes, *, mtime_ns: int | None, sync: bool) -> os.stat_result | None:
    """Make a file of content that is at hand, which has no name until all of it is there.

    So a crash leaves nothing, and it takes fewer calls than to make a `Temporary`.

    Args:
        folder: where the file will lie.
        name: its name there.
        data: its content.
        mtime_ns: see `Temporary.commit`.
        sync: see `Temporary`.

    Returns:
        Its status, or `None` where the file system has no files without names: then nothing has been done.

    Raises:
        FileExistsError: there is something of that name.
        UnsupportedOperationError: the file system has no hard links.
    """
    try:
        file = os.open(".", os.O_WRONLY | os.O_TMPFILE | os.O_CLOEXEC, 0o666, dir_fd=folder.descriptor)
    except OSError as error:
        if error.errno not in _NO_UNNAMED_FILES:
            raise
        return None
    hit("get.temp.created")
    try:
        _write(file, data)
        hit("get.chunk.written")
        if mtime_ns is not None:
            _set_time(file, mtime_ns)
            hit("get.utime")
        if sync:
            os.fsync(file)
            hit("get.fsync.file")
        with _exclusively():
            os.link(f"{_DESCRIPTORS}/{file}", name, dst_dir_fd=folder.descriptor)
        hit("get.rename")
        _require_name(folder.descriptor, name)
        status = os.fstat(file)
    finally:
        os.close(file)
    if sync:
        folder.sync()
        hit("get.fsync.dir")
    return status


class Temporary:
    """A new file `.cs-<12 hex digits>.tmp` in the folder of the file that it becomes.

    As a context manager it removes itself, on whatever exception, unless it was committed.

    Args:
        folder: where the file will lie.
        name: its name there.
        mode: permissions of the file that it replaces, or `None`: those of any new file.
        sync: whether the file and its name are made durable.
        resumption: where its name is remembered beyond this process, so that a later put goes on with what is there.
        naming: held while a file gets a name that no condition of the file system guards.

    Attributes:
        size: bytes that were there when it was opened.
    """

    def __init__(
        self,
        folder: Folder,
        name: str,
        *,
        mode: int | None,
        sync: bool,
        naming: threading.Lock,
        resumption: Resumption | None = None,
    ) -> None:
        self._folder = folder
        self._replaces = mode is not None
        self._naming = naming
        self._mode = None if mode is None else mode & _PERMISSIONS
        self._sync = sync
        self._final_name = name
        self._resumption = resumption
        self.size = 0
        left = None if resumption is None else resumption.token
        file = reopened(folder.descriptor, left)
        if file is not None and left is not None:
            self._name, self._file, self.size = left, file, os.fstat(file).st_size
            if self._mode is not None:
                os.fchmod(file, self._mode)
            return
        self._name = f".cs-{secrets.token_hex(6)}.tmp"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        # Never wider than the file that it replaces, not even for a moment.
        self._file = os.open(self._name, flags, 0o666 if self._mode is None else self._mode, dir_fd=folder.descriptor)
        # Without a lock nobody could tell it from what a crash has left.
        if resumption is not None and locked(self._file):
            resumption.save(self._name)
        hit("get.temp.created")

    def content(self) -> Iterator[bytes]:
        """Yield the bytes that were there when it was opened."""
        return content(self._file, self.size)

    def empty(self) -> None:
        """Drop what was there when it was opened."""
        os.ftruncate(self._file, 0)
        os.lseek(self._file, 0, os.SEEK_SET)
        self.size = 0

    def write(self, chunk: bytes) -> None:
        """Append `chunk`, all of it."""
        _write(self._file, chunk)
        hit("get.chunk.written")

    def commit(self, *, mtime_ns: int | None, exclusive: bool) -> os.stat_result:
        """Give the file its name and return its status.

        Args:
            mtime_ns: the modification time that it gets: nanoseconds since the epoch, UTC; `None` for now.
            exclusive: whether a file of that name is an error instead of being replaced.

        Raises:
            FileExistsError: `exclusive`, and there is one.
            KeyBlockedError: there is one of a name that counts as the same.
            InvalidKeyError: the file system would give it another name.
            UnsupportedOperationError: `exclusive`, and the file system has no hard links.
        """
        # After the last write, before the rename: the time is right from the first moment of the name (B14).
        if mtime_ns is not None:
            _set_time(self._file, mtime_ns)
            hit("get.utime")
        if self._mode is not None:
            os.fchmod(self._file, self._mode)
        if self._sync:
            os.fsync(self._file)
            hit("get.fsync.file")
        folder = self._folder.descriptor
        if exclusive:
            self._link(folder)
        else:
            self._rename(folder)
        self._name = ""
        hit("get.rename")
        if not self._replaces:
            _require_name(folder, self._final_name)
        status = os.fstat(self._file)
        if self._sync:
            self._folder.sync()
            hit("get.fsync.dir")
        return status

    def _link(self, folder: int) -> None:
        try:
            with _exclusively():
                os.link(self._name, self._final_name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
        except FileExistsError:
            require_own_name(folder, self._final_name)
            raise
        os.unlink(self._name, dir_fd=folder)

    def _rename(self, folder: int) -> None:
        with contextlib.nullcontext() if self._replaces else self._naming:
            if not self._replaces:
                # Another thread may have put a name meanwhile that counts as the same, and it would be replaced.
                with contextlib.suppress(FileNotFoundError):
                    os.stat(self._final_name, dir_fd=folder, follow_symlinks=False)
                    require_own_name(folder, self._final_name)
            os.rename(self._name, self._final_name, src_dir_fd=folder, dst_dir_fd=folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._name:
            with contextlib.suppress(OSError):
                os.unlink(self._name, dir_fd=self._folder.descriptor)
        os.close(self._file)
        if self._resumption is not None:
            self._resumption.forget()


def link(origin: int, folder: int, name: str) -> None:
    """Give the file of one folder the same name in another one, too.

    Args:
        origin: descriptor of the folder in which it lies.
        folder: descriptor of the other one.
        name: the name in both.

    Raises:
        FileExistsError: there is something of that name.
        InvalidKeyError: the file system would give it another name.
        UnsupportedOperationError: there can be no link from the one to the other.
    """
    try:
        os.link(name, name, src_dir_fd=origin, dst_dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS | {errno.EXDEV}:
            raise
        raise UnsupportedOperationError("the file system makes no hard link of it there") from error
    _require_name(folder, name)


def _require_name(folder: int, name: str) -> None:
    """Withdraw a new file that has got another name than it was given."""
    try:
        require_name_kept(folder, name)
    except InvalidKeyError:
        os.unlink(name, dir_fd=folder)
        raise


def _write(file: int, data: bytes) -> None:
    """Append `data`, all of it."""
    written = os.write(file, data)
    if written < len(data):
        left = memoryview(data)[written:]
        while left:
            left = left[os.write(file, left) :]


def _set_time(file: int, mtime_ns: int) -> None:
    try:
        os.utime(file, ns=(time.time_ns(), mtime_ns))
    except OverflowError:
        raise UnexpectedBackendError(f"no file can have the modification time {mtime_ns} ns") from None


@contextlib.contextmanager
def _exclusively() -> Iterator[None]:
    """Say what a file system lacks that cannot link."""
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        reason = "this file system has no hard links, without which a new file cannot be told from an old one"
        raise UnsupportedOperationError(reason) from error
