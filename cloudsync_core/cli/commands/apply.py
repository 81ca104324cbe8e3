"""`cloudsync apply`."""

from __future__ import annotations

from pathlib import Path

import click

from cloudsync_core.cli.command import Command
from cloudsync_core.cli.console import Console
from cloudsync_core.cli.jobs import Workflow, jobs_of
from cloudsync_core.config.loader import load
from cloudsync_core.config.model import Job
from cloudsync_core.engine.planfile import PlanSection, read_plan
from cloudsync_core.errors import PlanFileError
from cloudsync_core.runs import RunReport
from cloudsync_core.workflows import apply as workflow
from cloudsync_core.workflows.context import Context


@click.command(cls=Command)
@click.argument("plan", type=click.Path(path_type=Path))
def apply(console: Console, plan: Path) -> int:
    """Perform a plan that was saved by 'cloudsync plan -o'.

    The configuration that it was made from is read again. Each action is done only if its object is still as it was
    on both sides; one that is not fails, and deletes are then held back.
    """
    # The whole file is read before anything is done: a damaged plan does nothing.
    headers = [section.header for section in read_plan(plan)]
    if len({header.config for header in headers}) != 1:
        raise PlanFileError(f"{plan}: the plan is for several configurations")
    loaded = load(Path(headers[0].config))
    defined = loaded.jobs([header.job for header in headers])
    with jobs_of(console, loaded, dry_run=False) as jobs:
        for section in read_plan(plan):
            name = section.header.job
            jobs.run(name, defined[name], _performing(section))
            if jobs.interrupted:
                break
    return jobs.exit_code


def _performing(section: PlanSection) -> Workflow:
    def perform(name: str, job: Job, context: Context) -> RunReport:
        return workflow.apply(name, job, section, context)

    return perform
