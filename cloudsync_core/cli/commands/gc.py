"""`cloudsync gc`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import click

from cloudsync_core.cli.command import Command
from cloudsync_core.cli.console import Console
from cloudsync_core.cli.formats import plural, seconds, size
from cloudsync_core.cli.jobs import select
from cloudsync_core.cli.options import location_of
from cloudsync_core.config.jobs.parts import ToTarget
from cloudsync_core.config.loaded import LoadedConfig
from cloudsync_core.config.loader import load
from cloudsync_core.config.locations import LocationConfig
from cloudsync_core.config.opening import open_location
from cloudsync_core.config.problems import KeyPath
from cloudsync_core.config.secrets import Resolver
from cloudsync_core.engine.quantities import parse_seconds
from cloudsync_core.engine.state import State
from cloudsync_core.errors import CloudSyncError, ConfigError, printable
from cloudsync_core.layers.readonly import ReadOnly
from cloudsync_core.layers.retry import Retry, RetryPolicy
from cloudsync_core.plugins.facade import Plugins
from cloudsync_core.workflows.collect import CollectReport, Found, Rules, collect

_SIGNS = {"removed": "-", "would remove": "-", "failed": "!"}

_WHY = {
    "removed": "",
    "would remove": "",
    "too young": "left alone: it is younger than --older-than",
    "not ours": "left alone: nobody knows whose it is; --all removes it",
}


def _age(context: click.Context, parameter: click.Parameter, value: str) -> float:
    try:
        return parse_seconds(value)
    except ValueError as error:
        raise click.BadParameter(str(error), context, parameter) from None


@click.command(cls=Command)
@click.argument("place", type=click.Path())
@click.option("--job", "names", multiple=True, metavar="NAME", help="Only the target of this job. Repeatable.")
@click.option(
    "--option",
    "given",
    multiple=True,
    metavar="NAME=VALUE",
    help="An option of the backend of a location; ${env:NAME} and ${file:path} stand for secrets. Repeatable.",
)
@click.option(
    "--state",
    "database",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="The state database of the jobs that write to a location.",
)
@click.option(
    "--older-than",
    callback=_age,
    metavar="AGE",
    default="24h",
    show_default=True,
    help="Leave alone what was changed more recently: 0, 90s, 30m, 24h, 7d.",
)
@click.option("--all", "others", is_flag=True, help="Remove unfinished uploads of which nobody knows whose they are.")
@click.option("--dry-run", is_flag=True, help="Show what would be removed, and remove nothing.")
def gc(
    console: Console,
    place: str,
    *,
    names: tuple[str, ...],
    given: tuple[str, ...],
    database: Path | None,
    older_than: float,
    others: bool,
    dry_run: bool,
) -> int:
    """Find and remove what crashes have left behind.

    PLACE is a configuration file, whose jobs' targets are looked at, or a location. What is looked for are temporary
    files of cloudsync's, and uploads that nobody has completed.
    """
    rules = Rules(older_than, others=others, dry_run=dry_run)
    reports = []
    worst = 0
    for target in _targets(console, place, names, given, database):
        try:
            reports.append(_collect(console, target, rules))
        except CloudSyncError as error:
            console.error(error, job=target.job)
            worst = max(worst, error.exit_code)
    total = _total(reports)
    exit_code = max(worst, total.exit_code)
    verb = "would be removed" if dry_run else "removed"
    failed = f", {total.failed} failed" if total.failed else ""
    console.note(f"{plural(total.removed, 'leftover')} {verb} ({size(total.bytes)}), {total.kept} left alone{failed}")
    console.event(
        "report",
        {"places": [report.to_dict() for report in reports], "dry_run": dry_run, "exit_code": exit_code},
    )
    return exit_code


@dataclasses.dataclass(frozen=True, slots=True)
class _Target:
    """A place to look at.

    Attributes:
        location: the place.
        plugins: what serves it.
        resolver: looks up references to secrets.
        state: the state database's path; `None` for none.
        loaded: the file that names it, if one does.
        job: the job whose target it is.
        at: the keys that lead to it in the file.
    """

    location: LocationConfig
    plugins: Plugins
    resolver: Resolver
    state: Path | None
    loaded: LoadedConfig | None = None
    job: str | None = None
    at: KeyPath = ()


def _targets(
    console: Console, place: str, names: tuple[str, ...], given: tuple[str, ...], database: Path | None
) -> Iterator[_Target]:
    path = Path(place)
    if not path.is_file():
        if names:
            raise ConfigError(f"--job needs a configuration file, and {printable(place)} is none")
        if "://" not in place and not path.is_dir():
            raise ConfigError(f"{printable(place)}: there is neither a configuration file nor a directory of that name")
        plugins = Plugins.load()
        resolver = Resolver(directory=Path.cwd(), hook=plugins.resolve_secret)
        console.hide(resolver.values)
        yield _Target(location_of(place, given), plugins, resolver, database)
        return
    if given:
        raise ConfigError("--option is for locations; those of a configuration file are in the file")
    loaded = load(path)
    plugins = Plugins.load(loaded.config.plugins.allow, loaded.config.plugins.deny)
    resolver = Resolver(directory=loaded.directory, hook=plugins.resolve_secret, where=loaded.where)
    console.hide(resolver.values)
    for name, job in select(loaded, names).items():
        if not isinstance(job, ToTarget):
            if names:
                raise ConfigError(f"job {name} writes to no location in which something could be left behind")
            continue
        state = database or loaded.state_path
        yield _Target(job.target, plugins, resolver, state, loaded, name, ("jobs", name, "target"))


def _collect(console: Console, target: _Target, rules: Rules) -> CollectReport:
    # One that is not there is not made: there is nothing in it to forget.
    read_only = rules.dry_run or (target.state is not None and not target.state.exists())
    with State(target.state, read_only=read_only) as state:
        backend = open_location(
            target.location,
            plugins=target.plugins,
            loaded=target.loaded,
            resolver=target.resolver,
            create=True,
            at=target.at,
        )
        with Retry(backend, RetryPolicy()) as retrying:
            return collect(
                ReadOnly(retrying) if rules.dry_run else retrying,
                state,
                rules,
                lambda found: _tell(console, target.job, found),
            )


def _tell(console: Console, job: str | None, found: Found) -> None:
    leftover = found.leftover
    values = {
        "job": job,
        "kind": leftover.kind,
        "key": leftover.key,
        "age": None if found.age is None else round(found.age, 3),
        "size": leftover.size,
        "fate": found.fate.replace(" ", "-"),
        "error": found.error,
    }
    console.event("leftover", values)
    if console.quiet and found.fate != "failed":
        return
    age = "" if found.age is None else seconds(found.age)
    held = "" if leftover.size is None else size(leftover.size)
    why = leftover.expiry if found.fate == "expires" else found.error or _WHY[found.fate]
    line = f"{_SIGNS.get(found.fate, '?')} {leftover.kind:<17} {held:>10} {age:>9}  {printable(leftover.key)}"
    console.result(f"{line}  ({why})" if why else line)


def _total(reports: list[CollectReport]) -> CollectReport:
    total = CollectReport("")
    for report in reports:
        total.removed += report.removed
        total.kept += report.kept
        total.failed += report.failed
        total.bytes += report.bytes
    return total
