"""A file under a temporary name, beside the one that it becomes: how every put of the `file` backend is atomic."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import time
from types import TracebackType
from typing import Final, Self

from cloudsync_core.backends._file_root import Folder
from cloudsync_core.errors import UnexpectedBackendError, UnsupportedOperationError

_NO_HARD_LINKS: Final = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}

_PERMISSIONS: Final = 0o777


class Temporary:
    """A new file `.cs-<12 hex digits>.tmp` in the folder of the file that it becomes.

    As a context manager it removes itself, on whatever exception, unless it was committed.

    Args:
        folder: where the file will lie.
        name: its name there.
        mode: permissions of the file that it replaces, or `None`: those of any new file.
        sync: whether the file and its name are made durable.
    """

    def __init__(self, folder: Folder, name: str, *, mode: int | None, sync: bool) -> None:
        self._folder = folder
        self._mode = None if mode is None else mode & _PERMISSIONS
        self._sync = sync
        self._final_name = name
        self._name = f".cs-{secrets.token_hex(6)}.tmp"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        # Never wider than the file that it replaces, not even for a moment.
        self._file = os.open(self._name, flags, 0o666 if self._mode is None else self._mode, dir_fd=folder.descriptor)

    def write(self, chunk: bytes) -> None:
        """Append `chunk`, all of it."""
        left = memoryview(chunk)
        while left:
            left = left[os.write(self._file, left) :]

    def commit(self, *, mtime_ns: int | None, exclusive: bool) -> os.stat_result:
        """Give the file its name and return its status.

        Args:
            mtime_ns: the modification time that it gets: nanoseconds since the epoch, UTC; `None` for now.
            exclusive: whether a file of that name is an error instead of being replaced.

        Raises:
            FileExistsError: `exclusive`, and there is one.
            UnsupportedOperationError: `exclusive`, and the file system has no hard links.
        """
        # After the last write, before the rename: the time is right from the first moment of the name (B14).
        if mtime_ns is not None:
            self._set_time(mtime_ns)
        if self._mode is not None:
            os.fchmod(self._file, self._mode)
        if self._sync:
            os.fsync(self._file)
        folder = self._folder.descriptor
        if exclusive:
            self._link(folder)
        else:
            os.rename(self._name, self._final_name, src_dir_fd=folder, dst_dir_fd=folder)
        self._name = ""
        status = os.fstat(self._file)
        if self._sync:
            self._folder.sync()
        return status

    def _set_time(self, mtime_ns: int) -> None:
        try:
            os.utime(self._file, ns=(time.time_ns(), mtime_ns))
        except OverflowError:
            raise UnexpectedBackendError(f"no file can have the modification time {mtime_ns} ns") from None

    def _link(self, folder: int) -> None:
        try:
            os.link(self._name, self._final_name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise
            reason = "this file system has no hard links, without which a new file cannot be told from an old one"
            raise UnsupportedOperationError(reason) from error
        os.unlink(self._name, dir_fd=folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._name:
            with contextlib.suppress(OSError):
                os.unlink(self._name, dir_fd=self._folder.descriptor)
        os.close(self._file)
