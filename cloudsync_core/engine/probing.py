"""What a target can do that nobody has said: found out before the first write, and remembered for a while.

Of servers that speak the protocol of another, nobody knows which conditions of a write or a delete they honour; one
that ignores them overwrites what it should have kept. So that is tried, by the backend, on objects of its own
(catalogue E11).
"""

from __future__ import annotations

import logging
import sqlite3
import time
from typing import Final

from cloudsync_core.backend import Backend
from cloudsync_core.capabilities import Capabilities
from cloudsync_core.engine.base import Database
from cloudsync_core.errors import BackendError

_LOG = logging.getLogger(__name__)

BELIEVED_SECONDS: Final = 7 * 24 * 3600.0
"""How long what was found is believed: servers are upgraded, and proxies are put before them."""

_TRIED: Final = ("put_if_absent", "put_if_match", "delete_if_match")

_TABLE: Final = """
CREATE TABLE IF NOT EXISTS probed (
    place TEXT PRIMARY KEY,
    found TEXT NOT NULL,
    at REAL NOT NULL
) WITHOUT ROWID
"""
_EXISTS: Final = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'probed'"
_READ: Final = "SELECT found FROM probed WHERE place = ? AND at BETWEEN ? AND ?"
_WRITE: Final = "INSERT OR REPLACE INTO probed (place, found, at) VALUES (?, ?, ?)"


def find_out(target: Backend, database: Database) -> None:
    """Have a target find out what it can do; where it cannot be found out, it does without.

    Args:
        target: where a run is about to write.
        database: where what was found is remembered.
    """
    place = str(target.identity)
    known = _known(database, place)
    try:
        found = target.probe(known)
    except BackendError as error:
        _LOG.info("what %s can do was not found out, and nothing is taken for granted: %s", target.location, error)
        return
    if found is None:
        return
    _LOG.info(
        "%s %s: %s",
        target.location,
        "was found to honour" if found != known else "is known to honour",
        ", ".join(_told(target.capabilities)) or "no condition",
    )
    if found != known:
        _remember(database, place, found)


def _told(capabilities: Capabilities) -> list[str]:
    return [name for name in _TRIED if getattr(capabilities, name)]


def _known(database: Database, place: str) -> str | None:
    now = time.time()
    try:
        with database.another() as connection:
            if not connection.execute(_EXISTS).fetchone()[0]:
                return None
            row = connection.execute(_READ, (place, now - BELIEVED_SECONDS, now)).fetchone()
    except sqlite3.Error as error:
        _LOG.warning("what was found out earlier cannot be read: %s", type(error).__name__)
        return None
    return None if row is None else str(row[0])


def _remember(database: Database, place: str, found: str) -> None:
    try:
        with database.another() as connection:
            connection.execute("BEGIN IMMEDIATE")
            with connection:
                connection.execute(_TABLE)
                connection.execute(_WRITE, (place, found, time.time()))
    except (sqlite3.Error, UnicodeEncodeError) as error:
        _LOG.warning("what was found out cannot be remembered: %s", type(error).__name__)
