"""The base of one job in the state database: read as columns, and written behind the run's back.

SQLite lets other threads run with every row that it hands over or takes. Beside a busy thread each of these moments
costs some 300 us, so that nothing here goes row by row: a page is read, and a batch is written, by one step of one
statement, whose rows travel as JSON arrays.
"""

from __future__ import annotations

import contextlib
import json
import queue
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import IO, Protocol

from cloudsync_core import keys
from cloudsync_core.crashpoints import hit
from cloudsync_core.engine.diff import BasePage, BaseRow
from cloudsync_core.engine.part import Part

PAGE_LENGTH = 2000

BATCH_LENGTH = 1000
"""Rows that are written together."""

BATCH_SECONDS = 2.0
"""How long a row waits at most for others, while rows keep coming."""

BATCHES_WAITING = 4
"""Batches that wait for the disk before who notes more has to wait, too."""

Batch = Mapping[str, BaseRow | None]
"""What is known of some keys; `None` where a key is on neither side any more."""

_COLUMNS = """
SELECT json_group_array(key), json_group_array(source), json_group_array(target), json_group_array(digest)
FROM (SELECT key, source, target, digest FROM base WHERE job = ? AND {} ORDER BY key LIMIT ?)
"""
_PAGE = _COLUMNS.format("key > ? AND (? IS NULL OR key < ?)")
_PAGE_FROM = _COLUMNS.format("key >= ? AND (? IS NULL OR key < ?)")
_PAGE_OF_NAMES = _COLUMNS.format("key IN (SELECT value FROM json_each(?))")
_PAGE_OF_ONE = _COLUMNS.format("key = ?")
_AFTER_SLASH = chr(ord("/") + 1)
_WRITE = """
INSERT OR REPLACE INTO base (job, key, source, target, digest)
SELECT ?, json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
       json_extract(value, '$[3]')
FROM json_each(?)
"""
_WRITE_ROW = "INSERT OR REPLACE INTO base (job, key, source, target, digest) VALUES (?, ?, ?, ?, ?)"
_FORGET = "DELETE FROM base WHERE job = ? AND key = ?"


class Database(Protocol):
    """The open state database that a base lies in; see `State`."""

    read_only: bool

    def using(self) -> AbstractContextManager[sqlite3.Connection]:
        """Use the connection of the thread that opened the database; what SQLite raises becomes `StateError`."""

    def another(self) -> AbstractContextManager[sqlite3.Connection]:
        """Open a connection for the calling thread, closed at the end; what SQLite raises stays as it is."""

    def lock(self, name: str, kind: str, number: int) -> IO[str] | None:
        """Return what keeps other processes from a part of it that is no job; see `State.lock`."""


class JobState:
    """The base of one job; made by `State.open_job`, used from one thread.

    What is noted is written by a thread of its own, in order. What goes wrong there raises at the next call here.

    Args:
        database: where it lies. What is noted in a read-only one is forgotten.
        number: the job in the database.
        lock: keeps other processes from running the job; closed at the end.

    Attributes:
        prompt: what is noted is written at once, with what was noted while the disk was busy, because another job is
            to read it while this one goes on.
    """

    def __init__(self, database: Database, number: int, lock: IO[str] | None) -> None:
        self.prompt = False
        self._database = database
        self._number = number
        self._lock = lock
        self._unsaved: dict[str, BaseRow | None] = {}
        self._saved_at = time.monotonic()
        self._writer: _Writer | None = None

    @property
    def place(self) -> tuple[Database, int]:
        """The database, and the job's number in it."""
        return self._database, self._number

    def pages(self, part: Part | None = None) -> Iterator[BasePage]:
        """Yield the base in key order, all that was noted so far; what is noted meanwhile does not disturb it.

        Args:
            part: only the keys of this part; by default all.

        Raises:
            StateError: the database cannot be used.
        """
        self.save()
        if part is None:
            yield from self._below("")
            return
        for names, folder in part.batches(PAGE_LENGTH):
            if folder is None:
                yield from self._named(names)
            else:
                yield from self._below(keys.folder(folder))

    def _below(self, start: str) -> Iterator[BasePage]:
        after, before = start, start[:-1] + _AFTER_SLASH if start else None
        # The marker of the folder itself is below it, too.
        query = _PAGE_FROM if start else _PAGE
        while True:
            page = self._page(query, (self._number, after, before, before, PAGE_LENGTH))
            if not page.keys:
                return
            yield page
            after, query = page.keys[-1], _PAGE

    def _named(self, names: Sequence[str]) -> Iterator[BasePage]:
        text = json.dumps(names)
        # SQLite ends a text of JSON at such a character; the names that have one go alone.
        if r"\u0000" in text:
            for name in names:
                page = self._page(_PAGE_OF_ONE, (self._number, name, 1))
                if page.keys:
                    yield page
        else:
            page = self._page(_PAGE_OF_NAMES, (self._number, text, PAGE_LENGTH))
            if page.keys:
                yield page

    def _page(self, query: str, values: tuple[object, ...]) -> BasePage:
        with self._database.using() as connection:
            columns = connection.execute(query, values).fetchone()
        return BasePage(*map(json.loads, columns))

    def record(self, key: str, row: BaseRow) -> None:
        """Remember that both sides were equal, and what they were then."""
        self._note(key, row)

    def forget(self, key: str) -> None:
        """Remove the key: it is on neither side any more."""
        self._note(key, None)

    def save(self) -> None:
        """Make everything noted so far durable.

        Raises:
            StateError: that, or something noted before, cannot be written.
        """
        self._hand_over()
        if self._writer is not None:
            self._writer.finish()

    def close(self) -> None:
        """Save, and let other processes run the job."""
        hit("shutdown.begin")
        try:
            self.save()
        finally:
            if self._writer is not None:
                self._writer.close()
            if self._lock is not None:
                self._lock.close()

    def _note(self, key: str, row: BaseRow | None) -> None:
        if self._database.read_only:
            return
        self._unsaved[key] = row
        if self.prompt or len(self._unsaved) >= BATCH_LENGTH or time.monotonic() - self._saved_at > BATCH_SECONDS:
            self._hand_over()

    def _hand_over(self) -> None:
        self._saved_at = time.monotonic()
        if not self._unsaved:
            return
        if self._writer is None:
            waiting = BATCHES_WAITING * (BATCH_LENGTH if self.prompt else 1)
            self._writer = _Writer(self._database, self._number, waiting)
        batch, self._unsaved = self._unsaved, {}
        self._writer.write(batch)


