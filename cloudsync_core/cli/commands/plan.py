"""`cloudsync plan`."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

import click

from cloudsync_core.cli.command import Command
from cloudsync_core.cli.console import Console
from cloudsync_core.cli.jobs import Jobs, jobs_of, select
from cloudsync_core.config.jobs.mirror import MirrorJob
from cloudsync_core.config.loader import load
from cloudsync_core.config.model import Job
from cloudsync_core.engine.events import ActionPlanned, Event, RunFinished, RunStarted
from cloudsync_core.engine.planfile import PlanWriter
from cloudsync_core.errors import ConfigError, printable
from cloudsync_core.workflows.apply import rules_of
from cloudsync_core.workflows.table import kind, run_job


@click.command(cls=Command)
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--job", "names", multiple=True, metavar="NAME", help="Plan only this job. Repeatable.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Save the plan, for 'cloudsync apply'. Nothing is saved when a job cannot be planned, or would be refused.",
)
def plan(console: Console, config: Path, names: tuple[str, ...], *, output: Path | None) -> int:
    """Show what the jobs of a configuration file would do, and why.

    Nothing is changed. Each line is an action: what it is (+ add, ~ update, - delete), the bytes that it moves, the
    reason, and the key.
    """
    loaded = load(config)
    selected = select(loaded, names)
    if output is not None:
        _check(selected)
    with jobs_of(console, loaded, dry_run=True) as jobs:
        if output is None:
            jobs.run_all(selected, run_job)
        else:
            _save(jobs, selected, config, output)
    if output is not None:
        _tell(jobs, selected, printable(str(output)))
    return jobs.exit_code


def _check(selected: Mapping[str, Job]) -> None:
    for name, job in selected.items():
        if not isinstance(job, MirrorJob):
            raise ConfigError(
                f"job {name} is a {kind(job)}: only plans of mirror jobs can be saved, and performed later",
                hint="Name the jobs that are to be planned by --job.",
            )


def _tell(jobs: Jobs, selected: Mapping[str, Job], output: str) -> None:
    if _fit(jobs, selected):
        jobs.console.note(f"saved to {output}; to perform it: cloudsync apply {output}")
    else:
        jobs.console.trouble(f"no plan was saved to {output}: not every job can be planned")


def _fit(jobs: Jobs, selected: Mapping[str, Job]) -> bool:
    """Tell whether there is a plan of every job, and none that would be refused."""
    return [report.run.job for report in jobs.reports if report.error is None] == list(selected)


class _UnfitError(Exception):
    """The plan of some job is nothing to apply."""


def _save(jobs: Jobs, selected: Mapping[str, Job], config: Path, output: Path) -> None:
    with contextlib.suppress(_UnfitError), PlanWriter(output) as writer:

        def save(event: Event) -> None:
            match event:
                case RunStarted(run):
                    writer.begin(run, config=config, rules=rules_of(selected[run.job]))
                case ActionPlanned(action):
                    writer.action(action)
                case RunFinished(report):
                    writer.end(report)

        jobs.run_all(selected, run_job, save)
        if not _fit(jobs, selected):
            raise _UnfitError
