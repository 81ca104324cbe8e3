"""Delivering what an object of updates holds, one update after the other, and saving what became of each."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from cloudsync_core.backend import Backend
from cloudsync_core.channels import envelope, events
from cloudsync_core.channels.ahead import Fetched
from cloudsync_core.channels.cursors import Cursor
from cloudsync_core.channels.failing import Backoff, Failing, Waiting
from cloudsync_core.channels.scan import Listed, fetch
from cloudsync_core.channels.tables import Parked
from cloudsync_core.channels.topics import TopicFilter
from cloudsync_core.channels.update import Update
from cloudsync_core.crashpoints import hit
from cloudsync_core.engine.redaction import Redact
from cloudsync_core.errors import (
    AccessDeniedError,
    BackendError,
    CloudSyncError,
    DamagedUpdateError,
    DeliveryError,
    Disposition,
    ObjectNotFoundError,
    ThrottledError,
    UnavailableError,
    UnsupportedFormatError,
)

Deliver = Callable[[Update], None]
"""Delivers an update, and returns when the effect is durable; whatever it raises is a failure."""

LONGEST_WAIT: Final = 3600.0
"""Seconds that whoever takes deliveries can have the next attempt wait."""

_PASSING = (UnavailableError, ThrottledError)


@dataclasses.dataclass(frozen=True)
class Rules:
    """How a subscriber delivers.

    Attributes:
        deliver: each gets every update.
        wanted: tells which topics are.
        attempts: how often the delivery of an update is tried before it is parked.
        backoff: how long to wait between them.
        stop: ends the subscriber between two deliveries.
        told: is told what happens.
        redact: takes secrets out of errors before they are saved.
    """

    deliver: Sequence[Deliver]
    wanted: TopicFilter
    attempts: int
    backoff: Backoff
    stop: threading.Event
    told: events.Listener
    redact: Redact


class Delivery:
    """Delivers updates of one channel for one subscriber; in the thread of its cursor.

    Attributes:
        failing: the topics that wait.
    """

    def __init__(self, backend: Backend, cursor: Cursor, rules: Rules) -> None:
        self._backend = backend
        self._cursor = cursor
        self._rules = rules
        self.failing = Failing()
        self._counted = events.Pass()

    def count(self, **more: int) -> None:
        """Add to what was brought."""
        counts = {name: getattr(self._counted, name) + number for name, number in more.items()}
        self._counted = dataclasses.replace(self._counted, **counts)

    def counted(self, *, more: bool = False) -> events.Pass:
        """Return what was brought since the last call."""
        counted, self._counted = self._counted, events.Pass()
        return dataclasses.replace(counted, more=more)

    def skip(self, key: str, kind: str, reason: str) -> None:
        """Count something that is not delivered, and tell of it."""
        self.count(skipped=1)
        self._rules.told(events.Skipped(key, kind, reason))  # type: ignore[arg-type]

    def deliver(self, fetched: Fetched) -> bool:
        """Deliver what is in an object and not settled; return whether all of it is settled then.

        Raises:
            BackendError: the channel cannot be used, now or at all.
            StateError: what became of it cannot be saved.
        """
        listed, updates = fetched
        if isinstance(updates, CloudSyncError):
            self._settle_unread(listed, updates)
            return True
        # Of an object with one update that is not settled, none is.
        settled = self._cursor.settled_in(listed.id) if len(updates) > 1 else set[str]()
        pending = [update for update in updates if update.id not in settled]
        rest, quiet, behind, failed = len(pending), list[str](), list[str](), list[str]()
        for update in pending:
            if self._rules.stop.is_set():
                break
            if not self._rules.wanted(update.topic):
                quiet.append(update.id)
            elif self.failing.has(update.topic, update.id):
                failed.append(update.topic)
            elif self.failing.blocks(update.topic):
                behind.append(update.topic)
            else:
                waiting = Waiting(listed, update.id, update.topic, 0, 0.0, frozenset())
                rest_then = rest - len(quiet) - 1
                if self._try(update, waiting, quiet, rest_then):
                    rest, quiet = rest_then, []
                else:
                    failed.append(update.topic)
        if quiet:
            rest -= len(quiet)
            self._cursor.settle(listed.id, quiet, rest=rest)
        if put_off := len(behind) + len(failed):
            self.count(put_off=put_off)
            self.failing.put_off(listed.id, behind, failed, nothing_else=rest == put_off)
        return rest == 0

    def retry_due(self) -> None:
        """Deliver again what is due; raises as `deliver`."""
        for waiting in self.failing.due(time.monotonic()):
            if self._rules.stop.is_set():
                return
            try:
                updates = fetch(self._backend, waiting.listed)
            except CloudSyncError as error:
                self._settle_unread(waiting.listed, error)
                self.failing.end(waiting.topic)
                continue
            settled = self._cursor.settled_in(waiting.listed.id)
            pending = [update for update in updates if update.id not in settled]
            again = [update for update in pending if update.id == waiting.id]
            if not again:
                self.failing.end(waiting.topic)
            for update in again:
                self._try(update, waiting, (), len(pending) - 1)

    def park_again(self, parked: Parked, error: str, *, known: int | None = None) -> None:
        """Save that what was parked could not be delivered once more."""
        again = dataclasses.replace(
            parked, error=error, attempts=parked.attempts + 1, at=time.time(), known=known, again=False
        )
        self._cursor.park(again)
        self._tell_parked(again)

    def delivered(self, update: Update) -> None:
        """Count an update that was delivered, which is saved, and tell of it."""
        hit("subscription.settled")
        self.count(delivered=1)
        self._rules.told(events.Delivered(update))

    def attempt(self, update: Update, succeeded: frozenset[int]) -> tuple[Exception | None, frozenset[int]]:
        """Have every deliverer that has not succeeded deliver, whatever the others do.

        Returns:
            What one of them has raised, that which says most about what to do next; and who has succeeded by now.
        """
        errors: list[Exception] = []
        for index, deliver in enumerate(self._rules.deliver):
            if index in succeeded:
                continue
            try:
                deliver(update)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is a failure
                errors.append(error)
            else:
                succeeded |= {index}
        if not errors:
            hit("subscription.delivered")
            return None, succeeded
        return max(errors, key=lambda error: (self.ends_the_pass(error), not _is_final(error))), succeeded

    def text(self, error: Exception) -> str:
        """Return an error as it is saved and shown."""
        said = str(error) if isinstance(error, CloudSyncError) else f"{type(error).__name__}: {error}"
        return self._rules.redact(said)

    def ends_the_pass(self, error: Exception) -> bool:
        """Tell whether an error says that the channel as a whole cannot be used, now or at all."""
        return (
            isinstance(error, BackendError)
            and error.location == self._backend.location
            and (isinstance(error, (*_PASSING, AccessDeniedError)) or error.disposition is Disposition.ABORT)
        )

    def _try(self, update: Update, waiting: Waiting, quiet: Sequence[str], rest: int) -> bool:
        """Try to deliver an update once; return whether it is settled, together with those of `quiet`."""
        error, succeeded = self.attempt(update, waiting.succeeded)
        if error is None:
            self._cursor.settle(waiting.listed.id, [*quiet, update.id], rest=rest)
            self.failing.end(update.topic)
            self.delivered(update)
            return True
        waiting = dataclasses.replace(waiting, succeeded=succeeded, due=time.monotonic())
        self.failing.wait(waiting)
        if self.ends_the_pass(error):
            # Its content is in the channel, which cannot be read: nothing about the update itself.
            raise error
        if self._rules.stop.is_set():
            return False
        attempts = waiting.attempts + 1
        if attempts >= self._rules.attempts or _is_final(error):
            parked = Parked(update.id, update.key, update.topic, self.text(error), attempts, time.time())
            self._cursor.settle(waiting.listed.id, [*quiet, update.id], rest=rest, parked=parked)
            self.failing.end(update.topic)
            self._tell_parked(parked)
            return True
        wait = max(self._rules.backoff(attempts), _asked_for(error))
        self.failing.wait(dataclasses.replace(waiting, attempts=attempts, due=time.monotonic() + wait))
        self._rules.told(events.Failed(update, error, attempts, wait))
        return False

    def _settle_unread(self, listed: Listed, error: CloudSyncError) -> None:
        """Settle an object that could not be read, for good or until somebody asks for it."""
        if self.ends_the_pass(error):
            raise error
        if isinstance(error, ObjectNotFoundError):
            self._cursor.settle_objects([listed.id])
            self.skip(listed.key, "gone", "it was removed before it was read")
        elif isinstance(error, DamagedUpdateError):
            self._cursor.settle_objects([listed.id])
            self.skip(listed.key, "damaged", str(error))
        elif isinstance(error, UnsupportedFormatError):
            parked = Parked(listed.id, listed.key, None, str(error), 0, time.time(), known=envelope.FORMAT)
            self._cursor.settle(listed.id, (), rest=0, parked=parked)
            self.skip(listed.key, "newer", str(error))
        elif isinstance(error, BackendError):
            parked = Parked(listed.id, listed.key, None, self.text(error), 1, time.time())
            self._cursor.settle(listed.id, (), rest=0, parked=parked)
            self._tell_parked(parked)
        else:
            raise error

    def _tell_parked(self, parked: Parked) -> None:
        hit("subscription.parked")
        self.count(parked=1)
        self._rules.told(events.ParkedAway(parked.id, parked.key, parked.topic, parked.error))


def _is_final(error: Exception) -> bool:
    return isinstance(error, DeliveryError) and not error.retry


def _asked_for(error: Exception) -> float:
    """Return the seconds that whoever takes deliveries has asked to wait."""
    asked = error.retry_after if isinstance(error, DeliveryError | BackendError) else None
    return min(asked or 0.0, LONGEST_WAIT)


def is_passing(error: BackendError) -> bool:
    """Tell whether the channel may be there again later, whatever was done about it so far."""
    return isinstance(error, _PASSING)
