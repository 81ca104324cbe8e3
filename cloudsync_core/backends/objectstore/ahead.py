"""The ranges of a large object, fetched side by side and handed out in their order."""

from __future__ import annotations

import collections
import functools
import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future

RANGE = 8 * 1024 * 1024
"""Bytes of a range. A connection to a cloud brings some 90 MB in a second, so one takes a tenth of a second."""

RANGES_AHEAD = 3
"""Ranges of one object that are fetched while the bytes before them are used."""

Fetch = Callable[[int, int, threading.Event], list[bytes]]
"""Returns the chunks of the bytes from the first up to but not including the second; gives up at the event."""

Read = Callable[[int, int], Iterable[bytes]]
"""Yields them as they come."""

Begin = Callable[[Callable[[], list[bytes]]], Future[list[bytes]]]
"""Does something in another thread."""


def side_by_side(
    beginning: Iterable[bytes],
    rest: tuple[int, int],
    fetch: Fetch,
    read: Read,
    *,
    begin: Begin,
    memory: threading.Semaphore,
) -> Generator[Iterable[bytes], None, None]:
    """Yield the chunks of one range after the other, while those that follow are on their way.

    Nothing is fetched before the first one is asked for. Where other objects use up the memory there is, ranges are
    read one by one.

    Args:
        beginning: the chunks of what comes first.
        rest: where the ranges after it begin and end.
        fetch: brings a range ahead.
        read: reads one that nothing has fetched.
        begin: lets `fetch` run.
        memory: how many ranges more may be held in it.
    """
    coming: collections.deque[Future[list[bytes]]] = collections.deque()
    left = threading.Event()
    spans = collections.deque((start, min(start + RANGE, rest[1])) for start in range(*rest, RANGE))

    def fill() -> None:
        while spans and len(coming) < RANGES_AHEAD and memory.acquire(blocking=False):
            try:
                coming.append(begin(functools.partial(fetch, *spans.popleft(), left)))
            except BaseException:
                memory.release()
                raise

    try:
        fill()
        yield beginning
        while coming or spans:
            if coming:
                fetching = coming.popleft()
                try:
                    content = fetching.result()
                    fill()
                    yield content
                finally:
                    memory.release()
            else:
                span = spans.popleft()
                fill()
                yield read(*span)
            fill()
    finally:
        left.set()
        for fetching in coming:
            fetching.add_done_callback(lambda _: memory.release())
