"""What goes wrong in the history, the same for every store, in words that a script and a table can use."""

from __future__ import annotations

import dataclasses
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from typing import ClassVar, Literal, NoReturn, TypeVar

from cloudsync_core.backend import Backend
from cloudsync_core.errors import ThrottledError, UnavailableError
from cloudsync_core.runs import Side
from cloudsync_core.testing.faults import Call, Choose, CutOff, FailOnPage, Faulty, LoseAnswer, Raise, Trouble, at
from cloudsync_core.testing.faults import Verb as BackendVerb

T = TypeVar("T")
Verb = Literal["list", "get", "write", "delete"]
Kind = Literal["answered 503", "answered 500", "cut in the middle", "lost its answer", "killed"]

_UNTIL_TOLD_APART = 0.02
"""Seconds after which a file system tells what was written from what is written next (`_file_info.RESOLUTION_NS`)."""


class DiedError(BaseException):
    """The process ended here, as far as a store in its own memory can tell."""


@dataclasses.dataclass(frozen=True)
class Fault:
    """Requests that go wrong.

    Attributes:
        side: the store that they are sent to.
        verb: what is asked for; a "write" is a put, or a copy inside the provider.
        kind: what happens.
        key: the object; `None` for a listing.
        times: how many requests, from the first on.
    """

    side: Side
    verb: Verb
    kind: Kind
    key: str | None = None
    times: int = 1


def disturbed(backend: Backend, faults: Iterable[Fault], die: Callable[[], NoReturn]) -> Backend:
    """Return a store some of whose requests go wrong.

    Args:
        backend: the store.
        faults: those of its side.
        die: ends the process, or the run as if it had.
    """
    death = _Death(die)
    rules = [_rule(backend, fault, verb, death) for fault in faults for verb in _verbs(fault)]
    return Faulty(backend, death.after, *rules)


def _verbs(fault: Fault) -> tuple[BackendVerb, ...]:
    return ("put", "copy") if fault.verb == "write" else (fault.verb,)


def _rule(backend: Backend, fault: Fault, verb: BackendVerb, death: _Death) -> Choose:
    kind = ThrottledError if fault.kind == "answered 503" else UnavailableError
    reason = f"the request was {fault.kind}"
    error = kind(reason, operation=verb, location=backend.location, key=fault.key)
    trouble: Trouble
    match fault.kind:
        case "killed":
            trouble = _InTheMiddle(death) if verb == "put" else _AtOnce(death)
        case "lost its answer":
            trouble = _LoseAnswerLate(error)
        case "cut in the middle" if verb == "get":
            trouble = CutOff(1, error)
        case _ if verb == "list":
            trouble = FailOnPage(2, error)
        case _:
            trouble = Raise(error)
    return at(verb, trouble, fault.key, times=fault.times)


class _LoseAnswerLate(LoseAnswer):
    """Somebody waits for the answer, which does not come."""

    def call(self, operation: Callable[[], T]) -> T:
        def done() -> T:
            result = operation()
            time.sleep(_UNTIL_TOLD_APART)
            return result

        return super().call(done)


class _Death:
    """The end of a process. Where it only seems to end, nothing is written to the store afterwards."""

    def __init__(self, die: Callable[[], NoReturn]) -> None:
        self._die = die
        self._came = False

    def __call__(self) -> NoReturn:
        self._came = True
        self._die()

    def after(self, call: Call) -> Trouble | None:
        return _AtOnce(self) if self._came and call.verb in {"put", "copy"} else None


@dataclasses.dataclass(frozen=True)
class _AtOnce(Trouble):
    death: _Death

    def call(self, operation: Callable[[], T]) -> T:
        del operation
        self.death()


@dataclasses.dataclass(frozen=True)
class _InTheMiddle(Trouble):
    verbs: ClassVar[tuple[BackendVerb, ...]] = ("put",)
    death: _Death

    def content(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            yield chunk[: len(chunk) // 2]
            self.death()


def kill() -> NoReturn:
    """End this process as a power failure does."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("nothing survives that")


def die() -> NoReturn:
    """End the run as abruptly as a process can that goes on."""
    raise DiedError
