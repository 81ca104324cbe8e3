"""The newest updates of a channel, and those that come: for people who look, without a place of their own in it."""

from __future__ import annotations

import collections
import dataclasses

from cloudsync_core.backend import Backend
from cloudsync_core.channels import events, ids
from cloudsync_core.channels.scan import Listed, fetch, scan
from cloudsync_core.channels.subscriber import Start, Subscriber
from cloudsync_core.channels.topics import TopicFilter
from cloudsync_core.channels.update import Update
from cloudsync_core.cli.channels import Printing
from cloudsync_core.cli.console import Console
from cloudsync_core.cli.interrupts import interruptible
from cloudsync_core.engine.executor import Stop
from cloudsync_core.engine.state import State
from cloudsync_core.errors import DamagedUpdateError, ObjectNotFoundError, UnsupportedFormatError, printable

_SECOND_NS = 1_000_000_000
_SAME_NS = 2 * _SECOND_NS
"""Stores tell times in seconds, so what is this much older may be as new."""

_OBJECTS = 10_000
"""Objects among which the newest updates of some topics are looked for."""


@dataclasses.dataclass(slots=True)
class Tail:
    """What was printed, and where to go on.

    Attributes:
        printed: updates.
        unreadable: objects that could not be read.
        modified_ns: when the store got the newest object; 0 where there is none.
        known: the ids of the objects that were there and may look as new as that one.
    """

    printed: int = 0
    unreadable: int = 0
    modified_ns: int = 0
    known: dict[str, int] = dataclasses.field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """1 where something could not be read."""
        return 1 if self.unreadable else 0

    def see(self, listed: Listed) -> None:
        """Take note of an object."""
        if listed.modified_ns > self.modified_ns:
            self.modified_ns = listed.modified_ns
            if len(self.known) >= _OBJECTS:
                self.known = {one: at for one, at in self.known.items() if at >= self.modified_ns - _SAME_NS}
        if listed.modified_ns >= self.modified_ns - _SAME_NS:
            self.known[listed.id] = listed.modified_ns


def newest(console: Console, backend: Backend, count: int, wanted: TopicFilter) -> Tail:
    """Print the newest updates of the wanted topics, the oldest of them first.

    Args:
        console: where.
        backend: the channel.
        count: how many, at most.
        wanted: tells which topics are; they are looked for among the newest 10,000 objects.
    """
    tail = Tail()
    last: collections.deque[Listed] = collections.deque(maxlen=_OBJECTS)
    for page, _ in scan(backend, None):
        for listed in page:
            tail.see(listed)
            last.append(listed)
    chosen: collections.deque[Update] = collections.deque()
    while last and len(chosen) < count:
        updates = [update for update in _read(console, backend, last.pop(), tail) if wanted(update.topic)]
        chosen.extendleft(reversed(updates[len(chosen) - count :]))
    printing = Printing(console)
    for update in chosen:
        printing(update)
    tail.printed = len(chosen)
    return tail


def follow(console: Console, backend: Backend, tail: Tail, *, topics: tuple[str, ...], interval: float) -> None:
    """Print the updates that come after those of `newest`, until it is interrupted.

    Args:
        console: where.
        backend: the channel.
        tail: what `newest` has returned; it is counted on.
        topics: patterns of those that are wanted.
        interval: seconds between two looks.
    """
    stop = Stop()
    console.on_lost = stop.set
    printing = Printing(console)

    def deliver(update: Update) -> None:
        if ids.object_of(update.id) not in tail.known:
            printing(update)
            tail.printed += 1

    def told(event: events.Event) -> None:
        if isinstance(event, events.Skipped):
            tail.unreadable += event.kind != "foreign"
            _warn(console, event.key, event.kind, event.reason)
        elif isinstance(event, events.Unreachable):
            console.event("channel_unreachable", {"error": str(event.error), "wait": event.wait})
            console.trouble(f"warning: {event.error}", {"fg": "yellow"})

    # A little earlier, so that no rounding leaves one out: what was there already is known.
    start: Start = (tail.modified_ns - _SECOND_NS) / _SECOND_NS if tail.modified_ns else "earliest"
    with (
        State(None) as state,
        Subscriber(
            backend, "tail", state, [deliver], topics=topics, start=start, register=False, stop=stop, told=told
        ) as subscriber,
        interruptible(stop, lambda: None),
    ):
        subscriber.run(interval)


def _read(console: Console, backend: Backend, listed: Listed, tail: Tail) -> list[Update]:
    try:
        return fetch(backend, listed)
    except ObjectNotFoundError:
        return []  # pruned meanwhile
    except DamagedUpdateError as error:
        kind, reason = "damaged", str(error)
    except UnsupportedFormatError as error:
        kind, reason = "newer", str(error)
    tail.unreadable += 1
    _warn(console, listed.key, kind, reason)
    return []


def _warn(console: Console, key: str, kind: str, reason: str) -> None:
    console.event("update_skipped", {"key": key, "kind": kind, "reason": reason})
    console.trouble(f"warning: skipped {printable(key)}: {reason}", {"fg": "yellow"})
