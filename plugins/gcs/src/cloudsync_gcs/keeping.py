"""Holds on to messages until they are settled: the thread that tells the server."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Sequence
from typing import Final

from cloudsync_core.errors import BackendError, ContainerNotFoundError
from cloudsync_gcs.queue import Subscription

HELD_AT_ONCE: Final = 10_000
"""Messages that are pulled and not settled, at most."""

_FIRST_EXTENSION: Final = 4.0
"""Seconds after which a message is held on to that is not settled: the shortest deadline of a subscription is 10."""

_LONGEST_PAUSE: Final = 30.0


class Leases:
    """Messages that were pulled: holds on to them until they are settled, and acknowledges them then.

    A thread does both. What the server could not be told is told again; what it never hears of comes again.

    Args:
        subscription: of the messages.
        seconds: for which it is told to hold them, again and again.
    """

    def __init__(self, subscription: Subscription, seconds: int) -> None:
        self._subscription = subscription
        self._seconds = seconds
        self._news = threading.Condition()
        self._held: dict[str, float] = {}
        self._settled: list[str] = []
        self._closed = False
        self._pause = 0.0
        self._not_before = 0.0
        self._thread = threading.Thread(target=self._keep, name="cloudsync-gcs-leases", daemon=True)
        self._thread.start()

    def wait_for_room(self, seconds: float) -> bool:
        """Wait until fewer than `HELD_AT_ONCE` messages are held; return whether it came to that."""
        with self._news:
            return self._news.wait_for(lambda: len(self._held) + len(self._settled) < HELD_AT_ONCE, seconds)

    def hold(self, leases: Sequence[str]) -> None:
        """Hold on to messages that were just pulled."""
        with self._news:
            self._held.update(dict.fromkeys(leases, time.monotonic() + _FIRST_EXTENSION))
            self._news.notify_all()

    def settle(self, leases: Sequence[str]) -> None:
        """Acknowledge messages that are held; of others nothing happens."""
        with self._news:
            self._settled += [lease for lease in leases if self._held.pop(lease, None) is not None]
            self._news.notify_all()

    def close(self) -> None:
        """Acknowledge what is settled, and give back the rest."""
        with self._news:
            self._closed = True
            self._news.notify_all()
        self._thread.join()

    def _keep(self) -> None:
        while (work := self._next()) is not None:
            settled, ageing = work
            try:
                self._subscription.acknowledge(settled)
                self._subscription.extend(ageing, self._seconds)
            except BackendError as error:
                self._again(settled, ageing, error)
            else:
                self._pause = 0.0
        with contextlib.suppress(BackendError):
            self._subscription.acknowledge(self._settled)
            self._subscription.extend(list(self._held), 0)

    def _next(self) -> tuple[list[str], list[str]] | None:
        """Return what is to be acknowledged and what is to be held on to, when there is; `None` at the end."""
        with self._news:
            while not self._closed:
                now = time.monotonic()
                ageing = [lease for lease, due in self._held.items() if due <= now]
                if now >= self._not_before and (self._settled or ageing):
                    settled, self._settled = self._settled, []
                    self._held.update(dict.fromkeys(ageing, now + self._seconds / 2))
                    self._news.notify_all()
                    return settled, ageing
                waits = [self._not_before] if self._settled else []
                until = max(self._not_before, min([*waits, *self._held.values()], default=float("inf")))
                self._news.wait(None if until == float("inf") else max(0.0, until - now))
        return None

    def _again(self, settled: list[str], ageing: list[str], error: BackendError) -> None:
        with self._news:
            self._pause = min(max(self._pause * 2, 0.5), _LONGEST_PAUSE)
            self._not_before = time.monotonic() + self._pause
            if isinstance(error, ContainerNotFoundError):
                # With the subscription everything has gone that it could send again.
                for lease in ageing:
                    self._held.pop(lease, None)
                return
            self._settled += settled
            self._held.update({lease: self._not_before for lease in ageing if lease in self._held})
