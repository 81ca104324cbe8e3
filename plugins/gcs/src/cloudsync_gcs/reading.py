"""get and read: how an object's bytes are asked for; `cloudsync_core.backends.objectstore.reading` has the rest.

The bytes of an object come without what it carries beside them, and mostly with another Cache-Control than it has
(https://cloud.google.com/storage/docs/json_api/v1/parameters#cachecontrol). So the first request asks what the object
is, and those that follow ask for bytes of the very generation that it told (G1). They are the bytes as stored: of an
object that is stored as gzip nobody unpacks anything (catalogue B13).
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager
from typing import Any

from cloudsync_core.backends.judging import judging
from cloudsync_core.backends.objectstore import reading
from cloudsync_core.backends.objectstore.reading import Incoming
from cloudsync_core.backends.objectstore.wire import Answer, Request
from cloudsync_core.body import ObjectReader
from cloudsync_core.errors import Disposition, PreconditionFailedError, UnexpectedBackendError
from cloudsync_core.models import ObjectInfo, Version
from cloudsync_gcs import conditions, operations, versions
from cloudsync_gcs.errors import NOT_FOUND, Refusal
from cloudsync_gcs.place import Place, size

_STALE = 412
_NOT_SATISFIABLE = 416


class Reader(reading.Reader):
    """Reads objects of one place; safe to use from many threads.

    Args:
        place: where from.
    """

    def __init__(self, place: Place) -> None:
        super().__init__(_Objects(place))
        self._place = place

    def read(self, key: str, limit: int) -> ObjectReader | None:
        """Return a small object that is read already; see `Backend.read`."""
        with self._place.errors("get", key):
            name = self._place.named(key)
            resource = self._place.look(name)
            length = size(resource)
            if length > limit:
                return None
            info = self._place.describe(key, resource)
            if length == 0:
                return ObjectReader(info, b"")
            with judging(_changed):
                answer = self._place.connection.request(_media(self._place, name, _pin(resource), None), most=length)
            _require(answer, info.version.id, length)
            if len(answer.body) != length:
                raise _other_bytes(len(answer.body), length)
            return ObjectReader(info, answer.body)


class _Objects:
    """The requests for objects of one place; see `cloudsync_core.backends.objectstore.reading.Objects`.

    The pin of a version is its generation; that of an answer says beside it how the object is stored, so that nobody
    has to look again.
    """

    def __init__(self, place: Place) -> None:
        self._place = place

    def errors(self, operation: str, key: str | None = None) -> AbstractContextManager[None]:
        return self._place.errors(operation, key)

    @contextlib.contextmanager
    def open(self, key: str, span: str | None, pin: str | None) -> Iterator[Incoming]:
        name = self._place.named(key)
        if pin is not None and not pin.isdecimal():
            with self._media(name, span, pin) as (answer, read):
                yield Incoming(answer.length, answer.headers.get("content-range", ""), pin, _untold, read)
            return
        resource = self._place.look(name, {} if pin is None else {"ifGenerationMatch": pin})
        length = size(resource)

        def info(whole: int) -> ObjectInfo:
            if whole != length:
                raise _other_bytes(whole, length)
            return self._place.describe(key, resource)

        found = _pin(resource)
        if length == 0:
            yield Incoming(0, "", found, info, lambda _: b"")
            return
        if span is not None and span.startswith("bytes=0-") and _end(span) >= length:
            span = None
        with self._media(name, span, found) as (answer, read):
            if span is not None:
                yield Incoming(answer.length, answer.headers.get("content-range", ""), found, info, read)
                return
            _require(answer, None, length)
            yield Incoming(length, f"bytes 0-{length - 1}/{length}", found, info, read)

    @contextlib.contextmanager
    def _media(self, name: str, span: str | None, pin: str) -> Iterator[tuple[Answer, Callable[[int], bytes]]]:
        with contextlib.ExitStack() as stack:
            with judging(_changed):
                content = stack.enter_context(self._place.connection.open(_media(self._place, name, pin, span)))
            _require(content.answer, pin.partition("+")[0], None)
            yield content.answer, content.read

    def pin(self, version: Version) -> str:
        return conditions.generation(version)

    def is_version(self, found: Version, wanted: Version) -> bool:
        return found.id == conditions.generation(wanted)

    def has_no_such_range(self, failure: BaseException) -> bool:
        return isinstance(failure, Refusal) and failure.status == _NOT_SATISFIABLE

    def submit(self, work: Callable[[], list[bytes]]) -> Future[list[bytes]]:
        return self._place.connection.submit(work)


def _media(place: Place, name: str, pin: str, span: str | None) -> Request:
    """Return the request for the bytes of one generation of an object."""
    generation, _, packed = pin.partition("+")
    query = {**place.common, "generation": generation}
    return operations.media(place.address, name, query, span=span, packed=bool(packed))


def _pin(resource: Mapping[str, Any]) -> str:
    """Return what later bytes of an object are asked for with."""
    packed = "gzip" in str(resource.get("contentEncoding", "")).lower()
    return f"{versions.version(resource).id}+{'gzip' if packed else ''}"


def _end(span: str) -> int:
    """Return the byte after the last one of a Range header that says it, else more than any object has."""
    last = span.rpartition("-")[2]
    return int(last) + 1 if last else sys.maxsize


def _changed(failure: BaseException) -> PreconditionFailedError | None:
    """Return the error for a generation that is gone since it was told."""
    if isinstance(failure, Refusal) and failure.status in {NOT_FOUND, _STALE}:
        return PreconditionFailedError("it changed while it was read", disposition=Disposition.RETRY)
    return None


def _require(answer: Answer, generation: str | None, length: int | None) -> None:
    """Find out the servers that know nothing of generations, or that unpack what is stored as gzip.

    Args:
        answer: that brings bytes.
        generation: which they must be of.
        length: how many they must be.
    """
    if generation is not None and answer.headers.get("x-goog-generation", generation) != generation:
        raise PreconditionFailedError("it changed while it was read", disposition=Disposition.RETRY)
    if length is not None and "content-length" in answer.headers and answer.length != length:
        raise _other_bytes(answer.length, length)


def _other_bytes(found: int, wanted: int) -> UnexpectedBackendError:
    # Too few may be an accident (D16); a server that unpacks an object does so every time.
    disposition = Disposition.RETRY if found < wanted else None
    reason = "the server answered with other bytes than those of the object"
    return UnexpectedBackendError(reason, disposition=disposition)


def _untold(_: int) -> ObjectInfo:
    raise AssertionError("what an object is, its first answer tells")
