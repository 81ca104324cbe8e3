"""A bounded pool of threads that performs work and hands back what happened, as it happens."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Generic, Self, TypeVar

from cloudsync_core.errors import CancelledError
from cloudsync_core.runs import Action, Outcome

Work = TypeVar("Work", Action, Sequence[Action])


class Stop(threading.Event):
    """Ends one run early: no new operation starts, and those under way end as soon as they can.

    Attributes:
        interrupted: the user asked for it; otherwise the run stops itself.
    """

    def __init__(self) -> None:
        super().__init__()
        self.interrupted = False

    def interrupt(self) -> None:
        """End the run on behalf of the user; may be called from a signal handler."""
        self.interrupted = True
        self.set()


def execute(
    work: Iterable[Work],
    perform: Callable[[Work], Sequence[Outcome]],
    *,
    workers: int,
    stop: threading.Event,
) -> Iterator[Outcome]:
    """Yield the outcomes of all work, in the order in which it finishes.

    `work` is pulled in the caller's thread and never more than twice the number of workers ahead, so memory is bounded
    and the source of the work may be slow. When `stop` is set, no more work is pulled and what is in hand ends first.

    Args:
        work: an action, or a batch of them, an item.
        perform: does one item, in a worker thread. What it ends by `CancelledError` was not done and has no outcome.
        workers: threads.
        stop: see above.

    Raises:
        Exception: what `work` or `perform` raised, other than `CancelledError` of the latter; everything in hand has
            ended by then, and the outcomes of what ended well have been yielded before an error of `work`.
    """
    items = iter(work)
    failure: Exception | None = None
    with _Pool(perform, workers, stop) as pool:
        while not stop.is_set():
            try:
                pool.submit(next(items))
            except StopIteration:
                break
            except Exception as error:  # noqa: BLE001 - raised when what is in hand has ended
                failure = error
                break
            # Take what is finished; wait only while enough is under way.
            while pool.in_hand >= 2 * workers or pool.has_finished():
                yield from pool.next_finished()
        while pool.in_hand:
            yield from pool.next_finished()
    if failure is not None:
        raise failure


class _Pool(Generic[Work]):
    """Worker threads with a queue of work and a queue of results; used from one thread."""

    def __init__(self, perform: Callable[[Work], Sequence[Outcome]], workers: int, stop: threading.Event) -> None:
        self._perform: Callable[[Work], Sequence[Outcome]] = perform
        self._stop = stop
        self._todo: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[Sequence[Outcome] | BaseException] = queue.SimpleQueue()
        self._abandoned = False
        self.in_hand = 0
        self._threads = [
            threading.Thread(target=self._work, name=f"cloudsync-work-{number}", daemon=True)
            for number in range(workers)
        ]

    def submit(self, item: Work) -> None:
        self.in_hand += 1
        self._todo.put(item)

    def has_finished(self) -> bool:
        return not self._done.empty()

    def next_finished(self) -> Sequence[Outcome]:
        """Wait for some item to end, and return its outcomes or raise what it raised."""
        result = self._done.get()
        self.in_hand -= 1
        if isinstance(result, CancelledError):
            return ()
        if isinstance(result, BaseException):
            raise result
        return result

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._abandoned = True
        if error is not None:
            self._stop.set()
        for _ in self._threads:
            self._todo.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while (item := self._todo.get()) is not None:
            if self._abandoned or self._stop.is_set():
                self._done.put(CancelledError("interrupted"))
                continue
            try:
                self._done.put(self._perform(item))
            except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits for it
                self._done.put(error)
