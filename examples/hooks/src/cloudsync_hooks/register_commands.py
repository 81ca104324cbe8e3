"""`cloudsync du LOCATION`: how many objects and bytes there are in each folder at the top of a location."""

from collections import Counter

import click

from cloudsync_core import open_backend
from cloudsync_core.errors import printable
from cloudsync_core.plugins import hookimpl


@hookimpl
def cloudsync_register_commands(cli: click.Group) -> None:
    """Add the command."""
    cli.add_command(du)


@click.command()
@click.argument("location")
def du(location: str) -> None:
    """Show how many objects and bytes there are in each folder at the top of LOCATION."""
    objects: Counter[str] = Counter()
    size: Counter[str] = Counter()
    with open_backend(location) as backend:
        for page in backend.list():
            for key, length in zip(page.keys, page.sizes, strict=True):
                top = key.partition("/")[0] if "/" in key else "."
                objects[top] += 1
                size[top] += length
    for top in sorted(objects):
        click.echo(f"{size[top]:>12} {objects[top]:>8}  {printable(top)}")
