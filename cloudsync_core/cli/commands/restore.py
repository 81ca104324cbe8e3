"""`cloudsync restore`."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import click

from cloudsync_core.cli import options
from cloudsync_core.cli.command import Command
from cloudsync_core.cli.console import Console
from cloudsync_core.cli.formats import moment, number, plural, size
from cloudsync_core.cli.jobs import Jobs, select
from cloudsync_core.cli.options import location_of
from cloudsync_core.cli.summary import print_summary, table
from cloudsync_core.config.jobs.mirror import Mirroring, MirrorJob
from cloudsync_core.config.loaded import LoadedConfig
from cloudsync_core.config.loader import load
from cloudsync_core.config.locations import LocationConfig
from cloudsync_core.config.opening import open_location
from cloudsync_core.config.problems import KeyPath
from cloudsync_core.config.secrets import Resolver
from cloudsync_core.engine.filters import Filter
from cloudsync_core.engine.state import State
from cloudsync_core.errors import ConfigError, printable
from cloudsync_core.layers.readonly import ReadOnly
from cloudsync_core.layers.retry import Retry, RetryPolicy
from cloudsync_core.models import Gap
from cloudsync_core.plugins.facade import Plugins
from cloudsync_core.workflows import restore as workflow
from cloudsync_core.workflows.kept import kept_objects, kept_runs

NAME = "restore"
"""What reports call the job."""


@click.command(cls=Command)
@click.argument("place", type=click.Path())
@click.argument("run", required=False)
@click.option("--job", "name", metavar="NAME", help="Of a configuration file: the job whose backup it is.")
@click.option(
    "--option",
    "given",
    multiple=True,
    metavar="NAME=VALUE",
    help="An option of the backend of a location; ${env:NAME} and ${file:path} stand for secrets. Repeatable.",
)
@click.option("--to", "target", type=click.Path(), metavar="TARGET", help="Bring the objects back to this location.")
@click.option(
    "--to-option",
    "target_options",
    multiple=True,
    metavar="NAME=VALUE",
    help="An option of TARGET's backend, likewise.",
)
@click.option("--to-target", is_flag=True, help="Bring the objects back to the target of the job.")
@click.option("--overwrite", is_flag=True, help="Replace other objects that are there now; else they are left alone.")
@options.rules(options.FILTERS)
@click.option("--dry-run", is_flag=True, help="Show what would be brought back, and change nothing.")
def restore(
    console: Console,
    place: str,
    run: str | None,
    *,
    name: str | None,
    given: tuple[str, ...],
    target: str | None,
    target_options: tuple[str, ...],
    to_target: bool,
    overwrite: bool,
    dry_run: bool,
    **filters: tuple[str, ...],
) -> int:
    """List what runs have put aside, and bring it back.

    PLACE is the backup of a job: a location, or a configuration file that names it. Without RUN, its runs are listed;
    with RUN, what that run has put aside; with --to as well, that is brought back. Nothing is ever deleted.
    """
    if run is None and (target or to_target or any(filters.values())):
        raise ConfigError("name the RUN: without it, the runs are listed")
    if target and to_target:
        raise ConfigError("choose one of --to and --to-target")
    if target_options and not target:
        raise ConfigError("--to-option needs --to")
    if (overwrite or dry_run) and not (target or to_target):
        raise ConfigError("--overwrite and --dry-run need --to or --to-target")
    backup = _backup(console, place, name, given)
    if run is None:
        return _list_runs(console, backup)
    if not (target or to_target):
        return _list_objects(console, backup, run, filters)
    if to_target and backup.job is None:
        raise ConfigError("--to-target needs a configuration file: a location does not tell where its objects were")
    where = backup.job.target if backup.job and to_target else _location(target or "", target_options)
    places = {"source": backup.location, "backup": backup.location, "target": where}
    job = options.job_of(place, place, (), (), filters, model=MirrorJob).model_copy(update=places)
    with _jobs(console, backup, dry_run=dry_run) as jobs:
        jobs.run(backup.name, job, workflow.restore(run, overwrite=overwrite))
    return jobs.exit_code


@dataclasses.dataclass(frozen=True, slots=True)
class _Backup:
    """A backup, and what opens it.

    Attributes:
        location: the whole of it.
        plugins: what serves it.
        resolver: looks up references to secrets.
        loaded: the file that names it, if one does.
        name: of the job whose backup it is.
        job: likewise; `None` for a location.
    """

    location: LocationConfig
    plugins: Plugins
    resolver: Resolver
    loaded: LoadedConfig | None = None
    name: str = NAME
    job: Mirroring | None = None

    @contextlib.contextmanager
    def opened(self) -> Iterator[ReadOnly]:
        at: KeyPath = ("jobs", self.name, "backup") if self.loaded is not None else ()
        backend = open_location(
            self.location, plugins=self.plugins, loaded=self.loaded, resolver=self.resolver, create=False, at=at
        )
        with ReadOnly(Retry(backend, RetryPolicy())) as reader:
            yield reader


def _backup(console: Console, place: str, name: str | None, given: tuple[str, ...]) -> _Backup:
    path = Path(place)
    if not path.is_file():
        if name is not None:
            raise ConfigError(f"--job needs a configuration file, and {printable(place)} is none")
        if "://" not in place and not path.is_dir():
            raise ConfigError(f"{printable(place)}: there is neither a configuration file nor a directory of that name")
        plugins = Plugins.load()
        resolver = Resolver(directory=Path.cwd(), hook=plugins.resolve_secret)
        console.hide(resolver.values)
        return _Backup(location_of(place, given), plugins, resolver)
    if given:
        raise ConfigError("--option is for locations; those of a configuration file are in the file")
    loaded = load(path)
    jobs = {
        key: job
        for key, job in select(loaded, () if name is None else (name,)).items()
        if isinstance(job, Mirroring) and job.backup is not None
    }
    if len(jobs) != 1:
        which = f"job {name} has no backup" if name is not None else f"{len(jobs)} jobs have a backup"
        raise ConfigError(f"{printable(place)}: {which}", hint="Name one that has by --job.")
    [(found, job)] = jobs.items()
    assert job.backup is not None
    plugins = Plugins.load(loaded.config.plugins.allow, loaded.config.plugins.deny)
    resolver = Resolver(directory=loaded.directory, hook=plugins.resolve_secret, where=loaded.where)
    console.hide(resolver.values)
    return _Backup(job.backup, plugins, resolver, loaded, found, job)


def _location(url: str, given: tuple[str, ...]) -> LocationConfig:
    """Return TARGET as it is meant where the command is called: other paths may be relative to a configuration file."""
    return location_of(url if "://" in url else str(Path(url).absolute()), given)


@contextlib.contextmanager
def _jobs(console: Console, backup: _Backup, *, dry_run: bool) -> Iterator[Jobs]:
    # Without the job's state: what is brought back says nothing about its source.
    with State(None, read_only=dry_run, redact=console.redact) as state:
        jobs = Jobs(console, backup.plugins, backup.resolver, state, backup.loaded, dry_run)
        try:
            yield jobs
        finally:
            print_summary(console, jobs.reports, named=backup.loaded is not None)


class _Gaps:
    """Tells what cannot be listed, and remembers that there was something."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.exit_code = 0

    def __call__(self, gap: Gap) -> None:
        self._console.event("key_left_out", {"status": gap.kind, "key": gap.key, "reason": gap.reason})
        if gap.kind == "unknown":
            self.exit_code = 1
            self._console.trouble(f"warning: {printable(gap.key)}: {gap.reason}", {"fg": "yellow"})


