"""A file under a temporary name, beside the one that it becomes: how puts are atomic and leave nothing behind."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from cloudsync_core.backends._fsspec_entry import Entry
from cloudsync_core.backends._fsspec_files import Files
from cloudsync_core.backends._fsspec_pool import Pool
from cloudsync_core.errors import IntegrityError

_ABANDONED_AFTER_NS: Final = 24 * 3600 * 1_000_000_000
"""Nanoseconds without a change after which nobody is writing a file any more."""

_MOST_LEFTOVERS: Final = 1000


class Temporary:
    """A new file `.cs-<12 hex digits>.tmp` in the folder of the file that it becomes.

    fsspec's files commit what they have when they are closed, on errors too, so nothing is ever written under the
    final name. As a context manager it removes itself, on whatever exception, unless it was committed.

    Args:
        files: what writes it.
        pool: lends another connection to clean up, when that of `files` is lost.
        folder: path of the folder.
        final: path of the file that it becomes.
    """

    def __init__(self, files: Files, pool: Pool, folder: str, final: str) -> None:
        self._files = files
        self._pool = pool
        self._final = final
        self._path = f"{folder.rstrip('/')}/.cs-{secrets.token_hex(6)}.tmp".removeprefix("" if folder else "/")
        self._size = 0
        self._done = False
        self._writer = files.writer(self._path)

    def write(self, chunk: bytes) -> None:
        """Append `chunk`."""
        self._writer.write(chunk)
        self._size += len(chunk)

    def commit(self) -> Entry:
        """Give the file its name and return what is there then.

        Raises:
            IntegrityError: the filesystem holds another number of bytes than was written.
        """
        self._writer.close()
        arrived = self._files.entry(self._path).size
        if arrived != self._size:
            raise IntegrityError(f"the filesystem took {arrived} bytes of {self._size}")
        self._files.replace(self._path, self._final)
        self._done = True
        return self._files.entry(self._final)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._done:
            return
        self._writer.abandon()
        try:
            self._files.remove(self._path)
        except FileNotFoundError:
            pass
        except Exception:  # noqa: BLE001 - the error that brought us here is the one to tell
            with contextlib.suppress(Exception), self._pool.lend() as others:
                others.remove(self._path)


class Leftovers:
    """Temporary files that a crash left behind: listings note them, the next write removes them (P6).

    Args:
        path: returns the path of a key.
    """

    def __init__(self, path: Callable[[str], str]) -> None:
        self._path = path
        self._noted: set[str] = set()

    def note(self, key: str, entry: Entry) -> None:
        """Remember an abandoned temporary file; those beyond the first thousand are left to the next run."""
        if _is_abandoned(entry) and len(self._noted) < _MOST_LEFTOVERS:
            self._noted.add(key)

    def collect(self, files: Files) -> None:
        """Remove what was noted and is still abandoned; what cannot be removed stays."""
        while self._noted:
            with contextlib.suppress(Exception):
                path = self._path(self._noted.pop())
                if _is_abandoned(files.entry(path)):
                    files.remove(path)


def _is_abandoned(entry: Entry) -> bool:
    return entry.modified_ns is not None and entry.modified_ns < time.time_ns() - _ABANDONED_AFTER_NS