class _Writer:
    """A thread that writes batches, in the order in which they come."""

    def __init__(self, database: Database, number: int, waiting: int) -> None:
        self._database = database
        self._number = number
        self._batches: queue.Queue[Batch | None] = queue.Queue(waiting)
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._work, name="cloudsync-state", daemon=True)
        self._thread.start()

    def write(self, batch: Batch) -> None:
        self._raise_failure()
        self._batches.put(batch)

    def finish(self) -> None:
        self._batches.join()
        self._raise_failure()

    def close(self) -> None:
        self._batches.put(None)
        self._thread.join()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            with self._database.using():
                raise self._failure

    def _work(self) -> None:
        with contextlib.ExitStack() as stack:
            connection: sqlite3.Connection | None = None
            while (batch := self._batches.get()) is not None:
                batch, taken = self._with_those_that_wait(batch)
                try:
                    if self._failure is None:
                        connection = connection or stack.enter_context(self._database.another())
                        _write(connection, self._number, batch)
                except Exception as error:  # noqa: BLE001 - raised again in the thread that notes, which would else wait
                    # Nothing is written from here on: a later word about a key must not stand without those before it.
                    self._failure = error
                finally:
                    for _ in range(taken):
                        self._batches.task_done()

    def _with_those_that_wait(self, batch: Batch) -> tuple[Batch, int]:
        """Return a batch with small ones that follow it, and how many they are: they take one transaction."""
        together, taken = dict(batch), 1
        with contextlib.suppress(queue.Empty):
            while len(together) < BATCH_LENGTH:
                following = self._batches.get_nowait()
                if following is None:
                    # The end, which is met once more.
                    self._batches.task_done()
                    self._batches.put(None)
                    break
                together |= following
                taken += 1
        return together, taken


def _write(connection: sqlite3.Connection, job: int, batch: Batch) -> None:
    kept = [(key, row.source, row.target, row.digest) for key, row in batch.items() if row is not None]
    if not _is_text(json.dumps(kept, ensure_ascii=False)):
        # SQLite would store what it cannot give back. What a store told in bytes that are no text is not remembered.
        kept = [(key, _text(source), _text(target), _text(digest)) for key, source, target, digest in kept]
    gone = [(job, key) for key, row in batch.items() if row is None]
    text = json.dumps(kept)
    # Taken at once: a transaction that begins by reading cannot always be turned into a writing one.
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        if r"\u0000" in text:
            # SQLite ends a text of JSON at such a character.
            connection.executemany(_WRITE_ROW, [(job, *row) for row in kept])
        elif kept:
            connection.execute(_WRITE, (job, text))
        connection.executemany(_FORGET, gone)
        hit("state.txn.begin")
    hit("state.txn.committed")
    if gone:
        hit("del.state.committed")


def _text(told: str | None) -> str | None:
    return told if told is not None and _is_text(told) else None


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
