"""The keys that may have changed and were not looked at since: durable, debounced, and never more than can be handled.

A key is looked at once nothing was heard of it for a moment, so that a file that is being written is read when it is
whole; one of which something is heard all the time is looked at all the same, now and then. What is heard while a look
is under way makes the key dirty again.

The table was added to databases that had none, and whoever does not know it is not disturbed by it: the version of the
format stays.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from cloudsync_core.engine.base import JobState
from cloudsync_core.engine.part import Part

LOOKED_AT_ONCE: Final = 10_000
"""Dirty keys in one part, at most."""

TOO_MANY: Final = 200_000
"""Dirty keys beyond which a look at everything costs less than a look at each."""

_NOTHING: Final[Mapping[str, float]] = MappingProxyType({})

_TABLE: Final = """
CREATE TABLE IF NOT EXISTS dirty (
    job INTEGER NOT NULL REFERENCES job (id),
    key TEXT NOT NULL,
    is_folder INTEGER NOT NULL,
    first REAL NOT NULL,
    last REAL NOT NULL,
    put_off REAL NOT NULL,
    serial INTEGER NOT NULL,
    PRIMARY KEY (job, key, is_folder)
) WITHOUT ROWID
"""
_ADD: Final = """
INSERT INTO dirty (job, key, is_folder, first, last, put_off, serial)
VALUES (:job, :key, :is_folder, :now, :now, 0, :serial)
ON CONFLICT (job, key, is_folder) DO UPDATE SET last = :now, put_off = 0, serial = :serial
"""
_KEEP: Final = """
INSERT INTO dirty (job, key, is_folder, first, last, put_off, serial)
VALUES (:job, :key, false, :now, :now, 0, :serial) ON CONFLICT (job, key, is_folder) DO NOTHING
"""
_READY: Final = "max(min(last + :quiet, first + :longest), put_off)"
_DUE: Final = f"""
SELECT key, is_folder, last FROM dirty WHERE job = :job AND {_READY} <= :now ORDER BY key LIMIT :limit
"""  # noqa: S608 - of constants
_NEXT: Final = f"SELECT min({_READY}) FROM dirty WHERE job = :job"  # noqa: S608 - likewise
_SETTLE: Final = """
DELETE FROM dirty WHERE job = :job AND key = :key AND is_folder = :is_folder AND serial <= :serial
"""
_PUT_OFF: Final = "UPDATE dirty SET put_off = :until WHERE job = :job AND key = :key"
_COUNT: Final = "SELECT count(*), min(first), min(serial) FROM dirty WHERE job = ?"


@dataclasses.dataclass(frozen=True, slots=True)
class Pace:
    """How long a key is waited for, in seconds.

    Attributes:
        quiet: it is looked at when nothing was heard of it for so long.
        longest: and when it has been dirty for so long, whatever is heard.
    """

    quiet: float = 0.5
    longest: float = 10.0


@dataclasses.dataclass(frozen=True, slots=True)
class Due:
    """What is to be looked at now.

    Attributes:
        part: the keys and folders.
        folders: those folders as they were heard of, one below another among them.
        heard: when each key was last heard of: seconds since the epoch, UTC.
        serial: what is heard from now on has a higher one.
    """

    part: Part
    folders: Sequence[str]
    heard: dict[str, float]
    serial: int


class Dirty:
    """The dirty keys of one job; used from one thread.

    Times are seconds since the epoch, UTC, as the caller tells them. A clock that is set back delays a look by as
    much, at most until the next look at everything.

    Args:
        base: the job's part of the state database.
        pace: how long keys are waited for.

    Raises:
        StateError: the database cannot be used.
    """

    def __init__(self, base: JobState, pace: Pace = Pace()) -> None:
        self._database, self._job = base.place
        self._pace = pace
        self._waiting: collections.deque[tuple[int, Callable[[], None]]] = collections.deque()
        with self._database.using() as connection:
            connection.execute(_TABLE)
            (highest,) = connection.execute("SELECT coalesce(max(serial), 0) FROM dirty").fetchone()
        self._serial = int(highest)

    def add(
        self,
        names: Collection[str],
        folders: Collection[str] = (),
        *,
        now: float,
        done: Callable[[], None] | None = None,
    ) -> None:
        """Take keys for dirty, and all that lies in folders.

        Args:
            names: exact keys.
            folders: likewise; with or without a trailing slash.
            now: when that was heard.
            done: called when all of them have been looked at and settled, or when everything was.

        Raises:
            StateError: the database cannot be written.
        """
        self._serial += 1
        if done is not None:
            self._waiting.append((self._serial, done))
        values = {"job": self._job, "now": now, "serial": self._serial}
        rows = [{**values, "key": name, "is_folder": False} for name in names]
        rows += [{**values, "key": folder.removesuffix("/"), "is_folder": True} for folder in folders]
        if not rows:
            self._acknowledge()
            return
        with self._database.using() as connection:
            connection.execute("BEGIN IMMEDIATE")
            with connection:
                connection.executemany(_ADD, rows)

    def due(self, now: float) -> Due:
        """Return what is to be looked at now; an empty part when nothing is.

        Raises:
            StateError: the database cannot be read.
        """
        values = {**self._values, "now": now, "limit": LOOKED_AT_ONCE}
        with self._database.using() as connection:
            rows = connection.execute(_DUE, values).fetchall()
        heard = {key: last for key, is_folder, last in rows if not is_folder}
        folders = [key for key, is_folder, _ in rows if is_folder]
        return Due(Part(heard, folders), folders, heard, self._serial)

    def wait(self, now: float) -> float | None:
        """Return the seconds until something is due, 0 when something is, and `None` when nothing is dirty."""
        with self._database.using() as connection:
            (ready,) = connection.execute(_NEXT, self._values).fetchone()
        return None if ready is None else max(0.0, float(ready) - now)

    def settle(self, due: Due, *, now: float, put_off: Mapping[str, float] = _NOTHING) -> None:
        """Take what was looked at for clean, but for what was heard of meanwhile.

        Args:
            due: what was looked at.
            now: when that was.
            put_off: keys that are to be looked at again, each with the time before which that is no use; those that
                were looked at with a folder among them.

        Raises:
            StateError: the database cannot be written.
        """
        values = {"job": self._job, "serial": due.serial, "now": now}
        settled = [{**values, "key": key, "is_folder": False} for key in due.heard if key not in put_off]
        settled += [{**values, "key": folder, "is_folder": True} for folder in due.folders]
        kept = [{**values, "key": key, "until": until} for key, until in put_off.items()]
        with self._database.using() as connection:
            connection.execute("BEGIN IMMEDIATE")
            with connection:
                connection.executemany(_SETTLE, settled)
                connection.executemany(_KEEP, kept)
                connection.executemany(_PUT_OFF, kept)
        self._acknowledge()

    def put_off(self, names: Mapping[str, float], *, now: float) -> None:
        """Have keys looked at again that were not known to be dirty, each not before a time; see `settle`."""
        self.settle(Due(Part(), (), {}, self._serial), now=now, put_off=names)

    def again(self, due: Due, until: float) -> None:
        """Have all that was looked at looked at again, and not before some time.

        Raises:
            StateError: the database cannot be written.
        """
        rows = [{"job": self._job, "key": key, "until": until} for key in (*due.heard, *due.folders)]
        with self._database.using() as connection:
            connection.execute("BEGIN IMMEDIATE")
            with connection:
                connection.executemany(_PUT_OFF, rows)

    def settle_everything(self, serial: int) -> None:
        """Take for clean whatever was heard of up to a serial: everything has been looked at since.

        Raises:
            StateError: the database cannot be written.
        """
        with self._database.using() as connection:
            connection.execute("DELETE FROM dirty WHERE job = ? AND serial <= ?", (self._job, serial))
        self._acknowledge()

    @property
    def serial(self) -> int:
        """The serial of what was heard last."""
        return self._serial

    def count(self) -> tuple[int, float | None]:
        """Return how many keys and folders are dirty, and since when the oldest is."""
        with self._database.using() as connection:
            number, since, _ = connection.execute(_COUNT, (self._job,)).fetchone()
        return int(number), since

    @property
    def _values(self) -> dict[str, float]:
        return {"job": self._job, "quiet": self._pace.quiet, "longest": self._pace.longest}

    def _acknowledge(self) -> None:
        if not self._waiting:
            return
        with self._database.using() as connection:
            *_, oldest = connection.execute(_COUNT, (self._job,)).fetchone()
        while self._waiting and (oldest is None or self._waiting[0][0] < oldest):
            self._waiting.popleft()[1]()
