"""The commands of `cloudsync release` that look after what was published."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

import click

from cloudsync_core.cli.command import Command
from cloudsync_core.cli.console import Console
from cloudsync_core.cli.formats import moment, number, plural, size
from cloudsync_core.cli.releases import location_argument, moving_options, pointer_option, releases
from cloudsync_core.cli.summary import table
from cloudsync_core.engine.quantities import parse_seconds
from cloudsync_core.errors import ConfigError, printable
from cloudsync_core.releases.entries import Entry
from cloudsync_core.releases.history import Listed
from cloudsync_core.releases.names import LIVE
from cloudsync_core.releases.pointer import Pointer

_SIGNS: Final = {"added": "+", "removed": "-", "changed": "~", "headers": "h"}


@click.command("ls", cls=Command)
@location_argument
def ls(console: Console, location: str, *, given: tuple[str, ...]) -> int:
    """List the releases of LOCATION, the oldest first, and the pointers that name them."""
    rows = [("release", "created", "publisher", "pointers", "files", "bytes")]
    with releases(console, location, given) as found:
        for listed in found.ls():
            header = listed.header
            console.event("release", listed.to_dict(), flush=False)
            named = ", ".join(listed.pointers) or "-"
            row = (header.release, moment(header.created), printable(header.publisher), named)
            rows.append((*row, number(header.files), size(header.size)))
    if len(rows) > 1:
        for line in table(rows, names=4):
            console.result(line)
    else:
        console.note("no release was published there")
    console.event("report", {"releases": len(rows) - 1, "exit_code": 0})
    return 0


@click.command("show", cls=Command)
@location_argument
@click.argument("release", default=LIVE)
@click.option("--files", is_flag=True, help="List its files, too.")
def show(console: Console, location: str, release: str, *, given: tuple[str, ...], files: bool) -> int:
    """Show a release: RELEASE is its id or a pointer, by default current. Its manifest is read and verified."""
    with releases(console, location, given) as found, found.show(release) as manifest:
        header = manifest.header
        values = Listed(header, ()).to_dict()
        del values["pointers"]
        console.event("release", {**values, "manifest": manifest.key})
        for name, value in _header_lines(values, manifest.key):
            console.result(f"{name + ':':<11}{printable(value)}")
        for entry in manifest.entries() if files else ():
            console.event("file", _file(entry), flush=False)
            console.result(f"{entry.size:>14,}  {printable(entry.path)}")
    console.event("report", {"release": header.release, "exit_code": 0})
    return 0


@click.command("diff", cls=Command)
@location_argument
@click.argument("before")
@click.argument("after", default=LIVE)
def diff(console: Console, location: str, before: str, after: str, *, given: tuple[str, ...]) -> int:
    """Show by which files two releases differ, each named by its id or by a pointer; AFTER is by default current.

    + is added, - removed, ~ has other content, and h has the same content with other headers.
    """
    differences = 0
    with releases(console, location, given) as found:
        for one in found.diff(before, after):
            differences += 1
            console.event("difference", {"kind": one.kind, "path": one.path}, flush=False)
            console.result(f"{_SIGNS[one.kind]} {printable(one.path)}")
    console.note(plural(differences, "difference"))
    console.event("report", {"differences": differences, "exit_code": 0})
    return 0


@click.command("rollback", cls=Command)
@location_argument
@pointer_option("The pointer that goes back.")
@click.option("--to", "to", metavar="ID", help="The release to go back to; by default the one that was live before.")
@moving_options
def rollback(
    console: Console, location: str, *, given: tuple[str, ...], pointer: str, to: str | None, **rules: Any
) -> int:
    """Move a pointer back to the release that it named before.

    The release is looked at first, and the pointer stays where it is if something of it is missing.
    """
    with releases(console, location, given, write=True, **rules) as found:
        return _moved(console, found.rollback(pointer, to=to))


@click.command("promote", cls=Command)
@location_argument
@click.argument("release")
@click.option(
    "--to", "to", default=LIVE, show_default=True, metavar="POINTER", help="The pointer that is moved, or made."
)
@moving_options
def promote(console: Console, location: str, release: str, *, given: tuple[str, ...], to: str, **rules: Any) -> int:
    """Let a pointer name a release: that of another pointer, such as canary, or one by its id. Likewise looked at."""
    with releases(console, location, given, write=True, **rules) as found:
        return _moved(console, found.promote(release, to))


@click.command("verify", cls=Command)
@location_argument
@click.argument("release", default=LIVE)
@click.option("--content", is_flag=True, help="Read every object, too, and compare its digest.")
def verify(console: Console, location: str, release: str, *, given: tuple[str, ...], content: bool) -> int:
    """Look whether every object of a release is there, and has its size. What is wrong is listed, and exits with 1."""
    faults = 0
    with releases(console, location, given) as found:
        for fault in found.verify(release, content=content):
            faults += 1
            console.event("fault", {"key": fault.key, "reason": fault.reason}, flush=False)
            console.result(f"! {printable(fault.key)}: {fault.reason}")
    console.note("everything is there" if not faults else f"{plural(faults, 'object')} not as published")
    console.event("report", {"faults": faults, "exit_code": int(bool(faults))})
    return int(bool(faults))


@click.command("prune", cls=Command)
@location_argument
@click.option("--keep", type=click.IntRange(1), metavar="N", help="Keep the newest N releases.")
@click.option("--max-age", metavar="AGE", help="Keep releases that are younger: 30m, 24h, 90d.")
@click.option("--dry-run", is_flag=True, help="Only show what would be removed.")
@moving_options
def prune(
    console: Console,
    location: str,
    *,
    given: tuple[str, ...],
    keep: int | None,
    max_age: str | None,
    dry_run: bool,
    **rules: Any,
) -> int:
    """Remove old releases, and what publishers have left that died.

    Never one that a pointer names, nor an object that a release refers to which stays. With --keep and --max-age
    both, what either keeps stays.
    """
    if keep is None and max_age is None:
        raise ConfigError("say what to keep: --keep N, --max-age AGE, or both")
    age = None if max_age is None else _age(max_age)
    with releases(console, location, given, write=not dry_run, **rules) as found:
        pruned = found.prune(keep=keep, max_age=age, dry_run=dry_run)
    values = dataclasses.asdict(pruned)
    values["bytes"] = values.pop("size")
    console.event("report", {**values, "dry_run": dry_run, "exit_code": 0})
    for one in pruned.releases:
        console.result(f"- {one}")
    for one in pruned.unfinished:
        console.result(f"- {one}  (never finished)")
    verb = "would be removed" if dry_run else "removed"
    count = f"{plural(len(pruned.releases), 'release')}, {plural(pruned.objects, 'object')}, {size(pruned.size)}"
    console.note(f"{count} {verb}; {plural(pruned.kept, 'release')} kept")
    return 0


COMMANDS: Final = (ls, show, diff, rollback, promote, verify, prune)
"""In the order of the help."""


def _moved(console: Console, pointer: Pointer) -> int:
    console.result(f"{pointer.name}: {pointer.release}")
    values = {"pointer": pointer.name, "release": pointer.release, "previous": list(pointer.previous)}
    console.event("report", {**values, "exit_code": 0})
    return 0


def _header_lines(values: dict[str, Any], manifest: str) -> list[tuple[str, str]]:
    told = {
        "release": values["release"],
        "created": values["created"],
        "publisher": values["publisher"],
        "source": values["source"],
        "files": number(values["files"]),
        "bytes": f"{number(values['bytes'])} ({size(values['bytes'])})",
        "tree": values["tree"],
        "base": values["base"] or "-",
        "manifest": manifest,
    }
    return list(told.items())


def _file(entry: Entry) -> dict[str, Any]:
    return {
        "path": entry.path,
        "size": entry.size,
        "digest": str(entry.digest),
        "key": entry.key,
        "content_type": entry.attributes.content_type,
    }


def _age(text: str) -> float:
    try:
        return parse_seconds(text)
    except ValueError as error:
        raise ConfigError(f"--max-age: {error}") from None
