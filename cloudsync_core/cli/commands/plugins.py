"""`cloudsync plugins list`."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from cloudsync_core.cli.command import Command
from cloudsync_core.cli.console import Console
from cloudsync_core.cli.summary import table
from cloudsync_core.config.loader import load
from cloudsync_core.plugins.facade import Plugins


@click.group()
def plugins() -> None:
    """Look at the installed plugins."""


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


def _loaded(config: Path | None) -> Plugins:
    if config is None:
        return Plugins.load()
    lists = load(config).config.plugins
    return Plugins.load(lists.allow, lists.deny)
