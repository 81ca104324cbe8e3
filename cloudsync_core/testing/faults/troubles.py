"""What can go wrong with one call of a backend's verb."""

from __future__ import annotations

import copy
import dataclasses
import time
from collections.abc import Callable, Iterable, Iterator
from typing import ClassVar, Literal, TypeVar

from cloudsync_core.errors import BackendError, UnavailableError
from cloudsync_core.models import Page

T = TypeVar("T")

Verb = Literal["list", "stat", "get", "put", "copy", "delete", "delete_many"]
"""What is asked of a backend. A `read` is a "get"; "delete_many" is a bulk delete as a whole, and each of its keys is a
"delete"."""

VERBS: tuple[Verb, ...] = ("list", "stat", "get", "put", "copy", "delete", "delete_many")

_LOST = UnavailableError("the answer was lost")
_RESET = UnavailableError("the connection was reset")


class Trouble:
    """What happens to one call. The base does nothing; subclasses override the part of the call that they disturb.

    A trouble is used by many calls, from many threads.

    Attributes:
        verbs: those that it can happen to.
    """

    verbs: ClassVar[tuple[Verb, ...]] = VERBS

    def call(self, operation: Callable[[], T]) -> T:
        """Return what the backend's own operation returns, or do something else."""
        return operation()

    def content(self, chunks: Iterable[bytes]) -> Iterable[bytes]:
        """Return the content of an object as it arrives: of a get here, of a put in the store."""
        return chunks

    def pages(self, pages: Iterator[Page]) -> Iterator[Page]:
        """Return the pages of a listing as they arrive."""
        return pages


@dataclasses.dataclass(frozen=True)
class Raise(Trouble):
    """The store refuses: nothing is done.

    Attributes:
        error: what is raised, anew for each call: `ThrottledError("slow down", retry_after=3)`, …
    """

    error: BackendError

    def call(self, operation: Callable[[], T]) -> T:
        """Raise the error."""
        del operation
        raise copy.copy(self.error)


@dataclasses.dataclass(frozen=True)
class LoseAnswer(Trouble):
    """The store does what was asked, and its answer is lost.

    Attributes:
        error: what is raised then.
    """

    verbs: ClassVar[tuple[Verb, ...]] = ("put", "copy", "delete", "delete_many")
    error: BackendError = _LOST

    def call(self, operation: Callable[[], T]) -> T:
        """Do it, and raise the error."""
        operation()
        raise copy.copy(self.error)


@dataclasses.dataclass(frozen=True)
class Delay(Trouble):
    """The call takes longer.

    Attributes:
        seconds: that pass before it is done.
        sleep: lets them pass; a test with a clock of its own gives its own.
    """

    seconds: float
    sleep: Callable[[float], None] = time.sleep

    def call(self, operation: Callable[[], T]) -> T:
        """Wait, and do it."""
        self.sleep(self.seconds)
        return operation()


@dataclasses.dataclass(frozen=True)
class CutOff(Trouble):
    """The connection ends in the middle of the content, which is noticed.

    Attributes:
        after: bytes that arrive before that.
        error: what is raised then.
    """

    verbs: ClassVar[tuple[Verb, ...]] = ("get", "put")
    after: int
    error: BackendError = _RESET

    def content(self, chunks: Iterable[bytes]) -> Iterable[bytes]:
        """Yield so many bytes, and raise the error."""
        yield from _first(chunks, self.after)
        raise copy.copy(self.error)


@dataclasses.dataclass(frozen=True)
class Shorten(Trouble):
    """The content ends early, as if that were its end.

    Attributes:
        after: bytes that arrive.
    """

    verbs: ClassVar[tuple[Verb, ...]] = ("get", "put")
    after: int

    def content(self, chunks: Iterable[bytes]) -> Iterable[bytes]:
        """Yield so many bytes."""
        yield from _first(chunks, self.after)


@dataclasses.dataclass(frozen=True)
class Flip(Trouble):
    """One bit of the content arrives wrong.

    Attributes:
        at: the byte, counted from the first one; content that is not so long arrives as it is.
        bit: which of its eight.
    """

    verbs: ClassVar[tuple[Verb, ...]] = ("get", "put")
    at: int = 0
    bit: int = 0

    def content(self, chunks: Iterable[bytes]) -> Iterable[bytes]:
        """Yield the content with that bit the other way round."""
        begin = 0
        for chunk in chunks:
            place = self.at - begin
            begin += len(chunk)
            yield flipped(chunk, place, self.bit) if 0 <= place < len(chunk) else chunk


@dataclasses.dataclass(frozen=True)
class FailOnPage(Trouble):
    """A listing fails.

    Attributes:
        number: of the page that does not come, from 1; a listing of fewer pages fails at its end.
        error: what is raised instead.
    """

    verbs: ClassVar[tuple[Verb, ...]] = ("list",)
    number: int
    error: BackendError = _RESET

    def pages(self, pages: Iterator[Page]) -> Iterator[Page]:
        """Yield the pages before, and raise the error."""
        for number, page in enumerate(pages, 1):
            if number == self.number:
                break
            yield page
        raise copy.copy(self.error)


@dataclasses.dataclass(frozen=True)
class EndEarly(Trouble):
    """A listing lies: it ends, as if there were no more.

    Attributes:
        after: pages that come before that.
    """

    verbs: ClassVar[tuple[Verb, ...]] = ("list",)
    after: int

    def pages(self, pages: Iterator[Page]) -> Iterator[Page]:
        """Yield the first pages."""
        for number, page in enumerate(pages):
            if number == self.after:
                return
            yield page


@dataclasses.dataclass(frozen=True)
class EmptyPage(Trouble):
    """A listing lies: one page holds nothing, as if there were nothing between its neighbours.

    Attributes:
        number: of the page, from 1.
    """

    verbs: ClassVar[tuple[Verb, ...]] = ("list",)
    number: int

    def pages(self, pages: Iterator[Page]) -> Iterator[Page]:
        """Yield the pages, one of them without its objects."""
        for number, page in enumerate(pages, 1):
            yield Page.of([]) if number == self.number else page


@dataclasses.dataclass(frozen=True)
class RepeatPage(Trouble):
    """A listing turns in a circle: a page comes again, and again.

    Attributes:
        number: of the page, from 1.
        times: how often it comes in all.
    """

    verbs: ClassVar[tuple[Verb, ...]] = ("list",)
    number: int
    times: int = 2

    def pages(self, pages: Iterator[Page]) -> Iterator[Page]:
        """Yield the pages, one of them several times."""
        for number, page in enumerate(pages, 1):
            yield from [page] * (self.times if number == self.number else 1)


def flipped(data: bytes, at: int, bit: int = 0) -> bytes:
    """Return bytes of which one has one bit the other way round; a negative place counts from the end."""
    damaged = bytearray(data)
    damaged[at] ^= 1 << bit
    return bytes(damaged)


def _first(chunks: Iterable[bytes], size: int) -> Iterator[bytes]:
    for chunk in chunks:
        if size <= 0:
            return
        yield chunk[:size]
        size -= len(chunk)
