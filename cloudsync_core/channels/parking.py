"""What could not be delivered: looking at it, asking for it once more, giving it up.

These work beside a subscriber that runs, in any process that has its state database.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sqlite3
from collections.abc import Iterator, Sequence

from cloudsync_core.channels import ids
from cloudsync_core.channels.tables import Parked, parked_of, tables_exist
from cloudsync_core.engine.base import Database
from cloudsync_core.errors import ChannelError, ConfigError, printable

PAGE_LENGTH = 500


@dataclasses.dataclass(frozen=True, slots=True)
class Subscribed:
    """A subscription, as its state database knows it.

    Attributes:
        number: in the database.
        name: of the subscriber.
        channel: what identifies the channel.
        floor: every id below it is settled; `None` where that is none.
        newest: everything up to this id was settled at the end of the last pass that left nothing; "" before it.
        looked: when a pass last came to its end: seconds since the epoch, UTC; `None` before that.
        parked: updates, and objects that could not be read, that are parked.
    """

    number: int
    name: str
    channel: str
    floor: str | None
    newest: str
    looked: float | None
    parked: int


def subscriptions(database: Database, name: str | None = None, channel: str | None = None) -> list[Subscribed]:
    """Return the subscriptions that a state database knows, by channel and name.

    Args:
        database: in the thread that opened it; it may be read-only.
        name: only those of this name.
        channel: only those of this channel: `str` of its backend's identity.

    Raises:
        StateError: the database cannot be used.
    """
    with database.using() as connection:
        if not tables_exist(connection):
            return []
        rows = connection.execute(
            "SELECT id, name, channel, floor, newest, looked, "
            "(SELECT count(*) FROM parked WHERE subscription = subscription.id) FROM subscription "
            "WHERE name = coalesce(?, name) AND channel = coalesce(?, channel) ORDER BY channel, name",
            (name, channel),
        ).fetchall()
    return [dataclasses.replace(found, floor=found.floor or None) for found in (Subscribed(*row) for row in rows)]


def parked(database: Database, subscribed: Subscribed) -> Iterator[Parked]:
    """Yield what is parked of a subscription, in the order of the ids; a few rows at a time.

    Args:
        database: in the thread that opened it; it may be read-only.
        subscribed: the subscription.

    Raises:
        StateError: the database cannot be used.
    """
    after = ""
    while True:
        with database.using() as connection:
            rows = connection.execute(
                "SELECT id, key, topic, error, attempts, at, known, again FROM parked "
                "WHERE subscription = ? AND id > ? ORDER BY id LIMIT ?",
                (subscribed.number, after, PAGE_LENGTH),
            ).fetchall()
        if not rows:
            return
        yield from map(parked_of, rows)
        after = rows[-1][0]


def retry(database: Database, subscribed: Subscribed, update_ids: Sequence[str] | None = None) -> int:
    """Have what is parked delivered by the next pass; return how many that are.

    Args:
        database: writable.
        subscribed: the subscription.
        update_ids: only these; by default all.

    Raises:
        ChannelError: an id is not parked; nothing was changed.
        ConfigError: an id is none.
        StateError: the database cannot be used.
    """
    return _change(database, subscribed, update_ids, "UPDATE parked SET again = 1")


def drop(database: Database, subscribed: Subscribed, update_ids: Sequence[str] | None = None) -> int:
    """Give up what is parked: it is never delivered; return how many that are. See `retry`."""
    return _change(database, subscribed, update_ids, "DELETE FROM parked")


def _change(database: Database, subscribed: Subscribed, update_ids: Sequence[str] | None, statement: str) -> int:
    wanted = None if update_ids is None else sorted(set(update_ids))
    for one in wanted or ():
        if not ids.is_update_id(one):
            raise ConfigError(
                f"{printable(one)!r} is no id of an update", hint="`cloudsync channel parked` shows those that are."
            )
    with _writing(database) as connection:
        if wanted is None:
            return connection.execute(f"{statement} WHERE subscription = ?", (subscribed.number,)).rowcount
        chosen = "WHERE subscription = ? AND id IN (SELECT value FROM json_each(?))"
        values = (subscribed.number, json.dumps(wanted))
        [(found,)] = connection.execute(f"SELECT json_group_array(id) FROM parked {chosen}", values)  # noqa: S608
        if missing := sorted(set(wanted) - set(json.loads(found))):
            raise ChannelError(
                f"nothing is parked for {subscribed.name!r} under the id {missing[0]}",
                hint="`cloudsync channel parked` shows what is.",
            )
        return connection.execute(f"{statement} {chosen}", values).rowcount


@contextlib.contextmanager
def _writing(database: Database) -> Iterator[sqlite3.Connection]:
    # Whatever thread this is; and the errors of any connection are explained inside.
    with database.using(), database.another() as connection:
        connection.execute("BEGIN IMMEDIATE")
        with connection:
            yield connection
