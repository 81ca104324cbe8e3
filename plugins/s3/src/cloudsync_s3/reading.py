"""get: whole objects and ranges, and large objects by ranges side by side.

The first request for a whole object asks for its beginning. The answer tells what the object is, how large, and whether
its server serves ranges at all: one that does not answers with everything, which is read as it comes. Most objects end
with their beginning. What follows of the others is asked for by ranges of the very version that began, by If-Match.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import re
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError, IncompleteReadError

from cloudsync_core.body import CHUNK_SIZE, ObjectReader
from cloudsync_core.errors import (
    Disposition,
    ObjectNotFoundError,
    PreconditionFailedError,
    UnexpectedBackendError,
)
from cloudsync_core.models import ByteRange, ObjectInfo, Version
from cloudsync_s3 import conditions
from cloudsync_s3.ahead import RANGE, side_by_side
from cloudsync_s3.config import MIB
from cloudsync_s3.place import Place, length

LARGE_OBJECT = 64 * MIB
"""Objects of so many bytes are read by ranges side by side; of smaller ones all that follows the beginning is one."""

RANGES_IN_MEMORY = 12
"""Ranges of all objects of one backend that are held in memory because they were fetched ahead."""

_NOT_SATISFIABLE = 416
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


@dataclasses.dataclass(frozen=True, slots=True)
class _Beginning:
    """The first bytes of an object that is being read.

    Attributes:
        response: of the request for them.
        read: returns so many of them.
        end: where they end.
        size: of the whole object.
    """

    response: Mapping[str, Any]
    read: Callable[[int], bytes]
    end: int
    size: int


class Reader:
    """Reads objects of one place; safe to use from many threads.

    Args:
        place: where from.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._memory = threading.BoundedSemaphore(RANGES_IN_MEMORY)

    @contextlib.contextmanager
    def get(self, key: str, byte_range: ByteRange | None, if_match: Version | None) -> Iterator[ObjectReader]:
        """Open an object; all its bytes are of the version that the first answer tells (G1). See `Backend.get`."""
        with contextlib.ExitStack() as stack:
            with self._place.errors("get", key):
                request = self._place.named(key)
                if if_match is not None:
                    request["IfMatch"] = conditions.if_match(if_match)
                begun = self._begin(stack, request) if byte_range is None else self._range(stack, request, byte_range)
                info = self._place.describe(key, begun.size, begun.response)
                _check(info, if_match)
            if byte_range is None:
                chunks = stack.enter_context(contextlib.closing(self._chunks(key, begun)))
                yield ObjectReader(info, chunks)
            else:
                yield ObjectReader(info, self._stream(key, begun.read, begun.end), begun.end)

    def read(self, key: str, limit: int) -> ObjectReader | None:
        """Return a small object that is read already; see `Backend.read`."""
        with self._place.errors("get", key):
            response, data = self._place.connection.fetch(limit, **self._place.named(key))
            size = length(response)
            if size > limit:
                return None
            return ObjectReader(self._place.describe(key, size, response), data)

    def _begin(self, stack: contextlib.ExitStack, request: dict[str, Any]) -> _Beginning:
        """Ask for a whole object."""
        connection = self._place.connection
        with contextlib.ExitStack() as opened:
            try:
                response, read = opened.enter_context(connection.stream(**request, Range=f"bytes=0-{RANGE - 1}"))
            except ClientError as failure:
                if failure.response["ResponseMetadata"]["HTTPStatusCode"] != _NOT_SATISFIABLE:
                    raise
                # An empty object has no beginning.
                response, read = opened.enter_context(connection.stream(**request))
            end = size = length(response)
            if "ContentRange" in response:
                size = _size_of_all(response, 0, end)
            if end < size and _strong_etag(response) is None:
                # Nothing would hold its ranges together.
                opened.close()
                response, read = opened.enter_context(connection.stream(**request))
                end = size = length(response)
            stack.push(opened.pop_all())
        return _Beginning(response, read, end, size)

    def _range(self, stack: contextlib.ExitStack, request: dict[str, Any], wanted: ByteRange) -> _Beginning:
        """Ask for some bytes of an object; `end` of the answer is how many came."""
        last = "" if wanted.end is None else wanted.end - 1
        response, read = stack.enter_context(
            self._place.connection.stream(**request, Range=f"bytes={wanted.start}-{last}")
        )
        size = length(response)
        return _Beginning(response, read, size, _size_of_all(response, wanted.start, wanted.start + size))

    def _chunks(self, key: str, begun: _Beginning) -> Generator[bytes, None, None]:
        """Yield the bytes of a whole object."""
        beginning = self._stream(key, begun.read, begun.end)
        if begun.end == begun.size:
            yield from beginning
            return
        follow = functools.partial(self._follow, key, begun)
        if begun.size < LARGE_OBJECT:
            yield from beginning
            yield from follow(begun.end, begun.size)
            return

        def fetch(start: int, end: int, left: threading.Event) -> list[bytes]:
            chunks: list[bytes] = []
            for chunk in follow(start, end):
                chunks.append(chunk)
                if left.is_set():
                    break
            return chunks

        begin = self._place.connection.submit
        ranges = side_by_side(beginning, (begun.end, begun.size), fetch, follow, begin=begin, memory=self._memory)
        with contextlib.closing(ranges):
            for chunks in ranges:
                yield from chunks

    def _follow(self, key: str, begun: _Beginning, start: int, end: int) -> Iterator[bytes]:
        """Yield some later bytes of an object; raises if it is not the one any more that began."""
        span = f"bytes={start}-{end - 1}"
        request = {**self._place.named(key), "Range": span, "IfMatch": begun.response["ETag"]}
        with contextlib.ExitStack() as stack:
            try:
                with self._place.errors("get", key):
                    response, read = stack.enter_context(self._place.connection.stream(**request))
                    _require_same(begun, response, _size_of_all(response, start, end))
            except (PreconditionFailedError, ObjectNotFoundError) as error:
                raise PreconditionFailedError(
                    "it changed while it was read",
                    operation="get",
                    location=self._place.location,
                    key=key,
                    disposition=Disposition.RETRY,
                ) from error
            yield from self._stream(key, read, end - start)

    def _stream(self, key: str, read: Callable[[int], bytes], size: int) -> Iterator[bytes]:
        """Yield so many bytes as they come."""
        missing = size
        while missing:
            with self._place.errors("get", key):
                chunk = read(min(CHUNK_SIZE, missing))
                if not chunk:
                    raise IncompleteReadError(actual_bytes=size - missing, expected_bytes=size)
            missing -= len(chunk)
            yield chunk


