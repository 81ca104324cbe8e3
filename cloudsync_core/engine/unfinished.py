"""What the state database knows of puts that have begun and not ended: what a crash leaves, the next run finds here.

Only large objects are recorded, one row each while they are written, so the table is empty most of the time. It was
added to databases that had none, and whoever does not know it is not disturbed by it: the format's version stays.
"""

from __future__ import annotations

import dataclasses
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable
from typing import Final

from cloudsync_core.engine.base import Database

_LOG = logging.getLogger(__name__)

_TABLE: Final = """
CREATE TABLE IF NOT EXISTS unfinished (
    job INTEGER NOT NULL REFERENCES job (id),
    key TEXT NOT NULL,
    source TEXT NOT NULL,
    token TEXT NOT NULL,
    saved REAL NOT NULL,
    PRIMARY KEY (job, key)
) WITHOUT ROWID
"""
_EXISTS: Final = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'unfinished'"
_READ: Final = "SELECT job, key, source, token, saved FROM unfinished WHERE job = ? ORDER BY key"
_SAVE: Final = "INSERT OR REPLACE INTO unfinished (job, key, source, token, saved) VALUES (?, ?, ?, ?, ?)"
_FORGET: Final = "DELETE FROM unfinished WHERE job = ? AND key = ? AND token = ?"


@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    """A put that has begun and, as far as anybody knows, not ended.

    Attributes:
        job: number of the job in the database.
        key: the object.
        source: fingerprint of the source's object.
        token: see `Resumption`.
        saved: when it was begun: seconds since the epoch, UTC.
    """

    job: int
    key: str
    source: str
    token: str
    saved: float


class Unfinished:
    """The puts of one job that have begun and not ended; may be used from many threads.

    What cannot be recorded is not resumed: that fails no transfer.

    Args:
        database: where they are recorded.
        job: number of the job in it.
        kept: called with the bytes that are counted as passing, and do not have to be sent again.

    Raises:
        StateError: the database cannot be used.
    """

    def __init__(self, database: Database, job: int, *, kept: Callable[[int], None] | None = None) -> None:
        self._database = database
        self._job = job
        self._kept = kept
        self._lock = threading.Lock()
        self._records = {record.key: record for record in records(database, job)}

    def find(self, key: str) -> Record | None:
        """Return what is recorded of a key."""
        with self._lock:
            return self._records.get(key)

    def begin(self, key: str, source: str) -> Recording | None:
        """Return what a put of this object may remember, and what an earlier one has remembered.

        Args:
            key: the object.
            source: fingerprint of the source's object; of one that cannot tell changes nothing is remembered.
        """
        return Recording(self, key, source) if source else None

    def kept(self, size: int) -> None:
        """Tell that bytes do not have to be sent again."""
        if self._kept is not None:
            self._kept(size)

    def save(self, key: str, source: str, token: str) -> None:
        """Record that a put has begun, in place of what was recorded of the key."""
        new = Record(self._job, key, source, token, time.time())
        self._write(key, new, (_TABLE, ()), (_SAVE, dataclasses.astuple(new)))

    def forget(self, record: Record) -> None:
        """Remove a record."""
        self._write(record.key, None, (_FORGET, (record.job, record.key, record.token)))

    def _write(self, key: str, now: Record | None, *statements: tuple[str, tuple[object, ...]]) -> None:
        if self._database.read_only:
            return
        try:
            with self._lock, self._database.another() as connection:
                connection.execute("BEGIN IMMEDIATE")
                with connection:
                    for statement, values in statements:
                        connection.execute(statement, values)
                if now is None:
                    self._records.pop(key, None)
                else:
                    self._records[key] = now
        except (sqlite3.Error, UnicodeEncodeError) as error:
            _LOG.warning("what a crash would leave of one upload cannot be recorded: %s", type(error).__name__)


class Recording:
    """What is remembered of one put; see `cloudsync_core.unfinished.Resumption`.

    Args:
        unfinished: of the job.
        key: the object.
        source: fingerprint of the source's object.

    Attributes:
        bytes_kept: bytes that did not have to be sent again.
    """

    def __init__(self, unfinished: Unfinished, key: str, source: str) -> None:
        self._unfinished = unfinished
        self._key = key
        self._source = source
        self._lock = threading.Lock()
        self.bytes_kept = 0

    @property
    def token(self) -> str | None:
        """What an earlier put of the same version has saved and not forgotten."""
        found = self._unfinished.find(self._key)
        return found.token if found is not None and found.source == self._source else None

    def save(self, token: str) -> None:
        """Remember a token, in place of another one."""
        if token != self.token:
            self._unfinished.save(self._key, self._source, token)

    def forget(self) -> None:
        """Forget it."""
        if (found := self._unfinished.find(self._key)) is not None:
            self._unfinished.forget(found)

    def kept(self, size: int) -> None:
        """Count bytes that are not sent again."""
        with self._lock:
            self.bytes_kept += size
        self._unfinished.kept(size)


def records(database: Database, job: int) -> list[Record]:
    """Return what is recorded of a job.

    Raises:
        StateError: the database cannot be used.
    """
    with database.using() as connection:
        if not connection.execute(_EXISTS).fetchone()[0]:
            return []
        return [Record(*row) for row in connection.execute(_READ, (job,))]


def forget(database: Database, gone: Iterable[Record]) -> None:
    """Remove records.

    Raises:
        StateError: the database cannot be written.
    """
    rows = [(record.job, record.key, record.token) for record in gone]
    if not rows:
        return
    with database.using() as connection:
        connection.execute("BEGIN IMMEDIATE")
        with connection:
            connection.executemany(_FORGET, rows)
