"""What the state database knows of a job that watches: how it is, why it stands still, what it has deleted lately.

Others read it: `cloudsync status` while the job runs, and `cloudsync resume` writes the one thing that it waits for.
The tables were added to databases that had none, and whoever does not know them is not disturbed by them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import sqlite3
from collections.abc import Iterator
from typing import Any, Final

from cloudsync_core.engine.base import Database, JobState

_TABLES: Final = (
    """
CREATE TABLE IF NOT EXISTS vigil (
    job INTEGER PRIMARY KEY REFERENCES job (id),
    process INTEGER NOT NULL,
    started REAL NOT NULL,
    alive REAL NOT NULL,
    source TEXT NOT NULL,
    dirty INTEGER NOT NULL DEFAULT 0,
    dirty_since REAL,
    looked REAL,
    reconciled REAL,
    error TEXT,
    error_at REAL,
    halted TEXT,
    halted_at REAL,
    permitted INTEGER NOT NULL DEFAULT 0
)
""",
    """
CREATE TABLE IF NOT EXISTS removed (
    job INTEGER NOT NULL REFERENCES job (id),
    at REAL NOT NULL,
    count INTEGER NOT NULL
)
""",
)
_EXISTS: Final = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'vigil'"
_START: Final = """
INSERT INTO vigil (job, process, started, alive, source) VALUES (:job, :process, :now, :now, :source)
ON CONFLICT (job) DO UPDATE SET process = :process, started = :now, alive = :now, source = :source
"""
_FIELDS: Final = (
    "process, started, alive, source, dirty, dirty_since, looked, reconciled, error, error_at, halted, halted_at, "
    "permitted"
)
_READ: Final = f"SELECT {_FIELDS} FROM vigil WHERE job = ?"  # noqa: S608 - of a constant
_ALL: Final = f"""
SELECT (SELECT name FROM job WHERE id = vigil.job) AS name, {_FIELDS} FROM vigil ORDER BY name, vigil.job
"""  # noqa: S608 - likewise
_RESUME: Final = """
UPDATE vigil SET halted = NULL, halted_at = NULL, permitted = 1
WHERE halted IS NOT NULL AND job IN (SELECT id FROM job WHERE name = ?)
"""


@dataclasses.dataclass(frozen=True, slots=True)
class VigilStatus:
    """How a job that watches is. Times are seconds since the epoch, UTC; `None` is never.

    Attributes:
        process: the number of the process that runs it, or ran it last.
        started: when that began.
        alive: when that process wrote this last, which it does every few seconds.
        source: which event source tells it of changes.
        dirty: keys and folders that may have changed and were not looked at since.
        dirty_since: since when the oldest of them is.
        looked: when it last looked at some keys.
        reconciled: when it last finished a look at everything.
        error: what went wrong last.
        error_at: when.
        halted: why it stands still until somebody resumes it; `None` when it does not.
        halted_at: since when.
        permitted: somebody has resumed it, and the next look at everything may delete what it was halted for.
    """

    process: int
    started: float
    alive: float
    source: str
    dirty: int
    dirty_since: float | None
    looked: float | None
    reconciled: float | None
    error: str | None
    error_at: float | None
    halted: str | None
    halted_at: float | None
    permitted: int

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return dataclasses.asdict(self)


class Vigil:
    """The watching of one job, as the database knows it; used from one thread.

    Args:
        base: the job's part of the state database.

    Raises:
        StateError: the database cannot be used.
    """

    def __init__(self, base: JobState) -> None:
        self._database, self._job = base.place
        with self._database.using() as connection:
            for statement in _TABLES:
                connection.execute(statement)

    def start(self, process: int, source: str, now: float) -> None:
        """Remember that a process watches from now on; what it was halted for before, stays."""
        values = {"job": self._job, "process": process, "now": now, "source": source}
        with self._database.using() as connection:
            connection.execute(_START, values)

    def note(self, **fields: float | str | None) -> None:
        """Remember some fields of `VigilStatus`."""
        assignments = ", ".join(f"{name} = ?" for name in fields)
        with self._database.using() as connection:
            connection.execute(f"UPDATE vigil SET {assignments} WHERE job = ?", (*fields.values(), self._job))  # noqa: S608

    def read(self) -> VigilStatus:
        """Return what is remembered; needs `start`."""
        with self._database.using() as connection:
            return VigilStatus(*connection.execute(_READ, (self._job,)).fetchone())

    def removed(self, count: int, now: float, window: float) -> None:
        """Remember deletes, and forget those that were before the window."""
        with self._database.using() as connection, _together(connection):
            connection.execute("DELETE FROM removed WHERE job = ? AND at <= ?", (self._job, now - window))
            if count:
                connection.execute("INSERT INTO removed VALUES (?, ?, ?)", (self._job, now, count))

    def removed_since(self, then: float) -> int:
        """Return how many objects were deleted since then."""
        query = "SELECT coalesce(sum(count), 0) FROM removed WHERE job = ? AND at > ?"
        with self._database.using() as connection:
            return int(connection.execute(query, (self._job, then)).fetchone()[0])


def vigils(database: Database) -> list[tuple[str, VigilStatus]]:
    """Return how every job is that watches or ever did, with its name.

    Raises:
        StateError: the database cannot be read.
    """
    with database.using() as connection:
        if not connection.execute(_EXISTS).fetchone()[0]:
            return []
        return [(str(name), VigilStatus(*rest)) for name, *rest in connection.execute(_ALL)]


def resume(database: Database, job: str) -> bool:
    """Let a job go on that stands still, and delete what it was halted for; tell whether it did stand still.

    Raises:
        StateError: the database cannot be written.
    """
    with database.using() as connection:
        if not connection.execute(_EXISTS).fetchone()[0]:
            return False
        return connection.execute(_RESUME, (job,)).rowcount > 0


@contextlib.contextmanager
def _together(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        yield
