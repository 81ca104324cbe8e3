"""get."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

from cloudsync_core.body import CHUNK_SIZE, ObjectReader
from cloudsync_core.errors import (
    IntegrityError,
    PreconditionFailedError,
    UnexpectedBackendError,
)
from cloudsync_core.models import ByteRange, ObjectInfo, Version
from cloudsync_s3 import conditions
from cloudsync_s3.place import Place, length
from cloudsync_s3.plane import FastWay

_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


@contextlib.contextmanager
def get(place: Place, key: str, byte_range: ByteRange | None, if_match: Version | None) -> Iterator[ObjectReader]:
    """Open an object by one GetObject: all its bytes are of the version that its headers tell (G1)."""
    with place.errors("get", key):
        request = place.named(key)
    if byte_range is None and place.fast is not None and place.fast.reads(request["Key"]):
        with _get_fast(place, place.fast, key, if_match) as reader:
            yield reader
        return
    with place.errors("get", key):
        if byte_range is not None:
            last = "" if byte_range.end is None else byte_range.end - 1
            request["Range"] = f"bytes={byte_range.start}-{last}"
        if if_match is not None:
            request["IfMatch"] = conditions.if_match(if_match)
        response, first = place.connection.open(CHUNK_SIZE, **request)
    try:
        with place.errors("get", key):
            total = length(response)
            size = total if byte_range is None else _size_of_all(response, byte_range)
            info = place.describe(key, size, response)
            place.learn(response)
            _check(info, if_match)
        yield ObjectReader(info, _chunks(place, key, response["Body"], first, total), total)
    finally:
        place.connection.drop(response["Body"])


@contextlib.contextmanager
def _get_fast(place: Place, fast: FastWay, key: str, if_match: Version | None) -> Iterator[ObjectReader]:
    """Open an object the fast way, which does not tell whether the ETag is an MD5."""
    with place.errors("get", key):
        wanted = None if if_match is None else conditions.if_match(if_match)
        response, chunks = fast.get_object(place.root + key, wanted)
        info = place.describe(key, length(response), response)
        _check(info, if_match)
    try:
        yield ObjectReader(info, _placed(place, key, chunks))
    except IntegrityError:
        # Damaged bytes, or an encrypted object (B09): the next attempt goes the way that tells which.
        fast.learn(etag_tells=False)
        raise


def _check(info: ObjectInfo, if_match: Version | None) -> None:
    """Find out the servers that ignore If-Match and answer with what is there."""
    if if_match is not None and info.version.etag != if_match.etag:
        raise PreconditionFailedError("the object is another version than expected")


def _placed(place: Place, key: str, chunks: Iterator[bytes]) -> Iterator[bytes]:
    with place.errors("get", key):
        yield from chunks


def _size_of_all(response: dict[str, Any], byte_range: ByteRange) -> int:
    """Return the size of the whole object, once the answer is known to be the range that was asked for."""
    match = _CONTENT_RANGE.fullmatch(response.get("ContentRange", ""))
    if match is None or int(match[1]) != byte_range.start:
        raise UnexpectedBackendError("the server answered with other bytes than the range that was asked for")
    return int(match[3])


def _chunks(place: Place, key: str, body: Any, first: bytes, length: int) -> Iterator[bytes]:
    """Yield the bytes of a body, each chunk read while the one before it is used."""
    missing = length - len(first)
    chunk = first
    while chunk:
        coming = place.connection.read(body, CHUNK_SIZE) if missing > 0 else None
        try:
            yield chunk
            if coming is None:
                return
            with place.errors("get", key):
                chunk = coming.result()
        finally:
            if coming is not None:
                coming.cancel()
        missing -= len(chunk)
