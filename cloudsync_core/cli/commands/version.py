"""`cloudsync version`."""

from __future__ import annotations

import platform
from importlib import metadata

import click

from cloudsync_core.cli.command import Command
from cloudsync_core.cli.console import Console
from cloudsync_core.plugins.facade import Plugins


@click.command(cls=Command)
def version(console: Console) -> None:
    """Print the versions of cloudsync and of what it runs on."""
    plugins = {
        status.distribution: status.version
        for status in Plugins.load().statuses
        if status.distribution and status.name != "builtin"
    }
    versions = {
        "cloudsync-core": metadata.version("cloudsync-core"),
        **plugins,
        "python": platform.python_version(),
        "platform": platform.platform(),
    }
    for name, value in versions.items():
        console.result(f"{name} {value}")
    console.event("report", {"versions": versions, "exit_code": 0})
