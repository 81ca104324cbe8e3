"""`cloudsync release`: publish trees, make a directory follow them, and look after what was published."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Final

import click

from cloudsync_core.cli import options
from cloudsync_core.cli.command import Command
from cloudsync_core.cli.console import Console
from cloudsync_core.cli.history import COMMANDS
from cloudsync_core.cli.jobs import jobs_without_file
from cloudsync_core.cli.options import location_of
from cloudsync_core.cli.releases import job_of, location_argument, pointer_option, source_location
from cloudsync_core.config.environment import default_state_path
from cloudsync_core.config.jobs.fetch import FetchJob
from cloudsync_core.config.jobs.release import ReleaseJob
from cloudsync_core.engine.events import Event, RunFinished
from cloudsync_core.errors import ConfigError, printable
from cloudsync_core.releases.names import check_id
from cloudsync_core.runs import RunReport
from cloudsync_core.workflows import following, releasing
from cloudsync_core.workflows.context import Context

NAME: Final = "release"
"""What reports call the job."""

_TRANSFERS: Final = ("transfers", "memory", "bwlimit", "tpslimit", "retries")


@click.group()
def release() -> None:
    """Publish trees that readers see as a whole, and go from one to another in one step."""


@release.command(cls=Command)
@click.argument("source", type=click.Path())
@location_argument
@click.option(
    "--source-option",
    "source_options",
    multiple=True,
    metavar="NAME=VALUE",
    help="An option of SOURCE's backend, likewise.",
)
@pointer_option("The pointer that is moved to the new release once all of it is there.")
@click.option(
    "--tree",
    type=click.Choice(["shared", "whole"]),
    default="shared",
    show_default=True,
    help="What becomes of files that an earlier release has: shared refers to them, whole has the provider copy them.",
)
@click.option("--publisher", metavar="NAME", help="Who publishes; by default the name of this machine.")
@click.option("--keep", type=int, metavar="N", help="Prune afterwards, so that N releases are left.")
@options.rules((*options.FILTERS, "verify", *_TRANSFERS, "lease", "wait"))
@click.option("--dry-run", is_flag=True, help="Show what would be sent, and publish nothing.")
@click.option(
    "--state",
    metavar="PATH|none",
    help="The file that remembers digests, so that unchanged files need not be read; 'none' remembers nothing. "
    "[default: one in the user's state directory, chosen by both locations]",
)
def create(
    console: Console,
    source: str,
    location: str,
    *,
    given: tuple[str, ...],
    source_options: tuple[str, ...],
    dry_run: bool,
    state: str | None,
    **rules: Any,
) -> int:
    """Publish what is at SOURCE as a release at LOCATION, and make it live.

    Only what no earlier release has is sent. The pointer moves when everything is there, and not at all when something
    failed; where the same tree is live already, nothing is published.
    """
    places = {"source": source_location(source, source_options), "target": location_of(location, given)}
    job = job_of(ReleaseJob, {"workflow": "publish", "as": "release", **places, **rules})
    path = default_state_path(source, location) if state is None else None if state == "none" else Path(state)
    with jobs_without_file(console, path, dry_run=dry_run) as jobs:
        jobs.run(NAME, job, releasing.release)
    for report in jobs.reports:
        if report.release is not None and not report.exit_code:
            console.note(f"{job.pointer}: {report.release}")
    return jobs.exit_code


@release.command(cls=Command)
@location_argument
@click.argument("directory", type=click.Path())
@pointer_option("The pointer that is followed.")
@click.option("--release", "wanted", metavar="ID", help="Fetch this release, whatever the pointer names.")
@click.option("--keep", type=int, metavar="N", help="How many trees are kept, the live one included. [default: 2]")
@click.option("--check", is_flag=True, help="Read every file that is there, too, and mend what is wrong.")
@click.option("--follow", is_flag=True, help="Go on: fetch each release that the pointer comes to name.")
@click.option(
    "--interval", type=float, metavar="SECONDS", help="Between two looks at the pointer, with --follow. [default: 30]"
)
@options.rules(_TRANSFERS)
def fetch(
    console: Console,
    location: str,
    directory: str,
    *,
    given: tuple[str, ...],
    wanted: str | None,
    check: bool,
    follow: bool,
    **rules: Any,
) -> int:
    """Make DIRECTORY the release that is live at LOCATION.

    DIRECTORY becomes a symbolic link to a tree beside it, and is moved to the next tree in one step when all of it is
    there. Only files that the tree before has not are fetched; each is held to its digest.
    """
    if follow and (wanted is not None or check):
        raise ConfigError("--follow goes with neither --release nor --check")
    if rules["interval"] is not None and not follow:
        raise ConfigError("--interval needs --follow")
    if wanted is not None:
        check_id(wanted)
    places = {"source": {"release": location_of(location, given)}, "target": directory}
    job = job_of(FetchJob, {"workflow": "watch", **places, **rules})

    def run(name: str, job: FetchJob, context: Context) -> RunReport:
        once = dataclasses.replace(context, once=not follow)
        return following.follow(name, job, once, release=wanted, check=check)

    def told(event: Event) -> None:
        if isinstance(event, RunFinished) and event.report.release is not None:
            console.note(f"{printable(directory)}: {event.report.release}")

    with jobs_without_file(console, None, dry_run=False) as jobs:
        jobs.run(NAME, job, run, told)
    return jobs.exit_code


for command in COMMANDS:
    release.add_command(command)
