"""The tables of subscriptions in the state database, made when the first of them is.

A database without any stays as it was, and so does its format's version: who does not know them is not disturbed.
"""

from __future__ import annotations

import dataclasses
import sqlite3
from typing import Final

TABLES: Final = (
    """
CREATE TABLE IF NOT EXISTS subscription (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    channel TEXT NOT NULL,
    instance TEXT NOT NULL,
    ready INTEGER NOT NULL DEFAULT 0,
    floor TEXT NOT NULL DEFAULT '',
    since INTEGER NOT NULL DEFAULT 0,
    newest TEXT NOT NULL DEFAULT '',
    looked REAL,
    UNIQUE (name, channel)
)
""",
    """
CREATE TABLE IF NOT EXISTS seen (
    subscription INTEGER NOT NULL REFERENCES subscription (id),
    id TEXT NOT NULL,
    PRIMARY KEY (subscription, id)
) WITHOUT ROWID
""",
    """
CREATE TABLE IF NOT EXISTS parked (
    subscription INTEGER NOT NULL REFERENCES subscription (id),
    id TEXT NOT NULL,
    key TEXT NOT NULL,
    topic TEXT,
    error TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    at REAL NOT NULL,
    known INTEGER,
    again INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (subscription, id)
) WITHOUT ROWID
""",
)
"""Statements that make them where they are missing."""

_EXIST: Final = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'parked'"


@dataclasses.dataclass(frozen=True, slots=True)
class Parked:
    """An update that could not be delivered, or an object of updates that could not be read.

    Attributes:
        id: of the update, or of the object.
        key: the object.
        topic: of the update; `None` for an object, whose updates nobody has seen.
        error: why, in words for the user.
        attempts: how often its delivery was tried.
        at: when it was parked, or tried last: seconds since the epoch, UTC.
        known: of an object whose format is too new, the newest format that was known to who parked it; else `None`.
        again: it is to be delivered by the next pass.
    """

    id: str
    key: str
    topic: str | None
    error: str
    attempts: int
    at: float
    known: int | None = None
    again: bool = False


def tables_exist(connection: sqlite3.Connection) -> bool:
    """Tell whether there ever was a subscription in a database."""
    return bool(connection.execute(_EXIST).fetchone()[0])


def parked_of(row: tuple[str, str, str | None, str, int, float, int | None, int]) -> Parked:
    """Return what a row of the table says."""
    return Parked(*row[:-1], again=bool(row[-1]))
