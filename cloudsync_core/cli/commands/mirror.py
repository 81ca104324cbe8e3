"""`cloudsync mirror`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cloudsync_core.cli import options
from cloudsync_core.cli.command import Command
from cloudsync_core.cli.console import Console
from cloudsync_core.cli.jobs import jobs_without_file
from cloudsync_core.config.environment import default_state_path
from cloudsync_core.config.jobs.mirror import MirrorJob
from cloudsync_core.workflows import mirror as workflow

NAME = "mirror"
"""What reports call the job."""


@click.command(cls=Command)
@options.locations
@options.rules(options.RULES)
@click.option(
    "--backup-option",
    "backup_options",
    multiple=True,
    metavar="NAME=VALUE",
    help="An option of the backup's backend, likewise. Repeatable.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be done, and change nothing.")
@click.option(
    "--state",
    metavar="PATH|none",
    help="The file that remembers what the sides were when last known equal; 'none' remembers nothing. "
    "[default: one in the user's state directory, chosen by both locations]",
)
def mirror(
    console: Console,
    source: str,
    target: str,
    source_options: tuple[str, ...],
    target_options: tuple[str, ...],
    *,
    backup_options: tuple[str, ...],
    dry_run: bool,
    state: str | None,
    **given: Any,
) -> int:
    """Make TARGET equal to SOURCE, without a configuration file.

    Each is a URL (scheme://container/prefix) or a path. What only TARGET has is deleted with --delete, and else kept.
    """
    job = options.job_of(
        source, target, source_options, target_options, given, backup_options=backup_options, model=MirrorJob
    )
    with jobs_without_file(console, _state_path(state, job), dry_run=dry_run) as jobs:
        jobs.run(NAME, job, workflow.mirror)
    return jobs.exit_code


def _state_path(state: str | None, job: MirrorJob) -> Path | None:
    if state is None:
        return default_state_path(job.source.url, job.target.url)
    return None if state == "none" else Path(state)
