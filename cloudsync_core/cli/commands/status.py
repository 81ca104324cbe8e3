"""`cloudsync status`."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

import click

from cloudsync_core.cli.command import Command
from cloudsync_core.cli.console import Console
from cloudsync_core.cli.formats import moment, number, seconds, size
from cloudsync_core.cli.jobs import select
from cloudsync_core.cli.lasting import Lasting, lasting_jobs
from cloudsync_core.cli.summary import COUNTS, table
from cloudsync_core.config.jobs.subscribe import SubscribeJob
from cloudsync_core.config.loader import load
from cloudsync_core.config.model import Job
from cloudsync_core.engine.state import PastRun, State
from cloudsync_core.errors import ConfigError, printable

_FOLLOWED_EVERY: Final = 1.0
"""Seconds."""


@click.command(cls=Command)
@click.argument("config", required=False, type=click.Path(path_type=Path))
@click.option("--state", type=click.Path(path_type=Path), metavar="PATH", help="A state database, instead of CONFIG.")
@click.option("--job", "names", multiple=True, metavar="NAME", help="Only this job. Repeatable.")
@click.option("--limit", type=click.IntRange(min=1), default=5, show_default=True, help="Runs shown of each job.")
@click.option("--follow", is_flag=True, help="Show it again whenever it has changed, until Ctrl-C.")
def status(
    console: Console, config: Path | None, state: Path | None, names: tuple[str, ...], *, limit: int, follow: bool
) -> None:
    """Show the last runs of each job.

    They come from the state database, which remembers the last 100 runs of a job. A run that is 'unfinished' is under
    way, or was killed. Of jobs that go on until they are stopped, it shows how they are, too.
    """
    path, jobs = _place(config, state, names)
    shown = _remembered(path, jobs, limit)
    _show(console, path, shown)
    while follow:
        time.sleep(_FOLLOWED_EVERY)
        if (now := _remembered(path, jobs, limit)) != shown:
            shown = now
            if sys.stdout.isatty() and not console.json:
                click.clear()
            _show(console, path, shown)


@dataclasses.dataclass(frozen=True, slots=True)
class _Remembered:
    """What a state database says of some jobs."""

    runs: list[PastRun]
    lasting: list[Lasting]


def _remembered(path: Path, jobs: Mapping[str, str], limit: int) -> _Remembered:
    with State(path, read_only=True) as database:
        runs = [run for job in jobs or _known(database) for run in database.runs(job, limit=limit)]
        return _Remembered(runs, lasting_jobs(database, jobs))


def _show(console: Console, path: Path, shown: _Remembered) -> None:
    runs = shown.runs
    for run in runs:
        console.event("run", dataclasses.asdict(run))
    for one in shown.lasting:
        if one.watches:
            console.event("watch", one.values)
        else:
            console.event("subscription", one.values)
    console.event("report", {"state": str(path), "runs": len(runs), "exit_code": 0})
    if runs:
        for line in table([("job", "started", "status", *COUNTS, "bytes", "time"), *map(_row, runs)], names=3):
            console.result(line)
    else:
        console.result(f"no runs yet in {printable(str(path))}")
    for message in _messages(runs):
        console.result(message)
    for one in shown.lasting:
        console.result(one.line)


def _place(config: Path | None, state: Path | None, names: tuple[str, ...]) -> tuple[Path, Mapping[str, str]]:
    """Return the database, and the jobs that are wanted, each with its subscriber's name; none means all there are."""
    if (config is None) == (state is None):
        raise ConfigError("name a configuration file, or a state database by --state")
    if config is not None:
        loaded = load(config)
        return loaded.state_path, {name: _subscriber(name, job) for name, job in select(loaded, names).items()}
    assert state is not None
    if not state.exists():
        raise ConfigError(f"{printable(str(state))}: no such file")
    return state, {name: name for name in names}


def _subscriber(name: str, job: Job) -> str:
    return (job.name or name) if isinstance(job, SubscribeJob) else name


def _known(database: State) -> list[str]:
    return sorted({run.job for run in database.runs(limit=1_000_000)})


def _row(run: PastRun) -> tuple[str, ...]:
    start = (run.job, moment(run.started), run.status or "unfinished")
    if run.report is None:
        return (*start, *("-" for _ in COUNTS), "-", "-")
    counts = (number(run.report["counts"][name]) for name in COUNTS)
    return (*start, *counts, size(run.report["bytes_transferred"]), seconds(run.report["seconds"]))


def _messages(runs: Iterable[PastRun]) -> Iterator[str]:
    """Yield what the newest run of each job says of itself."""
    seen = set()
    for run in runs:
        if run.job not in seen and run.report is not None and run.report["message"] is not None:
            yield f"{run.job}: {run.report['message']}"
        seen.add(run.job)
