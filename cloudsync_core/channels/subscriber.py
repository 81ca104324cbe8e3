"""Receiving the updates of a channel: each at least once, in order per topic, and never twice after a clean stop.

A *pass* looks at the channel from the cursor's floor on, delivers what is not settled, and moves the floor. What each
promises is in docs/subscribing.md.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Final, Self

from cloudsync_core.backend import Backend
from cloudsync_core.channels import envelope, events, names
from cloudsync_core.channels.ahead import Ahead
from cloudsync_core.channels.cursors import Cursor
from cloudsync_core.channels.delivering import Deliver, Delivery, Rules, is_passing
from cloudsync_core.channels.failing import MANY, Backoff
from cloudsync_core.channels.looking import Look, Ordered, look
from cloudsync_core.channels.registry import PARKED, Desk
from cloudsync_core.channels.reviving import revive
from cloudsync_core.channels.scan import Foreign, Listed
from cloudsync_core.channels.starting import Start, begin, checked_start
from cloudsync_core.channels.topics import TopicFilter
from cloudsync_core.crashpoints import hit
from cloudsync_core.engine.base import Database
from cloudsync_core.engine.redaction import Redact
from cloudsync_core.errors import BackendError, CancelledError, ChannelError, ConfigError

__all__ = ["Deliver", "Start", "Subscriber"]

PASS_SECONDS: Final = 300.0
"""After so long a pass ends, to move the floor and look again; longer where looking takes long."""

REGISTERED_EVERY: Final = 60.0
"""Seconds between two times that the channel is told how far the subscriber is, at least."""

_REPORTED: Final = 1000
"""Foreign objects that are told once each; further ones are only counted."""

_SHORTEST: Final = 0.05
"""Seconds between the beginnings of two passes at which nothing was left, at least."""

_DAY_NS: Final = 24 * 3600 * 1_000_000_000
_UNREACHABLE: Final = Backoff(first=1.0, most=60.0)


class Subscriber:
    """Delivers the updates of a channel; made, used and closed in one thread.

    Args:
        backend: the channel, which retries what fails in passing.
        name: of the subscriber; one at a time has it, in all the world.
        database: the open state database, which keeps what is settled.
        deliver: each gets every update, one after the other; an update is done when all of them have returned.
        topics: patterns, see `TopicFilter`; what none matches is settled undelivered. Without any, all are wanted.
        skip_own: the name of a publisher whose updates are settled unread.
        start: with which update a new subscription begins; one that has begun goes on where it was.
        attempts: how often the delivery of an update is tried before it is parked.
        backoff: how long to wait between them.
        register: tell the channel how far the subscriber is, so that pruning keeps what it has not seen.
        stop: ends it: a delivery in hand ends first, no other begins.
        told: is told what happens.
        redact: takes secrets out of errors before they are saved.
        clock: tells nanoseconds since the epoch, UTC.

    Raises:
        ConfigError: a name, a pattern, the start or the number of attempts is wrong.
    """

    def __init__(
        self,
        backend: Backend,
        name: str,
        database: Database,
        deliver: Sequence[Deliver],
        *,
        topics: Sequence[str] = (),
        skip_own: str | None = None,
        start: Start = "earliest",
        attempts: int = 5,
        backoff: Backoff | None = None,
        register: bool = True,
        stop: threading.Event | None = None,
        told: events.Listener = events.nobody,
        redact: Redact = str,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._backend = backend
        self._name = names.checked(name, "subscriber")
        self._database = database
        if attempts < 1:
            raise ConfigError(f"the delivery of an update is tried at least once, not {attempts} times")
        self._stop = threading.Event() if stop is None else stop
        self._rules = Rules(deliver, TopicFilter(topics), attempts, backoff or Backoff(), self._stop, told, redact)
        self._own = skip_own
        self._start = checked_start(start)
        self._registers = register
        self._told = told
        self._clock = clock
        self._stack = contextlib.ExitStack()
        self._opened: tuple[Cursor, Delivery, Desk, Ahead] | None = None
        self._registered_at = 0.0
        self._reported: set[str] = set()

    def open(self) -> None:
        """Take the subscription, and begin it where it is new; further calls do nothing.

        Raises:
            StateError: another process of this machine has it, or the state database cannot be used.
            ChannelError: another subscriber has the name.
            BackendError: the channel cannot be used.
        """
        if self._opened is not None:
            return
        with contextlib.ExitStack() as stack:
            cursor = stack.enter_context(Cursor(self._database, self._name, str(self._backend.identity)))
            desk = Desk(self._backend, self._name, cursor.instance, clock=self._clock, stop=self._stop)
            store_ns = self._clock() - _DAY_NS
            if self._registers:
                store_ns = desk.claim(cursor.floor, cursor.newest, _parked(cursor), anew=not cursor.ready)
                self._registered_at = time.monotonic()
                hit("subscription.registered")
            if not cursor.ready:
                begin(self._backend, cursor, self._start, store_ns, clock=self._clock)
            delivery = Delivery(self._backend, cursor, self._rules)
            ahead = Ahead(self._backend)
            stack.callback(ahead.close)
            count, key = cursor.retry_older_formats(envelope.FORMAT)
            if key is not None:
                reason = f"objects of updates that wait for a newer cloudsync, this one among them: {count}"
                self._told(events.Skipped(key, "newer", reason))
            self._opened = (cursor, delivery, desk, ahead)
            self._stack = stack.pop_all()

    def poll(self) -> events.Pass:
        """Make one pass, and return what it has brought.

        Raises:
            BackendError: the channel cannot be used, now or at all; what was delivered until then is settled.
            StateError, ChannelError: see `open`.
        """
        self.open()
        assert self._opened is not None
        cursor, delivery, desk, ahead = self._opened
        delivery.failing.begin_pass()
        revive(self._backend, cursor, delivery, self._rules.wanted, self._stop)
        delivery.retry_due()
        seen = look(self._backend, cursor, clock=self._clock, stopped=self._stop.is_set, foreign=self._report_foreign)
        delivery.count(listed=seen.listed)
        if not self._stop.is_set():
            left, cut = self._deliver(seen, cursor, delivery, ahead) if seen.new else ("", False)
            self._advance(cursor, seen, left)
            more = cut or delivery.failing.freed
        else:
            more = False
        if time.monotonic() - self._registered_at >= REGISTERED_EVERY:
            self._register(cursor, desk)
        result = delivery.counted(more=more)
        self._told(events.PassEnded(result))
        return result

    def run(self, interval: float, *, once: bool = False) -> events.Pass:
        """Make passes until it is stopped, and return what they have brought together.

        While the channel cannot be reached it waits, longer and longer, up to a minute.

        Args:
            interval: seconds from the beginning of a pass to that of the next one.
            once: end when everything that was there is delivered or parked.

        Raises:
            BackendError: the channel cannot be used; with `once`, for a passing reason too.
            StateError, ChannelError: see `open`.
        """
        total, unreachable, ended = events.Pass(), 0, False
        while not (self._stop.is_set() or ended):
            until = time.monotonic() + max(interval, _SHORTEST)
            try:
                total += (result := self.poll())
                unreachable = 0
                if not result.more:
                    ended = self._wait(until, once=once)
            except CancelledError:
                # A layer of the backend has heard that it is to end.
                if not self._stop.is_set():
                    raise
            except BackendError as error:
                if once or not is_passing(error):
                    raise
                unreachable += 1
                wait = max(_UNREACHABLE(unreachable), error.retry_after or 0.0)
                self._told(events.Unreachable(error, wait))
                self._stop.wait(wait)
            if self._opened is not None:
                total += self._opened[1].counted()
        return total

    def close(self) -> None:
        """Tell the channel how far the subscriber is, and let others have the subscription; it is a clean stop."""
        if self._opened is not None:
            cursor, _, desk, _ = self._opened
            # What it has seen is saved here; the channel hears of it the next time.
            with contextlib.suppress(BackendError, ChannelError, CancelledError):
                self._register(cursor, desk)
        self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            self._release()

    def _release(self) -> None:
        self._opened = None
        self._stack.close()

    def _deliver(self, seen: Look, cursor: Cursor, delivery: Delivery, ahead: Ahead) -> tuple[str, bool]:
        """Deliver what is new; return the oldest id of what is left, "" where nothing is, and whether time was up."""

        def waits(listed: Listed) -> bool:
            known = delivery.failing.still_put_off(listed.id)
            delivery.count(put_off=int(known))
            return known

        ordered = Ordered(self._backend, cursor, seen, own=self._own, waits=waits, clock=self._clock)
        until = time.monotonic() + max(PASS_SECONDS, 2 * seen.lasted)
        with contextlib.closing(ahead.fetched(ordered)) as found:
            for listed, updates in found:
                crowded = len(delivery.failing) >= MANY
                late = time.monotonic() > until
                if self._stop.is_set() or crowded or late:
                    ordered.leave(listed.id)
                    return ordered.left, late and not crowded
                delivery.retry_due()
                if not delivery.deliver((listed, updates)):
                    ordered.leave(listed.id)
        return ordered.left, False

    def _advance(self, cursor: Cursor, seen: Look, left: str) -> None:
        if (floor := seen.horizon) is None:
            floor = cursor.floor
        elif left:
            floor = min(floor, left)
        cursor.advance(floor, None if left else seen.newest_id)
        hit("subscription.floor.moved")

    def _wait(self, until: float, *, once: bool) -> bool:
        """Wait for the next pass, and try again what is due meanwhile; return whether there is to be none."""
        assert self._opened is not None
        _, delivery, _, _ = self._opened
        failing = delivery.failing
        while not (self._stop.is_set() or failing.freed):
            due = failing.next_due
            if once and due is None:
                return True
            moment = until if due is None else due if once else min(until, due)
            self._stop.wait(max(0.0, moment - time.monotonic()))
            delivery.retry_due()
            if not once and time.monotonic() >= until:
                break
        return False

    def _register(self, cursor: Cursor, desk: Desk) -> None:
        if self._registers:
            self._registered_at = time.monotonic()
            desk.write(cursor.floor, cursor.newest, _parked(cursor))
            hit("subscription.registered")

    def _report_foreign(self, foreign: Foreign) -> None:
        assert self._opened is not None
        if foreign.key not in self._reported:
            if len(self._reported) < _REPORTED:
                self._reported.add(foreign.key)
            self._opened[1].skip(foreign.key, "foreign", foreign.reason)


def _parked(cursor: Cursor) -> tuple[str, ...]:
    return tuple(cursor.parked_objects(PARKED))
