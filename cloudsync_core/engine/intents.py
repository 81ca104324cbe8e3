"""What the state database knows of updates that are about to be published: what makes each change published once.

An update is published in three steps: its id is written down here, the update is written to the channel, and what was
published goes into the base while the id is taken off again. Whoever finds an id here after a crash asks the channel
whether there is an update of it.

The table is empty most of the time. It was added to databases that had none, and whoever does not know it is not
disturbed by it: the format's version stays.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Final

from cloudsync_core.crashpoints import hit
from cloudsync_core.engine.base import Database
from cloudsync_core.engine.diff import BaseRow

_TABLE: Final = """
CREATE TABLE IF NOT EXISTS intent (
    job INTEGER NOT NULL REFERENCES job (id),
    key TEXT NOT NULL,
    source TEXT,
    size INTEGER NOT NULL,
    digest TEXT,
    publisher TEXT NOT NULL,
    object TEXT NOT NULL,
    PRIMARY KEY (job, key)
) WITHOUT ROWID
"""
_EXISTS: Final = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'intent'"
_READ: Final = "SELECT key, source, size, digest, publisher, object FROM intent WHERE job = ? ORDER BY object, key"
_SAVE: Final = (
    "INSERT OR REPLACE INTO intent (job, key, source, size, digest, publisher, object) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_FORGET: Final = "DELETE FROM intent WHERE job = ? AND key = ?"
_RECORD: Final = "INSERT OR REPLACE INTO base (job, key, source, target, digest) VALUES (?, ?, ?, ?, ?)"


@dataclasses.dataclass(frozen=True, slots=True)
class Intent:
    """One version of an object that is being published.

    Attributes:
        key: the object.
        source: its fingerprint; `None` where it cannot tell.
        size: bytes of its content.
        digest: of its content, as `Digest` prints it, where it is known before the update is written.
        publisher: who publishes it.
        object_id: of the update, or of the batch that holds it.
    """

    key: str
    source: str | None
    size: int
    digest: str | None
    publisher: str
    object_id: str

    def row(self, digest: str | None = None) -> BaseRow:
        """Return what the base remembers of an object that was published.

        Args:
            digest: of its content, where it became known when the update was written.
        """
        return BaseRow(self.source, f"{self.size} {self.object_id}", self.digest or digest)


def published_size(row: BaseRow) -> int | None:
    """Return the bytes of what was published of an object, by its row of the base.

    It is `None` where nothing was: a job of another kind, of the same name and between the same places, has left it.
    """
    size, _, object_id = (row.target or "").partition(" ")
    return int(size) if size.isdecimal() and object_id else None


class Intents:
    """The updates of one job that are about to be published; used by the thread that opened the database.

    Args:
        database: where they are recorded.
        job: number of the job in it.
    """

    def __init__(self, database: Database, job: int) -> None:
        self._database = database
        self._job = job

    def pending(self) -> list[Intent]:
        """Return those of which nobody knows whether they were published: of one batch, mostly.

        Raises:
            StateError: the database cannot be used.
        """
        with self._database.using() as connection:
            if not connection.execute(_EXISTS).fetchone()[0]:
                return []
            return [Intent(*row) for row in connection.execute(_READ, (self._job,))]

    def begin(self, intents: Iterable[Intent]) -> None:
        """Write down what is about to be published; it is durable when this returns.

        Raises:
            StateError: the database cannot be written.
        """
        rows = [(self._job, *dataclasses.astuple(intent)) for intent in intents]
        with self._database.using() as connection:
            connection.execute("BEGIN IMMEDIATE")
            with connection:
                connection.execute(_TABLE)
                connection.executemany(_SAVE, rows)
                hit("state.txn.begin")
        hit("state.txn.committed")

    def settle(self, published: Sequence[tuple[Intent, str | None]]) -> None:
        """Remember that updates were published, and that nothing of them is left to be done.

        Args:
            published: each with the digest of its content, where it is known by now.

        Raises:
            StateError: the database cannot be written.
        """
        rows = [(intent.key, intent.row(digest)) for intent, digest in published]
        with self._database.using() as connection:
            connection.execute("BEGIN IMMEDIATE")
            with connection:
                connection.executemany(
                    _RECORD, [(self._job, key, row.source, row.target, row.digest) for key, row in rows]
                )
                connection.executemany(_FORGET, [(self._job, key) for key, _ in rows])
                hit("state.txn.begin")
        hit("state.txn.committed")

    def withdraw(self, intents: Iterable[Intent]) -> None:
        """Remember that updates were not published.

        Raises:
            StateError: the database cannot be written.
        """
        with self._database.using() as connection:
            connection.execute("BEGIN IMMEDIATE")
            with connection:
                connection.executemany(_FORGET, [(self._job, intent.key) for intent in intents])
