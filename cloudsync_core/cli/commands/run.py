"""`cloudsync run`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cloudsync_core.cli.command import Command
from cloudsync_core.cli.console import Console
from cloudsync_core.cli.jobs import jobs_of, select
from cloudsync_core.cli.logfile import logged
from cloudsync_core.cli.together import run_together
from cloudsync_core.config.loaded import LoadedConfig
from cloudsync_core.config.loader import load

if TYPE_CHECKING:
    from cloudsync_core.config.model import Job


@click.command(cls=Command)
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--job", "names", multiple=True, metavar="NAME", help="Run only this job. Repeatable.")
@click.option("--dry-run", is_flag=True, help="Show what would be done, and change nothing.")
@click.option("--once", is_flag=True, help="Let jobs that would go on do what there is to do now, and end.")
@logged
def run(console: Console, config: Path, names: tuple[str, ...], *, dry_run: bool, once: bool) -> int:
    """Run the jobs of a configuration file.

    They run one after another in the order of the file. Jobs that go on until they are stopped (those that watch, and
    those that publish with 'follow') all run beside them from the start, until SIGTERM or Ctrl-C. A job that fails does
    not keep the others from running; the exit code is that of the most serious end.

    SIGHUP reads the file again: jobs that go on are ended, started or started anew where it has changed.
    """

    def read() -> tuple[LoadedConfig, dict[str, Job]]:
        loaded = load(config)
        return loaded, select(loaded, names)

    loaded, selected = read()
    with jobs_of(console, loaded, dry_run=dry_run) as jobs:
        jobs.once = once
        run_together(jobs, selected, read)
    return jobs.exit_code
