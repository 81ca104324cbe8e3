"""get: whole objects and ranges, and large objects by ranges side by side.

The first request for a whole object asks for its beginning. The answer tells what the object is, how large, and whether
its server serves ranges at all: one that does not answers with everything, which is read as it comes. Most objects end
with their beginning. What follows of the others is asked for by ranges of the very version that began.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import re
import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager
from typing import Protocol

from cloudsync_core.backends.objectstore.ahead import RANGE, side_by_side
from cloudsync_core.backends.objectstore.transport import IncompleteAnswerError
from cloudsync_core.body import CHUNK_SIZE, ObjectReader
from cloudsync_core.errors import (
    Disposition,
    ObjectNotFoundError,
    PreconditionFailedError,
    UnexpectedBackendError,
)
from cloudsync_core.models import ByteRange, ObjectInfo, Version

LARGE_OBJECT = 64 * 1024 * 1024
"""Objects of so many bytes are read by ranges side by side; of smaller ones all that follows the beginning is one."""

RANGES_IN_MEMORY = 12
"""Ranges of all objects of one backend that are held in memory because they were fetched ahead."""

_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


@dataclasses.dataclass(frozen=True, slots=True)
class Incoming:
    """The bytes of an object, or some of them, as a server's answer brings them.

    Attributes:
        length: how many.
        content_range: the header of that name, "" where the answer has none.
        pin: what later bytes are asked for with, so that they come of the same version; `None` where the store has
            nothing that would hold them together.
        info: returns what the answer tells of the object, for the size of all of it.
        read: returns the next bytes, so many of them, and fewer only at their end.
    """

    length: int
    content_range: str
    pin: str | None
    info: Callable[[int], ObjectInfo]
    read: Callable[[int], bytes]


class Objects(Protocol):
    """How a store is asked for the bytes of its objects.

    What `open`, and the reading of what it opens, may raise is what `errors` understands.
    """

    def errors(self, operation: str, key: str | None = None) -> AbstractContextManager[None]:
        """Turn failures into errors of the contract that say what was done to what; see `judging.naming`."""

    def open(self, key: str, span: str | None, pin: str | None) -> AbstractContextManager[Incoming]:
        """Ask for an object, or for some of its bytes.

        What is left unread at the end of the block is not waited for.

        Args:
            key: the object.
            span: the value of a Range header; `None` asks for everything.
            pin: the version that it must be, from `pin` or from an earlier answer; `None` takes any.
        """

    def pin(self, version: Version) -> str:
        """Return what a version is asked for with.

        Raises:
            UnsupportedOperationError: it has nothing by which this store can know it.
        """

    def is_version(self, found: Version, wanted: Version) -> bool:
        """Tell whether an answer is about the version that was asked for: servers exist that ignore conditions."""

    def has_no_such_range(self, failure: BaseException) -> bool:
        """Tell whether a failure of `open` says that the object has none of the bytes that were asked for (416)."""

    def submit(self, work: Callable[[], list[bytes]]) -> Future[list[bytes]]:
        """Begin work in another thread."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Begun:
    """An object that is being read.

    Attributes:
        incoming: its first bytes.
        size: of all of it.
    """

    incoming: Incoming
    size: int


