"""`cloudsync check`."""

from __future__ import annotations

from typing import Any

import click

from cloudsync_core.cli import options
from cloudsync_core.cli.command import Command
from cloudsync_core.cli.console import Console
from cloudsync_core.cli.display import shown
from cloudsync_core.cli.formats import number
from cloudsync_core.cli.jobs import jobs_without_file
from cloudsync_core.config.jobs.mirror import MirrorJob
from cloudsync_core.workflows import check as workflow


@click.command(cls=Command)
@options.locations
@click.option("--download", is_flag=True, help="Read and compare the content itself, whatever the stores say of it.")
@options.rules((*options.FILTERS, "transfers", "tpslimit", "retries"))
def check(
    console: Console,
    source: str,
    target: str,
    source_options: tuple[str, ...],
    target_options: tuple[str, ...],
    *,
    download: bool,
    **given: Any,
) -> int:
    """Compare two locations by content, and change nothing.

    Each line is a difference: ~ differs, + only on SOURCE, - only on TARGET, ? cannot be told. The exit code is 1 when
    there is any.
    """
    job = options.job_of(source, target, source_options, target_options, given, model=MirrorJob)
    with jobs_without_file(console, None, dry_run=True) as jobs:
        context = jobs.context("check", job)
        with shown(console, "check", context.progress, context.stop):
            report = workflow.check(job, context, download=download)
    if report.error is not None:
        console.trouble(f"error: {report.error}", {"fg": "red"})
    _print(console, report)
    console.event("report", report.to_dict())
    return report.exit_code


def _print(console: Console, report: workflow.CheckReport) -> None:
    if console.quiet:
        return
    counts = {
        "same": report.same,
        "differ": report.differ,
        "only on source": report.only_on_source,
        "only on target": report.only_on_target,
        "unknown": report.unknown,
        "skipped": report.skipped,
    }
    console.result(", ".join(f"{number(count)} {name}" for name, count in counts.items()))
