"""Appends what was received to the file CLOUDSYNC_RECEIVED: the channel, the id and the topic of an update a line."""

import os
from pathlib import Path

from cloudsync_core import Update
from cloudsync_core.plugins import hookimpl


@hookimpl
def cloudsync_update_received(channel: str, update: Update) -> None:
    """Take note of an update; the same one may come again after a crash, which its id tells."""
    file = os.environ.get("CLOUDSYNC_RECEIVED")
    if file is None:
        return
    with Path(file).open("a", encoding="utf-8") as received:
        received.write(f"{channel} {update.id} {update.topic}\n")