def _check(info: ObjectInfo, if_match: Version | None) -> None:
    """Find out the servers that ignore If-Match and answer with what is there."""
    if if_match is not None and info.version.etag != if_match.etag:
        raise PreconditionFailedError("the object is another version than expected")


def _require_same(begun: _Beginning, response: Mapping[str, Any], size: int) -> None:
    """Find them out in a range that follows."""
    if response.get("ETag") != begun.response["ETag"] or size != begun.size:
        raise PreconditionFailedError("the object is another version than expected")


def _strong_etag(response: Mapping[str, Any]) -> str | None:
    """Return the ETag that If-Match can be asked with: a weak one never matches."""
    etag: str | None = response.get("ETag")
    return None if not etag or etag.startswith("W/") else etag


def _size_of_all(response: Mapping[str, Any], start: int, end: int) -> int:
    """Return the size of the whole object, once the answer is known to be the range that was asked for.

    Whatever its status: `rclone serve s3` answers 200 to ranges.
    """
    match = _CONTENT_RANGE.fullmatch(response.get("ContentRange", ""))
    if match is None or (int(match[1]), int(match[2]) + 1) != (start, end) or length(response) != end - start:
        raise UnexpectedBackendError("the server answered with other bytes than the range that was asked for")
    return int(match[3])