class Reader:
    """Reads objects of one place; safe to use from many threads.

    Args:
        objects: asks the store for them.
    """

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._memory = threading.BoundedSemaphore(RANGES_IN_MEMORY)

    @contextlib.contextmanager
    def get(self, key: str, byte_range: ByteRange | None, if_match: Version | None) -> Iterator[ObjectReader]:
        """Open an object; all its bytes are of the version that the first answer tells (G1). See `Backend.get`."""
        with contextlib.ExitStack() as stack:
            with self._objects.errors("get", key):
                pin = None if if_match is None else self._objects.pin(if_match)
                begun = self._begin(stack, key, pin) if byte_range is None else self._some(stack, key, byte_range, pin)
                info = begun.incoming.info(begun.size)
                if if_match is not None and not self._objects.is_version(info.version, if_match):
                    raise _other_version()
            if byte_range is None:
                yield ObjectReader(info, stack.enter_context(contextlib.closing(self._chunks(key, begun))))
            else:
                length = begun.incoming.length
                yield ObjectReader(info, self._stream(key, begun.incoming, length), length)

    def _begin(self, stack: contextlib.ExitStack, key: str, pin: str | None) -> _Begun:
        """Ask for a whole object."""
        with contextlib.ExitStack() as opened:
            try:
                incoming = opened.enter_context(self._objects.open(key, _span(0, RANGE), pin))
            except Exception as failure:
                if not self._objects.has_no_such_range(failure):
                    raise
                # An empty object has no beginning.
                incoming = opened.enter_context(self._objects.open(key, None, pin))
            size = incoming.length
            if incoming.content_range:
                size = _size_of_all(incoming, 0, incoming.length)
            if incoming.length < size and incoming.pin is None:
                # Nothing would hold its ranges together.
                opened.close()
                incoming = opened.enter_context(self._objects.open(key, None, pin))
                size = incoming.length
            stack.push(opened.pop_all())
        return _Begun(incoming, size)

    def _some(self, stack: contextlib.ExitStack, key: str, wanted: ByteRange, pin: str | None) -> _Begun:
        """Ask for some bytes of an object."""
        incoming = stack.enter_context(self._objects.open(key, _span(wanted.start, wanted.end), pin))
        return _Begun(incoming, _size_of_all(incoming, wanted.start, wanted.start + incoming.length))

    def _chunks(self, key: str, begun: _Begun) -> Generator[bytes, None, None]:
        """Yield the bytes of a whole object."""
        end = begun.incoming.length
        beginning = self._stream(key, begun.incoming, end)
        if end == begun.size:
            yield from beginning
            return
        follow = functools.partial(self._follow, key, begun)
        if begun.size < LARGE_OBJECT:
            yield from beginning
            yield from follow(end, begun.size)
            return

        def fetch(start: int, end: int, left: threading.Event) -> list[bytes]:
            chunks: list[bytes] = []
            for chunk in follow(start, end):
                chunks.append(chunk)
                if left.is_set():
                    break
            return chunks

        begin = self._objects.submit
        ranges = side_by_side(beginning, (end, begun.size), fetch, follow, begin=begin, memory=self._memory)
        with contextlib.closing(ranges):
            for chunks in ranges:
                yield from chunks

    def _follow(self, key: str, begun: _Begun, start: int, end: int) -> Iterator[bytes]:
        """Yield some later bytes of an object; raises if it is not the one any more that began."""
        with contextlib.ExitStack() as stack:
            with self._objects.errors("get", key):
                try:
                    with self._objects.errors("get", key):
                        incoming = stack.enter_context(self._objects.open(key, _span(start, end), begun.incoming.pin))
                        size = _size_of_all(incoming, start, end)
                        if incoming.pin != begun.incoming.pin or size != begun.size:
                            raise _other_version()
                except (PreconditionFailedError, ObjectNotFoundError) as error:
                    raise PreconditionFailedError(
                        "it changed while it was read", disposition=Disposition.RETRY
                    ) from error
            yield from self._stream(key, incoming, end - start)

    def _stream(self, key: str, incoming: Incoming, size: int) -> Iterator[bytes]:
        """Yield so many bytes as they come."""
        missing = size
        while missing:
            with self._objects.errors("get", key):
                chunk = incoming.read(min(CHUNK_SIZE, missing))
                if not chunk:
                    raise IncompleteAnswerError(f"{size - missing} bytes of {size}")
            missing -= len(chunk)
            yield chunk


def _span(start: int, end: int | None) -> str:
    """Return the value of a Range header for the bytes from `start` up to but not including `end`."""
    return f"bytes={start}-" if end is None else f"bytes={start}-{end - 1}"


def _other_version() -> PreconditionFailedError:
    return PreconditionFailedError("the object is another version than expected")


def _size_of_all(incoming: Incoming, start: int, end: int) -> int:
    """Return the size of the whole object, once the answer is known to be the range that was asked for.

    Whatever its status: servers exist that answer 200 to ranges.
    """
    match = _CONTENT_RANGE.fullmatch(incoming.content_range)
    if match is None or (int(match[1]), int(match[2]) + 1) != (start, end) or incoming.length != end - start:
        raise UnexpectedBackendError(
            "the server answered with other bytes than the range that was asked for", disposition=Disposition.RETRY
        )
    return int(match[3])
