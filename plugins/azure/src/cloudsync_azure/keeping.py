"""What becomes of messages that were received: they are kept from others while they are worked on, and deleted then."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from typing import Final, NamedTuple, TypeVar

from cloudsync_azure.connection import IN_FLIGHT
from cloudsync_azure.errors import FAILURES, RefusedError
from cloudsync_azure.queue import Message, Queue, meaning_of
from cloudsync_core.backends.objectstore.wire import Answer
from cloudsync_core.errors import AccessDeniedError, BackendError

T = TypeVar("T")

_FINAL: Final = frozenset({400, 403, 404})
"""Statuses that asking again for the same does not change."""

_RELEASE_SECONDS: Final = 1.0
"""For giving back what was not worked on; what is left comes again by itself."""


class _Lease(NamedTuple):
    receipt: str
    renewed: float
    lasts_until: float


class Keeper:
    """Keeps messages hidden from others until they are settled, and then deletes them; a thread of its own.

    Args:
        queue: where they come from.
        visibility: seconds for which a message is hidden; renewed at half of that.
        denied: called once if the service does not let messages be hidden any longer.
    """

    def __init__(self, queue: Queue, visibility: int, denied: Callable[[BackendError], None]) -> None:
        self._queue = queue
        self._visibility = visibility
        self._denied: Callable[[BackendError], None] | None = denied
        self._held: dict[str, _Lease] = {}
        self._settled: list[str] = []
        self._closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._keep, name="cloudsync-azure-leases", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        return len(self._held)

    def hold(self, messages: Iterable[Message], asked: float) -> None:
        """Keep messages from others from now on.

        Args:
            messages: that were received.
            asked: the moment before they were, of `time.monotonic`.
        """
        with self._changed:
            # One that comes again while it is held has a new receipt, and the old one is worth nothing.
            self._held.update(
                {found.identifier: _Lease(found.receipt, asked, asked + self._visibility) for found in messages}
            )
            self._changed.notify()

    def settle(self, identifiers: Sequence[str]) -> None:
        """Delete messages soon; those that are not held are passed over."""
        with self._changed:
            self._settled += identifiers
            self._changed.notify()

    def close(self) -> None:
        """Delete what is settled, give back what is not, and end; within a second or so."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(_RELEASE_SECONDS)
        self._queue.close()
        self._thread.join()

    def _keep(self) -> None:
        while not self._closing:
            with self._changed:
                if not self._settled and not self._closing:
                    self._changed.wait(self._pause())
            self._delete_settled()
            if not self._closing:
                self._renew()
        self._delete_settled()
        self._release()

    def _pause(self) -> float | None:
        """Return the seconds until a lease has to be renewed; `None` where there is none."""
        if not self._held:
            return None
        first = min(lease.renewed for lease in self._held.values())
        return max(0.05, first + self._visibility / 2 - time.monotonic())

    def _delete_settled(self) -> None:
        with self._changed:
            names, self._settled = self._settled, []
            found = [(name, lease.receipt) for name in names if (lease := self._held.pop(name, None)) is not None]
        for some in _batches(found):
            # What could not be deleted comes again, and is looked at again.
            for started in [self._started(self._queue.delete, *one) for one in some]:
                _outcome(started)

    def _renew(self) -> None:
        now = time.monotonic()
        with self._changed:
            due = [(name, lease) for name, lease in self._held.items() if now >= lease.renewed + self._visibility / 2]
        for some in _batches(due):
            if self._closing or self._settled:
                return
            asked = time.monotonic()
            begun = [(*one, self._started(self._queue.hide, one[0], one[1].receipt, self._visibility)) for one in some]
            for name, lease, started in begun:
                self._renewed(name, lease, _outcome(started), asked)

    def _renewed(self, name: str, lease: _Lease, outcome: Answer | BaseException, asked: float) -> None:
        if isinstance(outcome, Answer):
            receipt = outcome.headers.get("x-ms-popreceipt", lease.receipt)
            found: _Lease | None = _Lease(receipt, asked, asked + self._visibility)
        elif asked >= lease.lasts_until or (isinstance(outcome, RefusedError) and outcome.answer.status in _FINAL):
            found = None
            error = meaning_of(outcome)
            if isinstance(error, AccessDeniedError) and self._denied is not None:
                self._denied(error)
                self._denied = None
        else:
            # Again a little later: the network may be back before the lease ends.
            found = lease._replace(renewed=lease.renewed + self._visibility / 8)
        with self._changed:
            if self._held.get(name) == lease:
                if found is None:
                    del self._held[name]
                else:
                    self._held[name] = found

    def _release(self) -> None:
        until = time.monotonic() + _RELEASE_SECONDS / 2
        for some in _batches(list(self._held.items())):
            if time.monotonic() >= until:
                return
            for started in [self._started(self._queue.hide, name, lease.receipt, 0) for name, lease in some]:
                _outcome(started)

    @staticmethod
    def _started(begin: Callable[..., Future[Answer]], *arguments: object) -> Future[Answer] | None:
        with contextlib.suppress(RuntimeError):  # closed meanwhile
            return begin(*arguments)
        return None


def _batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Return the items, as many at a time as requests are under way at once."""
    return (items[start : start + IN_FLIGHT] for start in range(0, len(items), IN_FLIGHT))


def _outcome(started: Future[Answer] | None) -> Answer | BaseException:
    """Wait for a request that was begun, and return how it ended."""
    if started is None:
        return RuntimeError()
    try:
        return started.result()
    except (*FAILURES, CancelledError) as failure:
        return failure
