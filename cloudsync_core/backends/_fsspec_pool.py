"""Connections of one location, each used by one operation at a time (clause T1)."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from cloudsync_core.backends._fsspec_files import Files
from cloudsync_core.errors import BackendError


class Pool:
    """Lends `Files`, made when none is free, and takes them back while they are sound.

    fsspec's synchronous filesystems keep one connection that is not safe to share: a second thread would read the
    answer meant for the first. The asynchronous ones run in fsspec's own event loop and are made for many callers.

    Args:
        connect: makes the files; it may open a connection and raise.
        shared: whether one instance serves everybody.
    """

    def __init__(self, connect: Callable[[], Files], *, shared: bool) -> None:
        self._connect = connect
        self._shared = shared
        self._lock = threading.Lock()
        self._free: list[Files] = []

    @contextlib.contextmanager
    def lend(self) -> Iterator[Files]:
        """Lend files for the length of the block; never again after an error that the connection may have caused."""
        files = self._take()
        try:
            yield files
        except (BackendError, FileNotFoundError, FileExistsError, NotADirectoryError, IsADirectoryError, GeneratorExit):
            raise
        except BaseException:
            files.broken = True
            raise
        finally:
            self._take_back(files)

    def close(self) -> None:
        """Close every connection that is not lent."""
        with self._lock:
            free, self._free = self._free, []
        for files in free:
            files.close()

    def _take(self) -> Files:
        with self._lock:
            if self._free:
                return self._free[-1] if self._shared else self._free.pop()
            if self._shared:
                self._free.append(self._connect())
                return self._free[-1]
        return self._connect()

    def _take_back(self, files: Files) -> None:
        with self._lock:
            if self._shared:
                self._free = [one for one in self._free if not one.broken]
                return
            if not files.broken:
                self._free.append(files)
                return
        files.close()
