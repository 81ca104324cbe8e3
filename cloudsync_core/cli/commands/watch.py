"""`cloudsync watch`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cloudsync_core.cli import options
from cloudsync_core.cli.command import Command
from cloudsync_core.cli.console import Console
from cloudsync_core.cli.hearing import check_hearing
from cloudsync_core.cli.jobs import jobs_without_file
from cloudsync_core.cli.logfile import logged
from cloudsync_core.cli.together import run_together
from cloudsync_core.config.environment import default_state_path
from cloudsync_core.config.jobs.watch import WatchJob
from cloudsync_core.errors import ConfigError

NAME = "watch"
"""What reports call the job."""


@click.command(cls=Command)
@options.locations
@options.rules(options.WATCH_RULES, WatchJob)
@click.option(
    "--backup-option",
    "backup_options",
    multiple=True,
    metavar="NAME=VALUE",
    help="An option of the backup's backend, likewise. Repeatable.",
)
@click.option(
    "--events",
    default="auto",
    metavar="NAME",
    help="What tells of changes: local, poll, or what a plugin brings (see cloudsync plugins list); auto is local for "
    "a directory and poll for anything else. [default: auto]",
)
@click.option(
    "--event-option",
    "event_options",
    multiple=True,
    metavar="NAME=VALUE",
    help="An option of the event source. Repeatable.",
)
@click.option("--once", is_flag=True, help="Catch up, and end.")
@click.option(
    "--check",
    is_flag=True,
    help="Write a probe to SOURCE, wait until it is heard of, remove it, and end. Nothing is written to TARGET.",
)
@click.option(
    "--check-timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    metavar="SECONDS",
    help="How long --check waits. [default: 60]",
)
@click.option(
    "--state",
    metavar="PATH",
    help="The file that remembers what the sides were when last known equal, and what may have changed. "
    "[default: one in the user's state directory, chosen by both locations]",
)
@logged
def watch(
    console: Console,
    source: str,
    target: str,
    source_options: tuple[str, ...],
    target_options: tuple[str, ...],
    *,
    backup_options: tuple[str, ...],
    events: str,
    event_options: tuple[str, ...],
    once: bool,
    check: bool,
    check_timeout: float,
    state: str | None,
    **given: Any,
) -> int:
    """Keep TARGET in step with SOURCE, without a configuration file.

    It goes on until SIGTERM or Ctrl-C. Each is a URL (scheme://container/prefix) or a path. What only TARGET has is
    deleted with --delete, and else kept.
    """
    if not events:
        raise ConfigError("--events: write the name of an event source")
    given["events"] = {"source": events, "options": options.assignments(event_options, "--event-option")}
    job = options.job_of(
        source, target, source_options, target_options, given, backup_options=backup_options, model=WatchJob
    )
    if check:
        return check_hearing(console, job, NAME, timeout=check_timeout)
    path = default_state_path(job.source.url, job.target.url) if state is None else Path(state)
    with jobs_without_file(console, path, dry_run=False) as jobs:
        jobs.once = once
        run_together(jobs, {NAME: job})
    return jobs.exit_code
