"""A bounded pool of threads that performs work and hands back what happened, as it happens."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from cloudsync_core.errors import CancelledError
from cloudsync_core.runs import Action, Outcome

Work = TypeVar("Work", Action, Sequence[Action])


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
        perform: does one item, in a worker thread.
        workers: threads.
        stop: see above. What `perform` interrupts by raising `CancelledError` has no outcome: it was not done.

    Raises:
        Exception: what `perform` raised, other than `CancelledError`; everything in hand has ended by then.
    """
    todo: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
    done: queue.SimpleQueue[Sequence[Outcome] | BaseException] = queue.SimpleQueue()
    abandoned = threading.Event()

    def loop() -> None:
        while (item := todo.get()) is not None:
            if abandoned.is_set():
                continue
            try:
                done.put(perform(item))
            except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
                done.put(error)

    threads = [threading.Thread(target=loop, name=f"cloudsync-work-{n}", daemon=True) for n in range(workers)]
    for thread in threads:
        thread.start()
    in_hand = 0
    try:
        for item in work:
            todo.put(item)
            in_hand += 1
            # Take what is finished; wait only while enough is under way.
            while in_hand and (in_hand >= 2 * workers or not done.empty()):
                in_hand -= 1
                yield from _outcomes(done.get())
            if stop.is_set():
                break
        while in_hand:
            in_hand -= 1
            yield from _outcomes(done.get())
    finally:
        abandoned.set()
        for _ in threads:
            todo.put(None)
        for thread in threads:
            thread.join()


def _outcomes(result: Sequence[Outcome] | BaseException) -> Sequence[Outcome]:
    if isinstance(result, CancelledError):
        return ()
    if isinstance(result, BaseException):
        raise result
    return result
