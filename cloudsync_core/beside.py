"""Work on chunks of content in a thread of its own, while the content goes on: hashing beside writing."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Final

HELD: Final = 4
"""Chunks that wait for their turn at most; who has more to give waits."""


class Beside:
    """Does something with each chunk, in their order, in another thread.

    One thread gives the chunks; `close` ends the other one, whatever happens.

    Args:
        work: is called with every chunk. What it raises is raised again by `give` or `settle`, and no more chunks are
            worked on after it.

    Raises:
        RuntimeError: the system allows no more threads.
    """

    def __init__(self, work: Callable[[bytes], None]) -> None:
        self._work = work
        self._chunks: queue.Queue[bytes | None] = queue.Queue(HELD)
        self._failure: BaseException | None = None
        threading.Thread(target=self._run, name="cloudsync-beside", daemon=True).start()

    def give(self, chunk: bytes) -> None:
        """Have a chunk worked on."""
        self._raise()
        self._chunks.put(chunk)

    def settle(self) -> None:
        """Return when all chunks that were given have been worked on."""
        self._chunks.join()
        self._raise()

    def close(self) -> None:
        """Let the thread end after what was given."""
        self._chunks.put(None)

    def _raise(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        ended = False
        while not ended:
            chunk = self._chunks.get()
            try:
                if chunk is None:
                    ended = True
                elif self._failure is None:
                    self._work(chunk)
            except BaseException as error:  # noqa: BLE001 - raised again in the thread that gives the chunks
                self._failure = error
            finally:
                self._chunks.task_done()
