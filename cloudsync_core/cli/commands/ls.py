"""`cloudsync ls`."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from cloudsync_core.cli.command import Command
from cloudsync_core.cli.console import Console
from cloudsync_core.cli.formats import moment, plural, size
from cloudsync_core.cli.options import location_of
from cloudsync_core.config.opening import open_location
from cloudsync_core.config.secrets import Resolver
from cloudsync_core.errors import printable
from cloudsync_core.layers.readonly import ReadOnly
from cloudsync_core.layers.retry import Retry, RetryPolicy
from cloudsync_core.models import Gap, ObjectInfo, Page
from cloudsync_core.plugins.facade import Plugins

_NANOSECONDS = 1_000_000_000


@click.command(cls=Command)
@click.argument("location", type=click.Path())
@click.option(
    "--option",
    "given",
    multiple=True,
    metavar="NAME=VALUE",
    help="An option of the backend; ${env:NAME} and ${file:path} stand for secrets. Repeatable.",
)
@click.option("-l", "--long", is_flag=True, help="Print the size in bytes and the time of the last change, too.")
def ls(console: Console, location: str, given: tuple[str, ...], *, long: bool) -> int:
    """List the objects of a location.

    All of them, at any depth, one a line, in the order in which the store lists them. Keys are relative to the
    location; control characters in them are escaped.
    """
    where = location_of(location, given)
    plugins = Plugins.load()
    resolver = Resolver(directory=Path.cwd(), hook=plugins.resolve_secret)
    console.hide(resolver.values)
    backend = open_location(where, plugins=plugins, loaded=None, resolver=resolver, create=False)
    with ReadOnly(Retry(backend, RetryPolicy())) as reader:
        total = _list(console, reader.list(), long=long)
    if long:
        console.note(f"{plural(total.objects, 'object')}, {size(total.bytes)}")
    console.event("report", {**dataclasses.asdict(total), "exit_code": total.exit_code})
    return total.exit_code


@dataclasses.dataclass(slots=True)
class _Total:
    """What a listing showed: objects, their bytes, and names that are no objects."""

    objects: int = 0
    bytes: int = 0
    skipped: int = 0
    unknown: int = 0

    @property
    def exit_code(self) -> int:
        return 1 if self.unknown else 0


def _list(console: Console, pages: Iterable[Page], *, long: bool) -> _Total:
    total = _Total()
    for page in pages:
        for gap in page.gaps:
            setattr(total, gap.kind, getattr(total, gap.kind) + 1)
            _tell_gap(console, gap)
        for entry in page:
            total.objects += 1
            total.bytes += entry.size
            if console.json:
                console.event("object", _values(entry), flush=False)
            else:
                console.result(_line(entry) if long else printable(entry.key))
    return total


def _tell_gap(console: Console, gap: Gap) -> None:
    console.event("key_left_out", {"status": gap.kind, "key": gap.key, "reason": gap.reason})
    if gap.kind == "unknown" or console.verbosity > 0:
        console.trouble(f"warning: {printable(gap.key)}: {gap.reason}", {"fg": "yellow"})


def _line(entry: ObjectInfo) -> str:
    return f"{entry.size:>14,}  {moment(entry.modified_ns / _NANOSECONDS)}  {printable(entry.key)}"


def _values(entry: ObjectInfo) -> dict[str, Any]:
    modified = dt.datetime.fromtimestamp(entry.modified_ns / _NANOSECONDS, dt.UTC)
    return {
        "key": entry.key,
        "size": entry.size,
        "modified": f"{modified:%Y-%m-%dT%H:%M:%S.%fZ}",
        "etag": entry.version.etag,
        "version": entry.version.id,
        "digests": [str(digest) for digest in entry.digests],
    }
