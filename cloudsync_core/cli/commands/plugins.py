"""`cloudsync plugins list` and `cloudsync plugins new`."""

from __future__ import annotations

import dataclasses
import os
import shlex
from importlib import metadata
from pathlib import Path

import click

from cloudsync_core.cli.command import Command
from cloudsync_core.cli.console import Console
from cloudsync_core.cli.summary import table
from cloudsync_core.config.loader import load
from cloudsync_core.errors import printable
from cloudsync_core.plugins.authoring import NewPlugin
from cloudsync_core.plugins.facade import Plugins


@click.group()
def plugins() -> None:
    """Look at the installed plugins, or start one of your own."""


@plugins.command("list", cls=Command)
@click.option(
    "--config", type=click.Path(path_type=Path), metavar="FILE", help="Judge by the allow and deny lists of this file."
)
def list_(console: Console, config: Path | None) -> None:
    """Show every installed plugin, also those that cannot be used, and why."""
    found = _loaded(config).statuses
    for status in found:
        console.event("plugin", dataclasses.asdict(status))
    console.event("report", {"plugins": len(found), "exit_code": 0})
    rows = [
        (
            status.name,
            status.distribution or "-",
            status.version or "-",
            status.status,
            ", ".join(status.schemes) or "-",
            ", ".join(status.hooks) or "-",
        )
        for status in found
    ]
    heading = ("name", "distribution", "version", "status", "schemes", "hooks")
    for line in table([heading, *rows], names=len(heading)):
        console.result(line)
    for status in found:
        if status.reason:
            console.result(f"{status.label}: {status.reason}")
        if status.remedy:
            console.result(f"  {status.remedy}")


@plugins.command("new", cls=Command)
@click.argument("name")
@click.option("--scheme", metavar="SCHEME", help="The scheme of its locations; by default NAME.")
@click.option(
    "--directory",
    type=click.Path(path_type=Path),
    default=Path(),
    metavar="DIRECTORY",
    help="Where to put its folder; by default the current directory.",
)
def new(console: Console, name: str, scheme: str | None, directory: Path) -> None:
    """Write the package of a new backend, which works and passes its own tests.

    It is a folder cloudsync-NAME, with a backend over a service that is part of it. Change it verb by verb into the
    backend of your service. A folder that exists is never touched.
    """
    plugin = NewPlugin(name, name if scheme is None else scheme)
    folder = plugin.write(directory, metadata.version("cloudsync-core"))
    # Without a path in it pip would look for a package of that name.
    place = os.path.join(".", folder)  # noqa: PTH118 - a Path forgets the dot
    console.result(f"{printable(str(folder))} is written; try it: pip install {printable(shlex.quote(place))}")
    console.event("report", {"path": str(folder), "distribution": plugin.distribution, "exit_code": 0})


def _loaded(config: Path | None) -> Plugins:
    if config is None:
        return Plugins.load()
    lists = load(config).config.plugins
    return Plugins.load(lists.allow, lists.deny)
