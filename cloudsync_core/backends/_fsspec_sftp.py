"""SFTP below fsspec's filesystem, which takes pipes for files and waits for each 32 KiB that it reads."""

from __future__ import annotations

import datetime as dt
import stat
from collections.abc import Iterator
from typing import Any, ClassVar, Final

from cloudsync_core.backends._fsspec_entry import Entry
from cloudsync_core.backends._fsspec_files import Files, Writer
from cloudsync_core.body import CHUNK_SIZE

_REQUESTS_AHEAD: Final = 128
"""Blocks of 32 KiB that are asked for before the first is read: 4 MiB in memory."""


class SftpFiles(Files):
    """The primitives over one SFTP connection."""

    inexact: ClassVar = None

    def __init__(self, filesystem: Any) -> None:
        super().__init__(filesystem)
        self._sftp = filesystem.ftp

    def entries(self, path: str) -> list[Entry]:
        """Return what the folder holds, in no order."""
        return [_entry(status.filename, status) for status in self._sftp.listdir_iter(path)]

    def entry(self, path: str) -> Entry:
        """Return what is at `path`, a link as such; raises `FileNotFoundError` where there is nothing."""
        return _entry(path.rstrip("/").rpartition("/")[2], self._sftp.lstat(path))

    def read(self, path: str, start: int, size: int) -> Iterator[bytes]:
        """Yield `size` bytes from `start` on, or fewer where the file ends earlier."""
        with self._sftp.open(path, "rb") as source:
            source.seek(start)
            # A request beyond the end would be answered by an error.
            end = min(start + size, source.stat().st_size)
            source.prefetch(end, max_concurrent_requests=_REQUESTS_AHEAD)
            while size > 0 and (chunk := source.read(min(CHUNK_SIZE, size))):
                size -= len(chunk)
                yield chunk

    def writer(self, path: str) -> Writer:
        """Start a new file."""
        target = self._sftp.open(path, "wb")
        # The answers are read when the file is closed, and the size is checked then.
        target.set_pipelined(True)
        return Writer(target)

    def replace(self, old: str, new: str) -> None:
        """Give the file `old` the name `new`, in place of a file that has it."""
        self._require_replaceable(new)
        self._sftp.posix_rename(old, new)

    def close(self) -> None:
        """Close the connection."""
        self._fs.client.close()


def _entry(name: str, status: Any) -> Entry:
    kind = {stat.S_IFREG: "file", stat.S_IFDIR: "directory"}.get(stat.S_IFMT(status.st_mode), "other")
    modified = dt.datetime.fromtimestamp(status.st_mtime, dt.UTC)
    return Entry.of(name, {"type": kind, "size": status.st_size, "mtime": modified})
