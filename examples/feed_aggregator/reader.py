"""Receives what the other servers have fetched, by a callback, and keeps it in a database, each update once.

python reader.py DATABASE           goes on until it is interrupted
"""

import contextlib
import os
import signal
import sqlite3
import sys
import threading

from cloudsync_core import Channel, Update

TABLE = "CREATE TABLE IF NOT EXISTS item (id TEXT PRIMARY KEY, topic TEXT, publisher TEXT, content BLOB)"


class Reader:
    """The callback; it is called in one thread, with one update after the other."""

    def __init__(self, path: str) -> None:
        self._database = sqlite3.connect(path, check_same_thread=False)
        self._database.execute(TABLE)

    def receive(self, update: Update) -> None:
        """Keep an update. After a crash the one in hand comes again, with the same id: it is kept once."""
        row = (update.id, update.topic, update.publisher, update.read())
        with self._database:
            self._database.execute("INSERT OR IGNORE INTO item VALUES (?, ?, ?, ?)", row)
        print(f"received {update.topic} from {update.publisher}", flush=True)

    def close(self) -> None:
        """Close the database."""
        self._database.close()


def main(path: str) -> None:
    """Receive until somebody interrupts it."""
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    server = os.environ.get("FEEDS_SERVER", "1")
    interval = float(os.environ.get("FEEDS_INTERVAL", "30"))
    with (
        contextlib.closing(Reader(path)) as reader,
        Channel(os.environ["FEEDS_CHANNEL"]) as channel,
        channel.subscribe(reader.receive, name=f"reader-{server}", topics=["feeds/**"], interval=interval),
    ):
        over.wait()


if __name__ == "__main__":
    main(sys.argv[1])
