"""Threads for requests that somebody waits for later, or not at all.

The end of a program does not wait for them, as it does for those of `concurrent.futures`: an interrupt would have to
wait for a server that does not answer.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")

_Work = queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None]


class Threads:
    """Up to so many threads, made when there is work for them.

    Args:
        most: how many; more work waits for its turn.
        name: what their names begin with.
    """

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._work: _Work = queue.SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._lock = threading.Lock()
        self._count = 0
        self._closed = False
        weakref.finalize(self, _end, self._work, most).atexit = False

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Begin work; the result comes by the future, which can be cancelled while it waits for its turn.

        Raises:
            RuntimeError: the threads have been closed.
        """
        if self._closed:
            raise RuntimeError("what makes requests here has been closed")
        future: Future[T] = Future()
        self._work.put((future, work))
        if not self._idle.acquire(blocking=False):
            with self._lock:
                self._count += 1
                wanted = self._count <= self._most
                self._count = min(self._count, self._most)
            if wanted:
                name = f"{self._name}-{self._count}"
                threading.Thread(target=_serve, args=(self._work, self._idle), name=name, daemon=True).start()
        return future

    def close(self) -> None:
        """Cancel what waits for its turn, and let the threads end with what they are at."""
        self._closed = True
        with contextlib.suppress(queue.Empty):
            while True:
                waiting = self._work.get_nowait()
                if waiting is not None:
                    waiting[0].cancel()
        _end(self._work, self._most)


def _serve(work: _Work, idle: threading.Semaphore) -> None:
    while (item := work.get()) is not None:
        future, call = item
        del item
        if future.set_running_or_notify_cancel():
            try:
                result = call()
            except BaseException as error:  # noqa: BLE001 - raised where the result is asked for
                future.set_exception(error)
            else:
                future.set_result(result)
        # What was worked on goes before the wait for more does.
        del future, call
        idle.release()


def _end(work: _Work, threads: int) -> None:
    for _ in range(threads):
        work.put(None)
