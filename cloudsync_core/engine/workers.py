"""Worker threads between a queue of work and a queue of what became of it.

Waking a thread costs more than the bookkeeping of a small object, and threads that wake one another for every one fight
for the interpreter. So the caller's thread fills a queue that lasts for a while, sleeps, and then takes all that has
been done; a worker wakes it early only when the queue runs low.
"""

from __future__ import annotations

import collections
import contextlib
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Generic, Self, TypeVar

from cloudsync_core.engine.concurrency import Concurrency
from cloudsync_core.errors import CancelledError
from cloudsync_core.runs import Action, Outcome

Work = TypeVar("Work", Action, Sequence[Action])

AHEAD = 512
"""Actions that wait for a worker at most, and batches until they hold as many: a few times what is done in `NAP`."""

NAP = 0.02
"""Seconds that outcomes wait at most, unless the work itself makes the caller's thread wait."""


class Workers(Generic[Work]):
    """The threads that perform the work of one caller, and end with the block; its thread alone calls the methods.

    Attributes:
        in_hand: items submitted whose end has not been taken yet.
        failure: the first error that `perform` raised.

    Args:
        perform: see `execute`; likewise `concurrency` and `stop`.
        concurrency: see above.
        stop: see above.
    """

    def __init__(
        self, perform: Callable[[Work], Sequence[Outcome]], concurrency: Concurrency, stop: threading.Event
    ) -> None:
        self._perform: Callable[[Work], Sequence[Outcome]] = perform
        self._concurrency = concurrency
        self._stop = stop
        # Appending to either and taking from it is atomic, so that no lock stands between the threads.
        self._todo: collections.deque[Work] = collections.deque()
        self._done: collections.deque[Sequence[Outcome] | BaseException] = collections.deque()
        self._room = AHEAD
        self._low = 0
        self._threads: list[threading.Thread] = []
        self._running = self._idle = self._starved = self._finished = 0
        self._possible = sys.maxsize
        self._work_came = threading.Condition()
        self._ended = False
        self._asleep = False
        self._wake = threading.Event()
        self.in_hand = 0
        self.failure: BaseException | None = None

    def wants_more(self) -> bool:
        """Tell whether the queue has room."""
        return len(self._todo) < self._room

    def submit(self, item: Work) -> None:
        """Queue an item."""
        # Batches are of one length, but for the last.
        self._room = max(1, AHEAD // _actions_in(item))
        self.in_hand += 1
        self._todo.append(item)
        if self._idle:
            with self._work_came:
                self._work_came.notify()
        self._start_threads()

    def finished(self) -> Iterator[Outcome]:
        """Yield the outcomes of everything that has ended so far."""
        while self._done:
            result = self._done.popleft()
            self.in_hand -= 1
            if isinstance(result, CancelledError):
                continue
            if isinstance(result, BaseException):
                self.failure = self.failure or result
                self._stop.set()
                continue
            self._finished += len(result)
            yield from result
        self._concurrency.look(self._finished, self._starved)
        self._start_threads()

    def drop_waiting(self) -> None:
        """Forget what has not been begun."""
        with contextlib.suppress(IndexError):
            while True:
                self._todo.popleft()
                self.in_hand -= 1

    def sleep(self, *, until_low: bool) -> None:
        """Sleep until there is reason to look again.

        Args:
            until_low: there is more work, so the queue must not become empty; otherwise, until it has.
        """
        self._low = self._room // 4 if until_low else 0
        self._asleep = True
        # Looked at last, because those who came before it was said have not woken anybody.
        if len(self._todo) > self._low or not (self._done or until_low):
            self._wake.wait(NAP)
        self._asleep = False
        self._wake.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._stop.set()
        self.drop_waiting()
        with self._work_came:
            self._ended = True
            self._work_came.notify_all()
        for thread in self._threads:
            thread.join()

    def _start_threads(self) -> None:
        while self._running < min(self._concurrency.width, self._possible) and len(self._todo) > self._idle:
            if len(self._threads) > 2 * self._running:
                self._threads = [thread for thread in self._threads if thread.is_alive()]
            thread = threading.Thread(target=self._work, name="cloudsync-work", daemon=True)
            with self._work_came:
                self._running += 1
            try:
                thread.start()
            except RuntimeError:
                # The system allows no more of them (containers limit processes): those that there are do the work.
                with self._work_came:
                    self._running -= 1
                    self._possible = self._running
                if not self._possible:
                    raise
                return
            self._threads.append(thread)

    def _work(self) -> None:
        while (item := self._take()) is not None:
            if self._stop.is_set():
                self._done.append(CancelledError("interrupted"))
                continue
            try:
                self._done.append(self._perform(item))
            except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits for it
                self._done.append(error)
            if self._running > self._concurrency.width and self._retire():
                return

    def _take(self) -> Work | None:
        """Return an item, waiting for it, or `None` when there will be none."""
        try:
            item = self._todo.popleft()
        except IndexError:
            return self._wait_for_work()
        if self._asleep and len(self._todo) <= self._low:
            self._wake_caller()
        return item

    def _wait_for_work(self) -> Work | None:
        with self._work_came:
            # Counted before looking once more: who submits looks the other way round, so one of both sees the other.
            self._idle += 1
            self._starved += 1
            try:
                while True:
                    with contextlib.suppress(IndexError):
                        return self._todo.popleft()
                    if self._ended:
                        return None
                    if self._asleep:
                        self._wake_caller()
                    self._work_came.wait()
            finally:
                self._idle -= 1

    def _retire(self) -> bool:
        """Leave, if there still are more threads than there should be."""
        with self._work_came:
            if self._running <= self._concurrency.width:
                return False
            self._running -= 1
            return True

    def _wake_caller(self) -> None:
        # Said first, so that the others need not do it, too.
        self._asleep = False
        self._wake.set()


def _actions_in(item: Action | Sequence[Action]) -> int:
    return 1 if isinstance(item, Action) else max(1, len(item))
