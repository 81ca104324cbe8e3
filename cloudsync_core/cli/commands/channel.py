"""`cloudsync channel`: what is in a channel, and what becomes of it."""

from __future__ import annotations

import click

from cloudsync_core.cli.commands.channel_keeping import forget, parked, prune, retry
from cloudsync_core.cli.commands.channel_looking import ls, show, stats, tail


@click.group()
def channel() -> None:
    """Look into a channel, clean it up, and see to what could not be delivered."""


for _command in (ls, tail, show, stats, prune, parked, retry, forget):
    channel.add_command(_command)
