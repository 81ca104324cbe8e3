"""The state database: what both sides were when last known equal, and how the runs of each job ended.

One SQLite file holds any number of jobs. A job is run by one process at a time, which a lock file ensures, and writes
in batches: the write lock is held for milliseconds, so several processes share a file. Losing the file, or the last
batches in a crash, is safe: the next run compares by evidence and records what it finds.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from cloudsync_core.engine.base import JobState
from cloudsync_core.engine.lock import lock_job
from cloudsync_core.engine.redaction import Redact, redacted
from cloudsync_core.engine.unusable import way_out
from cloudsync_core.errors import StateError
from cloudsync_core.mounts import network_file_system
from cloudsync_core.runs import RunReport

SCHEMA_VERSION = 1

RUNS_KEPT = 100
"""Finished runs that are remembered for each job."""

_PATIENCE = 30
"""Seconds to wait for another process that writes."""

_DURABILITY = "PRAGMA synchronous = NORMAL"
"""A crash of the machine may lose the last rows of the base, never its consistency; losing rows is safe."""

_SCHEMA = """
CREATE TABLE job (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    source TEXT NOT NULL,
    target TEXT NOT NULL,
    UNIQUE (name, source, target)
);
CREATE TABLE base (
    job INTEGER NOT NULL REFERENCES job (id),
    key TEXT NOT NULL,
    source TEXT,
    target TEXT,
    digest TEXT,
    PRIMARY KEY (job, key)
) WITHOUT ROWID;
CREATE TABLE run (
    id TEXT PRIMARY KEY,
    job TEXT NOT NULL,
    started REAL NOT NULL,
    status TEXT,
    report TEXT
);
CREATE INDEX run_of_job ON run (job, started);
"""


@dataclasses.dataclass(frozen=True, slots=True)
class PastRun:
    """A run as the database remembers it.

    Attributes:
        id: the run.
        job: its job's name.
        started: seconds since the epoch, UTC.
        status: as in its report; `None` when it never ended: it is under way, or was killed.
        report: `RunReport.to_dict()`, or `None`.
    """

    id: str
    job: str
    started: float
    status: str | None
    report: dict[str, Any] | None


class State:
    """An open state database.

    Args:
        path: the file; made with its directory when it is missing. `None` keeps the state in a temporary file for as
            long as it is open.
        read_only: never write; a missing file is an empty database. What dry runs and `status` use.
        redact: takes secrets out of what is remembered: a server may quote in an error what it was sent.

    Raises:
        StateError: the file cannot be used; the message says why and what to do.
    """

    def __init__(self, path: Path | None, *, read_only: bool = False, redact: Redact = str) -> None:
        self.read_only = read_only
        self.redact = redact
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self.path = Path("of this run") if path is None else path
        with self._explained():
            if path is None:
                self._temporary = tempfile.TemporaryDirectory(prefix="cloudsync-state-", ignore_cleanup_errors=True)
                self.path = Path(self._temporary.name) / "state.db"
            self._connection = self._connect()
            try:
                self._prepare()
            except BaseException:
                self.close()
                raise

    def open_job(self, name: str, source: str, target: str) -> JobState:
        """Return the part of one job, locked against other processes unless the database is read-only.

        A job whose locations change starts with an empty base.

        Args:
            name: the job's name.
            source: a text that identifies the place that is read.
            target: likewise of the place that is written.

        Raises:
            StateError: another process runs this job.
        """
        place = (name, source, target)
        with self._explained():
            query = "SELECT id FROM job WHERE name = ? AND source = ? AND target = ?"
            row = self._connection.execute(query, place).fetchone()
            if row is None and not self.read_only:
                with self.writing() as connection:
                    connection.execute("INSERT OR IGNORE INTO job (name, source, target) VALUES (?, ?, ?)", place)
                row = self._connection.execute(query, place).fetchone()
        number = -1 if row is None else int(row[0])
        return JobState(self, number, self._lock(name, number))

    @contextlib.contextmanager
    def jobs_of_target(self, target: str) -> Iterator[list[int]]:
        """Yield the numbers of the jobs that write to a place, locked against other processes meanwhile.

        Args:
            target: as of `open_job`.

        Raises:
            StateError: another process runs one of them.
        """
        with self._explained():
            # Whoever only reads may have met a database without tables.
            there = self._check_version() != 0
            query = "SELECT id, name FROM job WHERE target = ? ORDER BY id"
            rows = self._connection.execute(query, (target,)).fetchall() if there else []
        with contextlib.ExitStack() as stack:
            for number, name in rows:
                if (lock := self._lock(name, number)) is not None:
                    stack.enter_context(lock)
            yield [number for number, _ in rows]

    def lock(self, name: str, kind: str, number: int) -> IO[str] | None:
        """Return what keeps other processes from something else than a job that the database holds, until it is closed.

        Args:
            name: for messages.
            kind: what it is, in one word: "subscription".
            number: of it in the database.

        Returns:
            An open file; `None` where no other process can come: the database is read-only, or a temporary one.

        Raises:
            StateError: another process has it.
        """
        if self.read_only or self._temporary is not None:
            return None
        with self._explained():
            return lock_job(name, self.path.with_name(f"{self.path.name}.{kind}-{number}.lock"), kind)

    def start_run(self, run_id: str, job: str, started: float) -> None:
        """Remember that a run began, so that one that was killed shows."""
        with self.writing() as connection:
            connection.execute("INSERT INTO run (id, job, started) VALUES (?, ?, ?)", (run_id, job, started))

    def finish_run(self, report: RunReport) -> None:
        """Remember how a run ended, and forget the oldest runs of its job."""
        job = report.run.job
        text = json.dumps(redacted(report.to_dict(), self.redact))
        with self.writing() as connection:
            connection.execute(
                "UPDATE run SET status = ?, report = ? WHERE id = ?", (report.status, text, report.run.id)
            )
            connection.execute(
                "DELETE FROM run WHERE job = ? AND id NOT IN "
                "(SELECT id FROM run WHERE job = ? ORDER BY started DESC LIMIT ?)",
                (job, job, RUNS_KEPT),
            )

    def runs(self, job: str | None = None, *, limit: int = RUNS_KEPT) -> list[PastRun]:
        """Return the last runs, newest first; of every job unless one is named."""
        with self._explained():
            rows = self._connection.execute(
                "SELECT id, job, started, status, report FROM run WHERE job = coalesce(?, job) "
                "ORDER BY started DESC, id DESC LIMIT ?",
                (job, limit),
            ).fetchall()
        return [
            PastRun(run, name, started, status, None if text is None else json.loads(text))
            for run, name, started, status, text in rows
        ]

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Open a write transaction, saved when the block ends."""
        with self._explained():
            # Taken at once: a transaction that begins by reading cannot always be turned into a writing one.
            self._connection.execute("BEGIN IMMEDIATE")
            with self._connection:
                yield self._connection

    @contextlib.contextmanager
    def using(self) -> Iterator[sqlite3.Connection]:
        """Use the connection of the thread that opened the database; what SQLite raises becomes `StateError`."""
        with self._explained():
            yield self._connection

    @contextlib.contextmanager
    def another(self) -> Iterator[sqlite3.Connection]:
        """Open a connection for the calling thread, closed at the end; what SQLite raises stays as it is."""
        with contextlib.closing(sqlite3.connect(self.path, timeout=_PATIENCE, isolation_level=None)) as connection:
            connection.execute(_DURABILITY)
            yield connection

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
        if self._temporary is not None:
            self._temporary.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _connect(self) -> sqlite3.Connection:
        if self.read_only:
            if not self.path.exists() or not self.path.stat().st_size:
                return sqlite3.connect("", isolation_level=None)
            # Not mode=ro: such a connection makes the files of the write-ahead log and may not remove them again.
            uri = f"{self.path.absolute().as_uri()}?mode=rw"
            connection = sqlite3.connect(uri, uri=True, timeout=_PATIENCE, isolation_level=None)
            connection.execute("PRAGMA query_only = ON")
            return connection
        try:
            self.path.parent.parent.mkdir(parents=True, exist_ok=True)
            # Keys are nobody else's business. A directory that exists is left as it is.
            self.path.parent.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise StateError(
                f"{self.path.parent}: the directory of the state database cannot be made: {error.strerror}",
                hint="name another place by 'state:' in the configuration, --state, or CLOUDSYNC_STATE_DIR",
            ) from error
        return sqlite3.connect(self.path, timeout=_PATIENCE, isolation_level=None)

    def _prepare(self) -> None:
        """Make sure that the file is ours before anything in it changes, and give a new one its tables."""
        new = self._check_version() == 0
        if new and self.read_only:
            # Its first writer was killed, or has only begun.
            self._connection.close()
            self._connection = sqlite3.connect("", isolation_level=None)
        elif not self.read_only:
            self._set_journal()
            self._connection.execute(_DURABILITY)
        if new:
            self._make_tables()

    def _set_journal(self) -> None:
        """Have the file written ahead of, which readers do not wait for, unless other machines may be on it.

        What is written ahead is found by memory that all processes share (https://www.sqlite.org/wal.html), which
        network file systems do not give; a rollback journal needs locks alone (H06).
        """
        mode = "WAL" if network_file_system(self.path) is None else "DELETE"
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                self._connection.execute(f"PRAGMA journal_mode = {mode}")
            except sqlite3.OperationalError as error:
                # For somebody who does the same at the same time, SQLite itself does not wait.
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    raise
                time.sleep(0.005)
            else:
                return

    def _make_tables(self) -> None:
        with self.writing() as connection:
            # Another process may have made them while this one waited for the lock.
            if self._check_version() == 0:
                for statement in _SCHEMA.split(";"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _check_version(self) -> int:
        """Return the version of the tables, 0 where there are none; in one query, since others may be making them."""
        version, tables = self._connection.execute(
            "SELECT user_version, (SELECT count(*) FROM sqlite_master) FROM pragma_user_version"
        ).fetchone()
        if version > SCHEMA_VERSION:
            raise StateError(
                f"the state database {self.path} was written by a newer cloudsync "
                f"(format {version}, this one knows {SCHEMA_VERSION})",
                hint="Upgrade cloudsync-core, or name another state file.",
            )
        if version == 0 and tables:
            raise StateError(
                f"{self.path} is a database of something else",
                hint="Name another state file; this one was not changed.",
            )
        return int(version)

    def _lock(self, name: str, number: int) -> IO[str] | None:
        if self.read_only or self._temporary is not None:
            return None
        with self._explained():
            return lock_job(name, self.path.with_name(f"{self.path.name}.{number}.lock"))

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn the errors of SQLite and of the file system into ours."""
        try:
            yield
        except (sqlite3.DatabaseError, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise StateError(f"the state database {self.path} cannot be used: {reason}", hint=way_out(error)) from error
