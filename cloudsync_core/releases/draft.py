"""A release in the making, and the one that it follows: two tables in a temporary file, so that memory is flat."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, Final, Self

from cloudsync_core.engine.codec import decode_object, encode_object
from cloudsync_core.models import Attributes, Digest, ObjectInfo
from cloudsync_core.releases.entries import Entry
from cloudsync_core.releases.names import parse_place, place

_BATCH: Final = 1000
"""Rows that are read at a time, so that what is read can be written meanwhile."""

_SCHEMA: Final = """
CREATE TABLE earlier (
    path TEXT PRIMARY KEY, size INTEGER NOT NULL, digest TEXT NOT NULL, key TEXT NOT NULL, attributes TEXT NOT NULL,
    there INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX earlier_key ON earlier (key);
CREATE INDEX earlier_digest ON earlier (digest, path);
CREATE TABLE gone (size INTEGER PRIMARY KEY);
CREATE TABLE file (
    path TEXT PRIMARY KEY, size INTEGER NOT NULL, digest TEXT, info TEXT, key TEXT, attributes TEXT, fingerprint TEXT,
    kept INTEGER NOT NULL DEFAULT 0, there INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX file_key ON file (key);
"""
_GONE: Final = """
INSERT OR IGNORE INTO gone (size)
SELECT size FROM earlier e WHERE there AND size > 0 AND NOT EXISTS (SELECT 1 FROM file f WHERE f.path = e.path)
"""
_UNREAD: Final = """
SELECT path, info FROM file f WHERE path > ? AND digest IS NULL AND (
    EXISTS (SELECT 1 FROM earlier e WHERE e.path = f.path AND e.size = f.size AND e.there)
    OR (EXISTS (SELECT 1 FROM gone g WHERE g.size = f.size)
        AND NOT EXISTS (SELECT 1 FROM earlier e WHERE e.path = f.path))
) ORDER BY path LIMIT ?
"""
_ALIKE: Final = """
SELECT path, size, digest, key, attributes FROM earlier WHERE there AND path = ? AND digest = ? AND size = ?
UNION ALL
SELECT * FROM (SELECT path, size, digest, key, attributes FROM earlier WHERE there AND digest = ? AND size = ?
               ORDER BY path LIMIT 20)
"""


@dataclasses.dataclass(frozen=True, slots=True)
class File:
    """A file of the source as it was listed.

    Attributes:
        info: the source's object.
        digest: of its content, where that is known.
        alike: what the release before holds of the same content, the same path first.
    """

    info: ObjectInfo
    digest: Digest | None
    alike: tuple[Entry, ...]


class Draft:
    """The files of a source on their way into a release; used by one thread."""

    def __init__(self) -> None:
        # A database without a name lies in a temporary file of SQLite's own, most of it in memory while it is small.
        self._rows = sqlite3.connect("", isolation_level=None)
        self._rows.execute("PRAGMA synchronous = OFF")
        self._rows.execute("PRAGMA journal_mode = OFF")
        self._rows.executescript(_SCHEMA)

    def close(self) -> None:
        """Forget everything."""
        self._rows.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def follow(self, entries: Iterable[Entry]) -> None:
        """Take in the release before."""
        self._rows.executemany(
            "INSERT INTO earlier (path, size, digest, key, attributes) VALUES (?, ?, ?, ?, ?)",
            ((one.path, one.size, str(one.digest), one.key, _pack(one.attributes)) for one in entries),
        )

    def trees(self) -> Iterator[str]:
        """Yield the releases in whose trees the objects of the release before lie."""
        query, after = "SELECT key FROM earlier WHERE key > ? ORDER BY key LIMIT 1", ""
        while row := self._rows.execute(query, (after,)).fetchone():
            at = parse_place(row[0])
            assert at is not None
            yield at[0]
            # What comes after everything in the folder.
            after = place(at[0], "\U0010ffff")

    def found(self, objects: Iterable[tuple[str, int]]) -> None:
        """Note that objects are there, by key and size; what is not noted is not referred to."""
        self._rows.executemany("UPDATE earlier SET there = 1 WHERE key = ? AND size = ?", objects)

    def add(self, info: ObjectInfo, digest: Digest | None) -> None:
        """Take in a file of the source, and its digest where that is known."""
        self._rows.execute(
            "INSERT INTO file (path, size, digest, info) VALUES (?, ?, ?, ?)",
            (info.key, info.size, None if digest is None else str(digest), json.dumps(encode_object(info))),
        )

    def begin_anew(self) -> None:
        """Forget the files; the release before stays."""
        self._rows.execute("DELETE FROM file")

    def unread(self) -> Iterator[ObjectInfo]:
        """Yield the files that may be what the release before has, and have to be read to tell.

        Those are the files of the size that the same path had, and new ones of the size of one that is gone.
        """
        self._rows.execute(_GONE)
        for row in self._pages(_UNREAD):
            yield decode_object(json.loads(row[1]))

    def learn(self, info: ObjectInfo, digest: Digest) -> None:
        """Note what a file was found to hold."""
        self._rows.execute(
            "UPDATE file SET digest = ?, size = ?, info = ? WHERE path = ?",
            (str(digest), info.size, json.dumps(encode_object(info)), info.key),
        )

    def files(self) -> Iterator[File]:
        """Yield every file, in the order of the paths."""
        for path, size, digest, text in self._pages(
            "SELECT path, size, digest, info FROM file WHERE path > ? ORDER BY path LIMIT ?"
        ):
            alike: list[Entry] = []
            if digest is not None:
                alike = [_entry(row) for row in self._rows.execute(_ALIKE, (path, digest, size, digest, size))]
            yield File(
                decode_object(json.loads(text)),
                None if digest is None else Digest.parse(digest),
                tuple(alike),
            )

    def keep(self, entry: Entry) -> None:
        """Settle a file that is an object of an earlier release."""
        self._settle(entry, None, kept=True)

    def sent(self, entry: Entry, fingerprint: str) -> None:
        """Settle a file that was written.

        Args:
            entry: the file.
            fingerprint: the target's, of the object that was written.
        """
        self._settle(entry, fingerprint, kept=False)

    def unsettled(self) -> Iterator[ObjectInfo]:
        """Yield the files that are neither kept nor written, in the order of the paths."""
        for row in self._pages("SELECT path, info FROM file WHERE path > ? AND key IS NULL ORDER BY path LIMIT ?"):
            yield decode_object(json.loads(row[1]))

    def keep_nothing(self) -> None:
        """Have every file written."""
        self._rows.execute("UPDATE file SET key = NULL, kept = 0 WHERE kept")

    def kept_as(self, key: str) -> Entry | None:
        """Return the file that is settled as an object of an earlier release."""
        row = self._rows.execute(
            "SELECT path, size, digest, key, attributes FROM file WHERE key = ? AND kept", (key,)
        ).fetchone()
        return None if row is None else _entry(row)

    def confirm(self, key: str, size: int, fingerprint: str) -> bool:
        """Note that an object is in the new tree, and return whether it is one that was written there."""
        done = self._rows.execute(
            "UPDATE file SET there = 1 WHERE key = ? AND size = ? AND NOT kept"
            " AND (fingerprint = '' OR ? = '' OR fingerprint = ?)",
            (key, size, fingerprint, fingerprint),
        )
        return done.rowcount == 1

    def unconfirmed(self) -> str | None:
        """Return the key of an object that was written and not seen to be there, or `None`."""
        row = self._rows.execute("SELECT key FROM file WHERE NOT kept AND NOT there ORDER BY key LIMIT 1").fetchone()
        return None if row is None else str(row[0])

    def entries(self) -> Iterator[Entry]:
        """Yield what the manifest tells, once every file is settled."""
        for row in self._pages(
            "SELECT path, size, digest, key, attributes FROM file WHERE path > ? ORDER BY path LIMIT ?"
        ):
            yield _entry(row)

    def is_as_before(self) -> bool:
        """Tell whether every file is settled as the same object at the same path as before, and none is gone."""
        different, files, before = self._rows.execute(
            "SELECT (SELECT count(*) FROM file f LEFT JOIN earlier e USING (path)"
            " WHERE e.path IS NULL OR f.key IS NOT e.key),"
            " (SELECT count(*) FROM file), (SELECT count(*) FROM earlier)"
        ).fetchone()
        return not different and files == before

    def count(self, *, kept: bool = False) -> int:
        """Return the number of files, or of those that are kept."""
        query = "SELECT count(*) FROM file WHERE kept >= ?"
        return int(self._rows.execute(query, (kept,)).fetchone()[0])

    def lost(self) -> Iterator[Entry]:
        """Yield the files of the release before whose objects were not found, in the order of the paths."""
        query = "SELECT path, size, digest, key, attributes FROM earlier WHERE path > ? AND NOT there ORDER BY path"
        for row in self._pages(f"{query} LIMIT ?"):
            yield _entry(row)

    def by_key(self) -> Iterator[tuple[str, Digest]]:
        """Yield key and digest of each object of the release before that was found, in the order of the keys."""
        query = "SELECT key, digest FROM earlier WHERE key > ? AND there GROUP BY key ORDER BY key LIMIT ?"
        for key, digest in self._pages(query):
            yield key, Digest.parse(digest)

    def _settle(self, entry: Entry, fingerprint: str | None, *, kept: bool) -> None:
        self._rows.execute(
            "UPDATE file SET size = ?, digest = ?, key = ?, attributes = ?, fingerprint = ?, kept = ? WHERE path = ?",
            (entry.size, str(entry.digest), entry.key, _pack(entry.attributes), fingerprint, kept, entry.path),
        )

    def _pages(self, query: str) -> Iterator[Sequence[Any]]:
        """Yield the rows of a query by path; they may be changed meanwhile."""
        after = ""
        while rows := self._rows.execute(query, (after, _BATCH)).fetchall():
            yield from rows
            after = rows[-1][0]


def _pack(attributes: Attributes) -> str:
    return json.dumps(encode_object(ObjectInfo("", 0, "", 0, attributes=attributes))[-1])


def _entry(row: Sequence[Any]) -> Entry:
    path, size, digest, key, attributes = row
    return Entry(path, size, Digest.parse(digest), key, Attributes(**json.loads(attributes)))
