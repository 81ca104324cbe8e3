"""What goes wrong in the history, the same for every store: a layer that fails at the objects that a script names."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal, NoReturn

from cloudsync_core.backend import Backend
from cloudsync_core.body import Body, ObjectReader
from cloudsync_core.errors import BackendError, ThrottledError, UnavailableError
from cloudsync_core.layers.layer import Layer
from cloudsync_core.models import DeleteResult, ObjectInfo, Page, Version
from cloudsync_core.runs import Side

_UNTIL_TOLD_APART = 0.02
"""Seconds; see `cloudsync_core.backends._file_info.RESOLUTION_NS`."""

Verb = Literal["list", "get", "write", "delete"]
Trouble = Literal["answered 503", "answered 500", "cut in the middle", "lost its answer", "killed"]


class DiedError(BaseException):
    """The process ended here, as far as a store in its own memory can tell."""


@dataclasses.dataclass(frozen=True)
class Fault:
    """Requests that go wrong.

    Attributes:
        side: the store that they are sent to.
        verb: what is asked for; a "write" is a put, or a copy inside the provider, a "delete" that of one among many.
        trouble: what happens.
        key: the object; `None` for a listing.
        times: how many requests, from the first on.
    """

    side: Side
    verb: Verb
    trouble: Trouble
    key: str | None = None
    times: int = 1


class Faulty(Layer):
    """A store some of whose requests go wrong.

    Args:
        inner: the store.
        faults: those of this side.
        die: ends the process, or the run as if it had.
    """

    def __init__(self, inner: Backend, faults: Iterable[Fault], die: Callable[[], NoReturn]) -> None:
        super().__init__(inner)
        self._left = {(fault.verb, fault.key): [fault.trouble] * fault.times for fault in faults}
        self._lock = threading.Lock()
        self._die = die
        self._dead = False

    def list(self, prefix: str = "", **options: Any) -> Iterator[Page]:
        """List; a fault cuts the first page in the middle."""
        trouble = self._next("list", None)
        for page in self.inner.list(prefix, **options):
            if trouble is not None:
                if self.capabilities.ordered_listing:
                    yield page.select(range(len(page) // 2), page.gaps)
                raise self._error(trouble, "list")
            yield page

    @contextlib.contextmanager
    def get(self, key: str, **options: Any) -> Iterator[ObjectReader]:
        """Read; a fault cuts the content in the middle."""
        trouble = self._next("get", key)
        with self.inner.get(key, **options) as reader:
            yield reader if trouble is None else self._cut(reader, trouble, key)

    def read(self, key: str, limit: int) -> ObjectReader | None:
        """Read as a whole; a fault is that of a `get`."""
        with self._lock:
            faulty = bool(self._left.get(("get", key)))
        return Backend.read(self, key, limit) if faulty else self.inner.read(key, limit)

    def put(self, key: str, body: Body, **options: Any) -> ObjectInfo:
        """Write; a fault refuses it, loses the answer, or ends the process half-way."""
        return self._write("put", key, lambda: self.inner.put(key, body, **options), body)

    def copy(self, source: Backend, info: ObjectInfo, key: str, **options: Any) -> ObjectInfo:
        """Copy; as `put`."""
        return self._write("copy", key, lambda: super(Faulty, self).copy(source, info, key, **options))

    def delete_many(self, items: Sequence[tuple[str, Version | None]]) -> Iterator[DeleteResult]:
        """Delete; a fault refuses one of the objects."""
        troubles = {key: trouble for key, _ in items if (trouble := self._next("delete", key)) is not None}
        yield from self.inner.delete_many([item for item in items if item[0] not in troubles])
        for key, trouble in troubles.items():
            yield DeleteResult(key, self._error(trouble, "delete", key))

    def _write(self, operation: str, key: str, write: Callable[[], ObjectInfo], body: Body | None = None) -> ObjectInfo:
        trouble = self._next("write", key)
        if trouble is None:
            return write()
        if trouble == "killed":
            if body is not None:
                body.chunks = self._first_half(body)  # type: ignore[method-assign]
                write()
            self._end()
        if trouble == "lost its answer":
            write()
            # Somebody waits for it, and sees the object when a file system can tell it from what is written next.
            time.sleep(_UNTIL_TOLD_APART)
        raise self._error(trouble, operation, key)

    def _first_half(self, body: Body) -> Callable[[], Iterator[bytes]]:
        chunks = body.chunks

        def half() -> Iterator[bytes]:
            for chunk in chunks():
                yield chunk[: len(chunk) // 2]
                self._end()

        return half

    def _cut(self, reader: ObjectReader, trouble: Trouble, key: str) -> ObjectReader:
        def chunks() -> Iterator[bytes]:
            for chunk in reader.chunks():
                yield chunk[: len(chunk) // 2]
                raise self._error(trouble, "get", key)

        return ObjectReader(reader.info, chunks(), reader.size)

    def _next(self, verb: Verb, key: str | None) -> Trouble | None:
        with self._lock:
            if self._dead:
                raise DiedError
            left = self._left.get((verb, key))
            return left.pop() if left else None

    def _end(self) -> NoReturn:
        self._dead = True
        self._die()

    def _error(self, trouble: Trouble, operation: str, key: str | None = None) -> BackendError:
        kind = ThrottledError if trouble == "answered 503" else UnavailableError
        return kind(f"the request was {trouble}", operation=operation, location=self.location, key=key)


def kill() -> NoReturn:
    """End this process as a power failure does."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("nothing survives that")


def die() -> NoReturn:
    """End the run as abruptly as a process can that goes on."""
    raise DiedError
