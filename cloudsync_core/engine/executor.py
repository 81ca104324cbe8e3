"""Performs work in many threads, and hands back what happened, as it happens."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence

from cloudsync_core.engine.concurrency import Concurrency
from cloudsync_core.engine.life import Life
from cloudsync_core.engine.workers import Work, Workers
from cloudsync_core.runs import Outcome


class Stop(threading.Event):
    """Ends one run early: no new operation starts, and those under way end as soon as they can.

    Attributes:
        interrupted: the user asked for it; otherwise the run stops itself.
        ended: it was asked for as the normal end of a run that would go on for ever.
        life: when the thread that made it last asked whether it is to end, or waited for that.
    """

    def __init__(self) -> None:
        super().__init__()
        self.interrupted = False
        self.ended = False
        self.life = Life()
        self._child: Stop | None = None

    def child(self) -> Stop:
        """Return what ends a part of the run without ending all of it, and ends with it; the last one that was made."""
        child = Stop()
        child.life = self.life
        self._child = child
        if self.is_set():
            self.set()
        return child

    def is_set(self) -> bool:
        """Tell whether the run is to end."""
        self.life.show()
        return super().is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the run is to end, `timeout` seconds at most, and tell whether it is."""
        with self.life.idle():
            return super().wait(timeout)

    def set(self) -> None:
        """End the run; may be called from a signal handler."""
        super().set()
        if self._child is not None:
            self._child.interrupted |= self.interrupted
            self._child.ended |= self.ended
            self._child.set()

    def interrupt(self) -> None:
        """End the run on behalf of the user; may be called from a signal handler."""
        self.interrupted = True
        self.set()

    def end(self) -> None:
        """End a run that would go on for ever, as it is meant to be ended; may be called from a signal handler, too."""
        self.ended = True
        self.set()


def execute(
    work: Iterable[Work],
    perform: Callable[[Work], Sequence[Outcome]],
    *,
    concurrency: Concurrency,
    stop: threading.Event,
) -> Iterator[Outcome]:
    """Yield the outcomes of all work, in the order in which it finishes.

    `work` is pulled in the caller's thread and never more than `workers.AHEAD` actions beyond those that are being
    performed, so memory is bounded and the source of the work may be slow. When `stop` is set, no more work is pulled,
    what waits is dropped, and what is being performed ends first.

    Args:
        work: an action, or a batch of them, an item.
        perform: does one item, in a worker thread. What it ends by `CancelledError` was not done and has no outcome.
        concurrency: how many at once, which it finds out meanwhile; threads are started as they are needed.
        stop: see above; an error of `perform`, or a reader that wants no more, sets it.

    Raises:
        Exception: what `work` or `perform` raised, other than `CancelledError` of the latter; everything in hand has
            ended by then, and the outcomes of what ended well have been yielded.
        RuntimeError: not a single thread can be started.
    """
    items = iter(work)
    failure: BaseException | None = None
    more = True
    with Workers(perform, concurrency, stop) as workers:
        while True:
            while more and not stop.is_set() and workers.wants_more():
                try:
                    item = next(items)
                except StopIteration:
                    more = False
                except Exception as error:  # noqa: BLE001 - raised when what is in hand has ended
                    failure, more = error, False
                else:
                    workers.submit(item)
                yield from workers.finished()
            yield from workers.finished()
            if stop.is_set():
                more = False
                workers.drop_waiting()
            if not more and not workers.in_hand:
                break
            workers.sleep(until_low=more)
    failure = failure or workers.failure
    if failure is not None:
        raise failure
