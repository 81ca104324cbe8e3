"""Keeps messages from being sent again while somebody works on what they say, and deletes them when that is done."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from cloudsync_core.errors import BackendError, ContainerNotFoundError, Disposition
from cloudsync_s3.queue import AT_ONCE, Queue

_LOG = logging.getLogger(__name__)

_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 30.0
_EARLY: Final = 3
"""A message is kept for longer when this part of its time is over, so that a request may fail."""

_LAST_SECONDS: Final = 3.0
"""How long the end may take: what is not deleted or released by then comes again by itself."""


class Keeper:
    """The messages of a queue that were received and not settled; safe to use from many threads.

    It has a thread of its own from the first message on.

    Args:
        queue: where they are from.
        visibility: seconds for which the queue keeps a message from others.
        most: so many messages may be unsettled; more are not to be received.
    """

    def __init__(self, queue: Queue, *, visibility: float, most: int) -> None:
        self._queue = queue
        self._every = visibility / _EARLY
        self._most = most
        self._changed = threading.Condition()
        # In the order of the times at which they are kept for longer.
        self._held: dict[str, float] = {}
        self._settled: dict[str, None] = {}
        self._shut = False
        self._until: float | None = None
        self._complained = False
        self._thread: threading.Thread | None = None

    def hold(self, receipts: Iterable[str]) -> None:
        """Keep messages from others until they are settled."""
        with self._changed:
            due = time.monotonic() + self._every
            self._held.update(dict.fromkeys(receipts, due))
            self._start()

    def settle(self, receipts: Iterable[str]) -> None:
        """Delete messages, soon; after `close` they come again."""
        with self._changed:
            if self._until is not None:
                return
            for receipt in receipts:
                self._held.pop(receipt, None)
                self._settled[receipt] = None
            self._start()

    def has_room(self, timeout: float) -> bool:
        """Wait until another message may be received, and tell whether it may."""
        with self._changed:
            return self._changed.wait_for(self._is_open, max(0.0, timeout)) and not self._shut

    def shut(self) -> None:
        """Have no room any more, and let nobody wait for some."""
        with self._changed:
            self._shut = True
            self._changed.notify_all()

    def close(self) -> None:
        """Delete what is settled, let others have the rest at once, and end; it takes some seconds at most."""
        with self._changed:
            if self._until is None:
                self._until = time.monotonic() + _LAST_SECONDS
            self._changed.notify_all()
            thread = self._thread
        if thread is None:
            return
        thread.join(_LAST_SECONDS)
        # Whatever it still waits for ends now.
        self._queue.close()
        thread.join()

    def _is_open(self) -> bool:
        return self._shut or len(self._held) + len(self._settled) < self._most

    def _start(self) -> None:
        self._changed.notify_all()
        if self._thread is None and self._until is None and (self._held or self._settled):
            self._thread = threading.Thread(target=self._work, name="cloudsync-sqs", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        pause = 0.0
        while (task := self._next(pause)) is not None:
            request, receipts, again = task
            try:
                failed = request(receipts)
            except BackendError as error:
                if self._until is not None:
                    return
                pause = min(max(pause * 2, _FIRST_PAUSE), _LONGEST_PAUSE)
                if error.disposition is Disposition.RETRY:
                    again(receipts)
                else:
                    self._refused(error)
            else:
                pause = _FIRST_PAUSE if failed else 0.0
                again(failed)
            with self._changed:
                self._changed.notify_all()

    def _next(
        self, pause: float
    ) -> tuple[Callable[[Sequence[str]], list[str]], list[str], Callable[[Sequence[str]], None]] | None:
        """Wait until there is something to do, and return it; `None` when all is done."""
        with self._changed:
            not_before = time.monotonic() + pause
            while True:
                now = time.monotonic()
                if self._until is not None and (now >= self._until or not (self._held or self._settled)):
                    return None
                if now >= not_before or self._until is not None:
                    if self._settled:
                        return self._queue.delete, self._taken(self._settled), self._delete_again
                    if self._until is not None:
                        return self._release, self._taken(self._held), _forget
                    if due := self._due(now):
                        return self._queue.keep, due, self._keep_again
                self._changed.wait(self._rest(now, not_before))

    def _rest(self, now: float, not_before: float) -> float | None:
        """Return the seconds until there may be something to do; `None` where only somebody else can say."""
        if self._settled:
            return max(0.0, not_before - now)
        if not self._held:
            return None
        return max(0.0, max(not_before, next(iter(self._held.values()))) - now)

    def _due(self, now: float) -> list[str]:
        found: list[str] = []
        for receipt, due in self._held.items():
            if due > now or len(found) == AT_ONCE:
                break
            found.append(receipt)
        for receipt in found:
            # To the end of the order.
            del self._held[receipt]
            self._held[receipt] = now + self._every
        return found

    def _release(self, receipts: Sequence[str]) -> list[str]:
        return self._queue.keep(receipts, release=True)

    def _delete_again(self, receipts: Sequence[str]) -> None:
        with self._changed:
            self._settled.update(dict.fromkeys(receipts))

    def _keep_again(self, receipts: Sequence[str]) -> None:
        """Try at once what the server could not do: the order stays, because these are due before all others."""
        with self._changed:
            again = {receipt: 0.0 for receipt in receipts if receipt in self._held}
            self._held = {**again, **{receipt: due for receipt, due in self._held.items() if receipt not in again}}

    def _refused(self, error: BackendError) -> None:
        """Give up what will not succeed: what was not deleted, or not kept from others, comes again."""
        # Of a queue that is gone, whoever receives from it tells.
        if not self._complained and not isinstance(error, ContainerNotFoundError):
            self._complained = True
            _LOG.warning("%s\n  The messages come again, and what they tell of is looked at again.", error)

    @staticmethod
    def _taken(receipts: dict[str, None] | dict[str, float]) -> list[str]:
        found = list(receipts)[:AT_ONCE]
        for receipt in found:
            del receipts[receipt]
        return found


def _forget(receipts: Sequence[str]) -> None:
    """Leave to the queue what could not be released: it comes again when its time is over."""
    del receipts