def _list_runs(console: Console, backup: _Backup) -> int:
    gaps = _Gaps(console)
    with backup.opened() as reader:
        runs = kept_runs(reader, gaps)
    rows = [("run", "started", "job", "objects", "bytes")]
    for run in runs:
        console.event("kept_run", dataclasses.asdict(run))
        rows.append((run.run, moment(run.started), run.job or "?", number(run.objects), size(run.bytes)))
    if runs:
        for line in table(rows, names=3):
            console.result(line)
    else:
        console.note("nothing has been put aside there")
    console.event("report", {"runs": len(runs), "exit_code": gaps.exit_code})
    return gaps.exit_code


def _list_objects(console: Console, backup: _Backup, run: str, filters: dict[str, tuple[str, ...]]) -> int:
    gaps = _Gaps(console)
    rules = options.job_of(run, run, (), (), filters, model=MirrorJob)
    objects = held = 0
    with backup.opened() as reader:
        scope = Filter(rules.include, rules.exclude, rules.exclude_regex)
        for entry in kept_objects(reader, run, scope, gaps):
            objects += 1
            held += entry.size
            console.event("kept_object", {"key": entry.key, "size": entry.size}, flush=False)
            console.result(f"{entry.size:>14,}  {printable(entry.key)}")
    console.note(f"{plural(objects, 'object')}, {size(held)}")
    console.event("report", {"run": run, "objects": objects, "bytes": held, "exit_code": gaps.exit_code})
    return gaps.exit_code
