"""`cloudsync run`."""

from __future__ import annotations

from pathlib import Path

import click

from cloudsync_core.cli.command import Command
from cloudsync_core.cli.console import Console
from cloudsync_core.cli.jobs import jobs_of, select
from cloudsync_core.config.loader import load
from cloudsync_core.workflows.mirror import mirror


@click.command(cls=Command)
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--job", "names", multiple=True, metavar="NAME", help="Run only this job. Repeatable.")
@click.option("--dry-run", is_flag=True, help="Show what would be done, and change nothing.")
@click.option("--once", is_flag=True, help="Run each job once; a mirror job always is.")
def run(console: Console, config: Path, names: tuple[str, ...], *, dry_run: bool, once: bool) -> int:
    """Run the jobs of a configuration file.

    They run one after another in the order of the file. A job that fails does not keep the next ones from running; the
    exit code is that of the most serious end.
    """
    del once
    loaded = load(config)
    selected = select(loaded, names)
    with jobs_of(console, loaded, dry_run=dry_run) as jobs:
        jobs.run_all(selected, mirror)
    return jobs.exit_code
