"""How far a run has come, shown while it goes on: bars on a terminal, lines in a log, events for a program."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import os
import sys
import threading
from collections.abc import Callable, Iterator

from cloudsync_core.cli.console import Console
from cloudsync_core.cli.formats import clock, number, size
from cloudsync_core.cli.interrupts import interruptible
from cloudsync_core.cli.meter import Meter, Reading
from cloudsync_core.config.terminal import is_dumb
from cloudsync_core.engine.executor import Stop
from cloudsync_core.engine.progress import Progress

LINE_SECONDS = 10.0
"""Between two lines in a log, and between two events."""

STOPPING = "stopping: what is under way ends first; press Ctrl-C again to abort"


@contextlib.contextmanager
def shown(console: Console, job: str, progress: Progress, stop: Stop) -> Iterator[None]:
    """Show a run for the length of the block, and let the user interrupt it.

    Args:
        console: where and how much.
        job: the job's name.
        progress: the run's numbers.
        stop: ends the run.
    """
    console.on_lost = stop.interrupt
    try:
        if console.json:
            with interruptible(stop, say_stopping), _every(LINE_SECONDS, _event_printer(console, job, progress)):
                yield
        elif console.quiet:
            with interruptible(stop, lambda: None):
                yield
        elif sys.stderr.isatty() and not is_dumb():
            # Imported here: rich takes 50 ms to import, and only terminals need it.
            bars = importlib.import_module("cloudsync_core.cli.bars")
            with interruptible(stop, lambda: None), bars.bars(job, Meter(progress), stop):
                yield
        else:
            with interruptible(stop, say_stopping), _every(LINE_SECONDS, _line_printer(console, job, progress)):
                yield
    finally:
        console.on_lost = None


@contextlib.contextmanager
def told(console: Console, job: str, progress: Progress) -> Iterator[None]:
    """Tell of a run beside others for the length of the block, in lines or events: bars would be written over."""
    if console.json:
        with _every(LINE_SECONDS, _event_printer(console, job, progress)):
            yield
    elif console.quiet:
        yield
    else:
        with _every(LINE_SECONDS, _line_printer(console, job, progress)):
            yield


def say_stopping() -> None:
    """Say that what is under way ends first; may be called from a signal handler."""
    # Straight to the system: a signal handler must not wait for the lock of a stream that it interrupted.
    with contextlib.suppress(OSError):
        os.write(2, f"{STOPPING}\n".encode())


def line(job: str, reading: Reading) -> str:
    """Return the progress of a run on one line."""
    parts = []
    if not reading.plan_is_complete:
        parts.append(f"{number(reading.source_listed)} on the source, {number(reading.target_listed)} on the target")
    if reading.planned_objects:
        parts.append(f"{amounts(reading)}, {size(reading.bytes_per_second)}/s")
    if reading.seconds_left is not None:
        parts.append(f"{clock(reading.seconds_left)} left")
    return f"{job}: {reading.activity}: {', '.join(parts)}" if parts else f"{job}: {reading.activity}"


def amounts(reading: Reading) -> str:
    """Return what is done, and of how much when that is known."""
    objects, moved = number(reading.done_objects), size(reading.done_bytes)
    if not reading.plan_is_complete:
        return f"{objects} objects done, {moved}"
    return f"{objects} of {number(reading.planned_objects)} objects, {moved} of {size(reading.planned_bytes)}"


def _line_printer(console: Console, job: str, progress: Progress) -> Callable[[], None]:
    meter = Meter(progress)
    return lambda: console.note(line(job, meter.read()))


def _event_printer(console: Console, job: str, progress: Progress) -> Callable[[], None]:
    meter = Meter(progress)
    return lambda: console.event("progress", {"job": job, **dataclasses.asdict(meter.read())})


@contextlib.contextmanager
def _every(seconds: float, show: Callable[[], None]) -> Iterator[None]:
    """Call `show` again and again in a thread, for the length of the block."""
    over = threading.Event()

    def repeat() -> None:
        while not over.wait(seconds):
            show()

    thread = threading.Thread(target=repeat, name="cloudsync-display", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
