"""The bars that a terminal shows while a run goes on; the only module that imports rich."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from cloudsync_core.cli.formats import clock, number, size
from cloudsync_core.cli.meter import Meter, Reading
from cloudsync_core.engine.executor import Stop

REFRESHES_PER_SECOND = 5


@contextlib.contextmanager
def bars(job: str, meter: Meter, stop: Stop) -> Iterator[None]:
    """Show the bars of a run for the length of the block; what is printed meanwhile appears above them.

    Args:
        job: the job's name.
        meter: reads the run's numbers.
        stop: tells whether the user has interrupted the run.
    """
    live = Live(
        console=Console(stderr=True),
        get_renderable=lambda: draw(job, meter.read(), stopping=stop.interrupted),
        refresh_per_second=REFRESHES_PER_SECOND,
        transient=True,
        redirect_stdout=sys.stdout.isatty(),
        redirect_stderr=True,
    )
    with live:
        yield


def draw(job: str, reading: Reading, *, stopping: bool) -> RenderableType:
    """Return what a terminal shows of a reading."""
    heading = Text(f"{job}: ", style="bold")
    heading.append("stopping; Ctrl-C again aborts" if stopping else reading.activity, "yellow" if stopping else "")
    if not reading.plan_is_complete:
        listed = f"  {number(reading.source_listed)} on the source, {number(reading.target_listed)} on the target"
        heading.append(listed, style="not bold")
    left = "" if reading.seconds_left is None else f"  {clock(reading.seconds_left)} left"
    whole = reading.plan_is_complete
    table = Table.grid(padding=(0, 1))
    table.add_row(
        _bar(reading.done_objects, reading.planned_objects, known=whole),
        "objects",
        f"{number(reading.done_objects)} of {number(reading.planned_objects)}"
        if whole
        else number(reading.done_objects),
    )
    table.add_row(
        _bar(reading.done_bytes, reading.planned_bytes, known=whole),
        "bytes",
        f"{size(reading.done_bytes)} of {size(reading.planned_bytes)}" if whole else size(reading.done_bytes),
        f"{size(reading.bytes_per_second)}/s{left}",
    )
    return Group(heading, table)


def _bar(done: int, planned: int, *, known: bool) -> ProgressBar:
    if not known:
        return ProgressBar(total=None, width=30)
    # Bytes of failed attempts count as done, so there may be more of them than planned.
    return ProgressBar(total=max(planned, 1), completed=min(done, planned), width=30)
