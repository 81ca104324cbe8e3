"""Sending the parts of uploads: a few at a time over all uploads of a backend, because each is held in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import TypeVar

from cloudsync_core.backends.objectstore.parts import Part

T = TypeVar("T")

PARTS_IN_MEMORY = 8
"""Parts of all uploads of one backend that are on their way at a time."""


class AbandonedError(OSError):
    """The upload has failed before all of this part was sent."""


class Content:
    """The bytes of a part in pieces, as often as they are needed: a request may have to be sent to another server.

    Args:
        part: whose bytes.
        abandoned: ends the request in the middle of the part, so that the server does not keep it.
    """

    def __init__(self, part: Part, abandoned: threading.Event) -> None:
        self._part = part
        self._abandoned = abandoned

    def __iter__(self) -> Iterator[bytes | memoryview]:
        for piece in self._part.pieces:
            if self._abandoned.is_set():
                raise AbandonedError
            yield piece


class Sender:
    """Sends parts; safe to use from many threads. One serves all uploads of a backend."""

    def __init__(self) -> None:
        self._slots = threading.BoundedSemaphore(PARTS_IN_MEMORY)

    def begin(self, part: Part, abandoned: threading.Event, send: Callable[[Content], Future[T]]) -> Future[T]:
        """Begin to send a part, once there is a place in memory for one.

        Args:
            part: its bytes.
            abandoned: ends the request in the middle of the part.
            send: begins the request; the result is that of its future.
        """
        self._slots.acquire()
        try:
            sending = send(Content(part, abandoned))
        except BaseException:
            self._slots.release()
            raise
        sending.add_done_callback(lambda _: self._slots.release())
        return sending
