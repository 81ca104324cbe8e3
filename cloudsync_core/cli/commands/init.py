"""`cloudsync init`."""

from __future__ import annotations

from pathlib import Path

import click

from cloudsync_core.cli.command import Command
from cloudsync_core.cli.console import Console
from cloudsync_core.config.starter import starter
from cloudsync_core.errors import ConfigError, printable


@click.command(cls=Command)
@click.argument("path", type=click.Path(path_type=Path), default=Path("cloudsync.yaml"))
def init(console: Console, path: Path) -> None:
    """Write a commented configuration file to start from.

    PATH is cloudsync.yaml when it is left out. A file that exists is never replaced.
    """
    shown = printable(str(path))
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(starter())
    except FileExistsError:
        raise ConfigError(
            f"{shown}: there is such a file already", hint="Name another one: cloudsync init PATH"
        ) from None
    except OSError as error:
        raise ConfigError(f"{shown}: cannot be written: {error.strerror}") from error
    console.result(f"{shown} is written; try it: cloudsync plan {shown}")
    console.event("report", {"path": str(path), "exit_code": 0})
