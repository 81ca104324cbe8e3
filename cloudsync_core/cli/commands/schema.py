"""`cloudsync schema`."""

from __future__ import annotations

import json

import click

from cloudsync_core.cli.command import Command
from cloudsync_core.cli.console import Console
from cloudsync_core.config.schema import schema as json_schema


@click.command(cls=Command)
def schema(console: Console) -> None:
    """Print the JSON Schema of the configuration file.

    Editors complete and check a configuration by it.
    """
    value = json_schema()
    console.result(json.dumps(value, indent=2))
    console.event("report", {"schema": value, "exit_code": 0})
