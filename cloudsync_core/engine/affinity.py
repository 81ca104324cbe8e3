"""On which processors the threads that move objects run.

Python's threads take turns at the interpreter, and moving a small object is a dozen short calls, each of which passes
the turn on. Between processors that costs more than the calls themselves: the next thread has to be woken on another
one, and finds its memory elsewhere. On one processor it is a switch like any other.
"""

from __future__ import annotations

import os
import random
import sys
import threading

from cloudsync_core.body import CHUNK_SIZE

SMALL = CHUNK_SIZE
"""Bytes of an object up to which moving it is mostly the work of the interpreter. Hashing, sending and writing more of
them lets other threads run meanwhile, on all processors."""


class Gathering:
    """Keeps the threads that move small objects together on one processor, whichever the system allows this process.

    It does nothing where the system has no such call, where there is one processor only, and in a Python whose threads
    do not take turns.
    """

    def __init__(self) -> None:
        self._everywhere = _allowed()
        takes_turns = bool(getattr(sys, "_is_gil_enabled", lambda: True)())
        several = takes_turns and len(self._everywhere) > 1
        # By chance, so that processes which know nothing of each other seldom choose the same.
        self._one = {random.choice(sorted(self._everywhere))} if several else set()  # noqa: S311 - guards nothing
        self._thread = threading.local()

    def place(self, size: int) -> None:
        """Have the calling thread, which ends with the run, work where the transfer of `size` bytes belongs."""
        small = size <= SMALL
        if not self._one or getattr(self._thread, "gathered", False) == small:
            return
        try:
            os.sched_setaffinity(0, self._one if small else self._everywhere)
        except OSError:
            # The processor has been taken from this process meanwhile; the system knows where there is another.
            self._one = set()
        self._thread.gathered = small


def _allowed() -> set[int]:
    try:
        return os.sched_getaffinity(0)
    except (AttributeError, OSError):
        return set()
