"""The latest updates of every topic of a channel, found with flat memory."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from cloudsync_core.backend import Backend
from cloudsync_core.channels.ahead import Ahead
from cloudsync_core.channels.scan import Listed, scan
from cloudsync_core.errors import CloudSyncError, DamagedUpdateError, ObjectNotFoundError, UnsupportedFormatError

_TABLES = """
CREATE TABLE known (id TEXT PRIMARY KEY, kept INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE topics (
    topic TEXT NOT NULL, id TEXT NOT NULL, object TEXT NOT NULL, PRIMARY KEY (topic, id)
) WITHOUT ROWID;
"""
_KEEP = """
UPDATE known SET kept = 1 WHERE id IN (
    SELECT object FROM (SELECT object, row_number() OVER (PARTITION BY topic ORDER BY id DESC) AS number FROM topics)
    WHERE number <= ?
)
"""
_WITHOUT = "SELECT json_group_array(id) FROM known WHERE NOT kept AND id IN (SELECT value FROM json_each(?))"

_WITHOUT_TOPICS = (UnsupportedFormatError, DamagedUpdateError, ObjectNotFoundError)


class Latest:
    """Knows which objects hold one of the latest updates of a topic; on disk, and gone with it."""

    def __init__(self) -> None:
        # A database without a name is in a temporary file, which SQLite removes.
        self._connection = sqlite3.connect("", isolation_level=None)
        self._connection.executescript(_TABLES)

    def read(self, backend: Backend, number: int, *, clock: Callable[[], int]) -> None:
        """Read a channel.

        Args:
            backend: the channel.
            number: how many updates of each topic count as the latest.
            clock: tells nanoseconds since the epoch, UTC.

        Raises:
            BackendError: it cannot be read.
        """
        ahead = Ahead(backend)
        self._connection.execute("BEGIN")
        try:
            for listed, found in ahead.fetched(_listed(backend, clock)):
                if isinstance(found, CloudSyncError) and not isinstance(found, _WITHOUT_TOPICS):
                    raise found
                # What a newer cloudsync has written may be the latest of any topic.
                kept = isinstance(found, UnsupportedFormatError)
                updates = [] if isinstance(found, CloudSyncError) else found
                self._connection.execute("INSERT OR IGNORE INTO known (id, kept) VALUES (?, ?)", (listed.id, kept))
                self._connection.executemany(
                    "INSERT OR IGNORE INTO topics (topic, id, object) VALUES (?, ?, ?)",
                    [(update.topic, update.id, listed.id) for update in updates],
                )
        finally:
            ahead.close()
        self._connection.execute(_KEEP, (number,))
        self._connection.execute("COMMIT")

    def without(self, object_ids: set[str]) -> set[str]:
        """Return those of the objects that were read and hold none of the latest updates."""
        [(found,)] = self._connection.execute(_WITHOUT, (json.dumps(sorted(object_ids)),))
        return set(json.loads(found))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()


def _listed(backend: Backend, clock: Callable[[], int]) -> Iterator[Listed]:
    for page, _ in scan(backend, None, clock=clock):
        yield from page
