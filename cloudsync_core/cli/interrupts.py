"""Ctrl-C and SIGTERM during a run: the first ends it in order, the second at once; and SIGHUP, which ends nothing."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import sys
import threading
from collections.abc import Callable, Iterator

from cloudsync_core.engine.executor import Stop

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM raise `KeyboardInterrupt`, as Ctrl-C does, for the length of the block; unless it is ignored."""
    before = signal.getsignal(signal.SIGTERM)
    if before is signal.SIG_IGN or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def hangups(heard: Callable[[], None]) -> Iterator[None]:
    """Take SIGHUP, for the length of the block, unless it is ignored, or means that the user's terminal has gone away.

    Args:
        heard: called from the signal handler; it must not wait for anything.
    """
    before = signal.getsignal(signal.SIGHUP)
    main = threading.current_thread() is threading.main_thread()
    if before is signal.SIG_IGN or not main or sys.stderr.isatty():
        yield
        return
    signal.signal(signal.SIGHUP, lambda *_: heard())
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


@dataclasses.dataclass(slots=True)
class Interruption:
    """What has interrupted a run.

    Attributes:
        signal: the first one; `None` as long as there was none.
    """

    signal: int | None = None


@contextlib.contextmanager
def interruptible(stop: Stop, announce: Callable[[], None]) -> Iterator[Interruption]:
    """Let the user end a run, for the length of the block.

    The first signal stops the run, which then ends by itself with a truthful report; the second raises
    `KeyboardInterrupt`. A signal that was ignored when the program started (`nohup`, a job in the background) stays so.
    The block is given what tells which signal it was.

    Args:
        stop: of the run.
        announce: called from the signal handler at the first signal; it must not wait for anything.
    """

    def first(number: int) -> None:
        del number
        stop.interrupt()
        announce()

    with signals(first) as found:
        yield found


@contextlib.contextmanager
def signals(first: Callable[[int], None]) -> Iterator[Interruption]:
    """Take the signals that end a run, for the length of the block, in the main thread; see `interruptible`.

    Args:
        first: called from the signal handler with the first signal; it must not wait for anything.
    """
    found = Interruption()

    def handle(number: int, frame: object) -> None:
        del frame
        if found.signal is not None:
            # The third one ends the process, in case even the second has to wait for something.
            signal.signal(number, signal.SIG_DFL)
            raise KeyboardInterrupt
        found.signal = number
        first(number)

    if threading.current_thread() is not threading.main_thread():
        yield found
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    handled = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
    for number in handled:
        signal.signal(number, handle)
    try:
        yield found
    finally:
        for number in handled:
            signal.signal(number, before[number])
