"""The contract of an event source: what tells a workflow that something of a location may have changed.

A source gives *hints*, never instructions. Whoever gets one looks at the object itself and acts on what is there, so
that a hint that comes twice, late or in the wrong order does no harm, and one that is missing is made up for by the
next look at everything.

=====  ==========================================================================================================
H1     A change made after the source was opened is hinted at, after it was made, at least once; or the source says
       by `everything` that it may have missed some.
H2     Keys are exact and relative to the root of what is watched, as in a listing. What is no valid key is told to
       the user by a warning, once, and is no hint.
H3     A hint says nothing about what happened: the object may be new, changed, as it was, or gone. The marker of an
       empty folder comes and goes with what is in the folder: a hint at a key is one at the folders above it.
H4     `wait` returns as soon as there is something, and else after `timeout` seconds: it is late by one request to
       the store at most. Hints come in batches of a bounded size; nobody's backlog is held in memory.
H5     Hints that `done` is not called for come again, where there is somebody to send them again (a queue); `done`
       is called when the effect of acting on them is durable, from any thread; a second call does nothing.
H6     What passes by itself is waited for and logged, once. What does not raises a `CloudSyncError` from `wait`.
H7     `close` may be called at any time, from any thread, and twice. A `wait` that is under way then returns `None`
       within a second or so, and nothing is left behind: no thread, no descriptor, no file.
=====  ==========================================================================================================

Open the source first, and look at everything then: what changes in between is hinted at (H1).
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from cloudsync_core.backend import Backend, Prune
from cloudsync_core.location import Location
from cloudsync_core.options import BackendOptions

HINTED_AT_ONCE: Final = 4000
"""Keys and folders in one batch of hints, at most."""


def _nothing() -> None:
    """Acknowledge nothing: there is nobody who would send it again."""


@dataclasses.dataclass(frozen=True, slots=True)
class Hints:
    """What may have changed.

    Attributes:
        keys: objects, by their exact keys.
        folders: folders of which everything below may have changed, what is no longer there included; each ends in a
            slash.
        everything: why all of the location has to be looked at, in words for the user, or `None`.
        done: says that the effect of acting on these hints is durable.
    """

    keys: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    everything: str | None = None
    done: Callable[[], None] = _nothing


@dataclasses.dataclass(frozen=True, slots=True)
class Watched:
    """What an event source is to watch.

    Attributes:
        location: the place.
        backend: the same place, open, with retries; the source may list and stat with it, and does not close it.
        options: the options of the location, checked: credentials and endpoints among them.
        prune: tells of a folder (without trailing slash) that nothing under it is wanted; `None` wants everything.
    """

    location: Location
    backend: Backend
    options: BackendOptions
    prune: Prune | None = None


class EventSource(abc.ABC):
    """Tells what may have changed at one location; used by one thread, but for `Hints.done` and `close`."""

    @abc.abstractmethod
    def wait(self, timeout: float) -> Hints | None:
        """Return hints as soon as there are any, or `None` when there are none (clauses H1-H5).

        Args:
            timeout: seconds to wait at most; 0 asks for what is there already.

        Raises:
            CloudSyncError: it cannot go on (H6).
        """

    @abc.abstractmethod
    def close(self) -> None:
        """Stop watching (clause H7)."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
