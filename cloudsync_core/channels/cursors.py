"""What a subscriber has settled of a channel, in the state database.

Every update whose id is below the *floor* is settled; above it, the table `seen` says which are. An object of updates
is one row when all of it is settled, and a row an update until then: `<object id>.0000` for the first of them. What
could not be delivered lies in `parked`.

What is settled is saved at once, in a transaction of its own: a process may be killed at any moment, and only what it
has in hand comes again. (Where the machine itself fails, the last moments may be lost, and come again.)
"""

from __future__ import annotations

import contextlib
import json
import secrets
import sqlite3
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Final, Self

from cloudsync_core.channels import ids
from cloudsync_core.channels.tables import TABLES, Parked, parked_of, tables_exist
from cloudsync_core.engine.base import Database

_OPEN: Final = "SELECT id, instance, ready, floor, since, newest FROM subscription WHERE name = ? AND channel = ?"
_WHOLE: Final = (
    "SELECT json_group_array(id) FROM seen WHERE subscription = ? AND id IN (SELECT value FROM json_each(?))"
)
_PARTS: Final = "SELECT json_group_array(id) FROM seen WHERE subscription = ? AND id > ? AND id < ?"
_FORGET_PARTS: Final = "DELETE FROM seen WHERE subscription = ? AND id > ? AND id < ?"
_SEE: Final = "INSERT OR IGNORE INTO seen (subscription, id) VALUES (?, ?)"
_SEE_ALL: Final = "INSERT OR IGNORE INTO seen (subscription, id) SELECT ?, value FROM json_each(?)"
_PARK: Final = (
    "INSERT OR REPLACE INTO parked (subscription, id, key, topic, error, attempts, at, known, again) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_OBJECT_LENGTH: Final = len("20261120T203540.123456Z-1a2b3c4d")
_LONGEST_ERROR: Final = 2000
"""Characters of an error that are kept."""


class Cursor:
    """The cursor of one subscription; to be opened, used and closed in one thread.

    Opening makes the subscription where it is new, and keeps other processes from it until it is closed.

    Args:
        database: the open state database, writable.
        name: of the subscriber.
        channel: what identifies the channel.

    Raises:
        StateError: another process has the subscription, which the message names, or the database cannot be used.

    Attributes:
        number: of the subscription in the database.
        instance: tells it from every other one of that name, wherever.
        ready: whether it has begun; until then nothing is settled.
        floor: every id below it is settled; `None` where that is none.
        since_ns: what the store got before then is settled without being looked at: nanoseconds since the epoch.
        newest: the newest id of which everything up to it was settled at the end of a pass; "" before that.
    """

    def __init__(self, database: Database, name: str, channel: str) -> None:
        self._database = database
        with contextlib.ExitStack() as stack:
            # Inside, the errors of any connection are explained.
            stack.enter_context(self._explained())
            self._connection = stack.enter_context(database.another())
            row = self._opened(name, channel)
            self.number, self.instance = int(row[0]), str(row[1])
            if (lock := database.lock(name, "subscription", self.number)) is not None:
                stack.enter_context(lock)
            # Whoever had the lock until now may have moved it.
            row = self._connection.execute(_OPEN, (name, channel)).fetchone()
            self.ready = bool(row[2])
            self.floor: str | None = row[3] or None
            self.since_ns, self.newest = int(row[4]), str(row[5])
            self._stack = stack.pop_all()

    def begin(self, floor: str | None, since_ns: int) -> None:
        """Let the subscription begin anew, with nothing settled but what is below the floor."""
        with self._writing() as connection:
            connection.execute("DELETE FROM seen WHERE subscription = ?", (self.number,))
            connection.execute(
                "UPDATE subscription SET floor = ?, since = ? WHERE id = ?", (floor or "", since_ns, self.number)
            )
        self.floor, self.since_ns = floor, since_ns

    def set_ready(self) -> None:
        """Remember that the subscription has begun."""
        with self._writing() as connection:
            connection.execute("UPDATE subscription SET ready = 1 WHERE id = ?", (self.number,))
        self.ready = True

    def settled(self, object_ids: Sequence[str]) -> set[str]:
        """Return those of the objects of which everything is settled."""
        with self._explained():
            [(found,)] = self._connection.execute(_WHOLE, (self.number, json.dumps(object_ids)))
        return {one for one in object_ids if self.floor is not None and one < self.floor}.union(json.loads(found))

    def settled_in(self, object_id: str) -> set[str]:
        """Return the ids of the updates of an object that are settled while others of it are not."""
        with self._explained():
            [(found,)] = self._connection.execute(_PARTS, (self.number, *_parts(object_id)))
        return {_update_of(row) for row in json.loads(found)}

    def settle_objects(self, object_ids: Sequence[str]) -> None:
        """Settle all of some objects, without looking into them."""
        if object_ids:
            with self._writing() as connection:
                connection.execute(_SEE_ALL, (self.number, json.dumps(object_ids)))

    def settle(self, object_id: str, update_ids: Sequence[str], *, rest: int, parked: Parked | None = None) -> None:
        """Settle some updates of an object, in one transaction.

        Args:
            object_id: the object.
            update_ids: which of its updates.
            rest: how many of its updates are not settled then; 0 where all are.
            parked: what became of one of them, where it was not delivered.
        """
        with self._writing() as connection:
            if rest:
                connection.execute(_SEE_ALL, (self.number, json.dumps([_row_of(one) for one in update_ids])))
            else:
                connection.execute(_FORGET_PARTS, (self.number, *_parts(object_id)))
                connection.execute(_SEE, (self.number, object_id))
            if parked is not None:
                self._park(connection, parked)

    def park(self, *parked: Parked, instead_of: str | None = None) -> None:
        """Park what is settled already, in place of what is parked under an id.

        Args:
            *parked: what to park; replaces what is parked under the same id.
            instead_of: the id of what is parked no longer.
        """
        with self._writing() as connection:
            if instead_of is not None:
                connection.execute("DELETE FROM parked WHERE subscription = ? AND id = ?", (self.number, instead_of))
            for one in parked:
                self._park(connection, one)

    def to_retry(self) -> Iterator[Parked]:
        """Yield what is parked and to be delivered by this pass, in the order of the ids."""
        after = ""
        while True:
            with self._explained():
                found = self._connection.execute(
                    "SELECT id, key, topic, error, attempts, at, known, again FROM parked "
                    "WHERE subscription = ? AND again AND id > ? ORDER BY id LIMIT 1",
                    (self.number, after),
                ).fetchone()
            if found is None:
                return
            yield parked_of(found)
            after = found[0]

    def retry_older_formats(self, known: int) -> tuple[int, str | None]:
        """Have what was too new for an older cloudsync delivered by the next pass.

        Args:
            known: the newest format that is known now.

        Returns:
            How many objects still are too new, and the key of the oldest of them.
        """
        with self._writing() as connection:
            connection.execute("UPDATE parked SET again = 1 WHERE subscription = ? AND known < ?", (self.number, known))
            [(count, key)] = connection.execute(
                "SELECT count(*), min(key) FROM parked WHERE subscription = ? AND known >= ?", (self.number, known)
            )
        return int(count), key

    def parked_objects(self, limit: int) -> list[str]:
        """Return the ids of the objects that hold what is parked, the oldest of them."""
        with self._explained():
            rows = self._connection.execute(
                "SELECT DISTINCT substr(id, 1, ?) FROM parked WHERE subscription = ? ORDER BY 1 LIMIT ?",
                (_OBJECT_LENGTH, self.number, limit),
            ).fetchall()
        return [str(row[0]) for row in rows]

    def advance(self, floor: str | None, newest: str | None) -> None:
        """Move the floor, and forget what lies below it.

        Args:
            floor: the new one; a lower one than it is changes nothing.
            newest: see the attribute; `None` where the pass has left something.
        """
        floor = max(floor or "", self.floor or "")
        newest = max(newest or "", self.newest)
        with self._writing() as connection:
            connection.execute("DELETE FROM seen WHERE subscription = ? AND id < ?", (self.number, floor))
            connection.execute(
                "UPDATE subscription SET floor = ?, newest = ?, looked = ? WHERE id = ?",
                (floor, newest, time.time(), self.number),
            )
        self.floor, self.newest = floor or None, newest

    def close(self) -> None:
        """Let other processes have the subscription."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _opened(self, name: str, channel: str) -> tuple[Any, ...]:
        if tables_exist(self._connection):
            row = self._connection.execute(_OPEN, (name, channel)).fetchone()
            if row is not None:
                return tuple(row)
        with self._writing() as connection:
            for table in TABLES:
                connection.execute(table)
            connection.execute(
                "INSERT OR IGNORE INTO subscription (name, channel, instance) VALUES (?, ?, ?)",
                (name, channel, secrets.token_hex(8)),
            )
        return tuple(self._connection.execute(_OPEN, (name, channel)).fetchone())

    def _park(self, connection: sqlite3.Connection, one: Parked) -> None:
        error = one.error[:_LONGEST_ERROR].encode(errors="backslashreplace").decode()
        values = (one.id, one.key, one.topic, error, one.attempts, one.at, one.known, one.again)
        connection.execute(_PARK, (self.number, *values))

    def _explained(self) -> contextlib.AbstractContextManager[object]:
        # Only for what it makes of errors: its connection belongs to another thread, maybe.
        return self._database.using()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._explained():
            # Taken at once: a transaction that begins by reading cannot always be turned into a writing one.
            self._connection.execute("BEGIN IMMEDIATE")
            with self._connection:
                yield self._connection


def _row_of(update_id: str) -> str:
    return f"{update_id}.0000" if ids.object_of(update_id) == update_id else update_id


def _update_of(row: str) -> str:
    return row.removesuffix(".0000")


def _parts(object_id: str) -> tuple[str, str]:
    """Return what the rows of the updates of an object lie between."""
    return f"{object_id}.", f"{object_id}/"
