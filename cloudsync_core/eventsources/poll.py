"""`poll`: listings of any location, each compared with the one before, which lies on disk.

Nothing holds a listing in memory, and the order of the keys does not matter. How often it lists adapts: right after a
change it is likely that there is another one, and nothing is listed so often that listing is most of what is done.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import sqlite3
import threading
import time
from collections.abc import Iterator
from typing import Final

from pydantic import Field

from cloudsync_core.errors import BackendError
from cloudsync_core.event_source import HINTED_AT_ONCE, EventSource, Hints, Watched
from cloudsync_core.models import Page
from cloudsync_core.options import BackendOptions

_LOG = logging.getLogger(__name__)

_SLOWER: Final = 1.5
"""By how much the pause grows with each listing that shows nothing new."""

_LISTING_SHARE: Final = 4
"""A pause is at least so many times as long as the listing before it took."""

_TABLE: Final = "CREATE TABLE seen (key TEXT PRIMARY KEY, fingerprint TEXT, pass INTEGER) WITHOUT ROWID"
_FIND: Final = "SELECT fingerprint FROM seen WHERE key = ?"
_SEE: Final = "INSERT OR REPLACE INTO seen (key, fingerprint, pass) VALUES (?, ?, ?)"
_GONE: Final = "SELECT key FROM seen WHERE pass != ? AND key > ? ORDER BY key LIMIT ?"
_FORGET: Final = "DELETE FROM seen WHERE pass != ?"


class PollOptions(BackendOptions):
    """Options of `poll`.

    Attributes:
        interval: seconds between two listings while something changes.
        slowest: seconds between two listings at most, however long nothing has changed.
    """

    interval: float = Field(default=10.0, gt=0)
    slowest: float = Field(default=60.0, gt=0)


class PollEvents(EventSource):
    """Tells what two listings differ in; of what changes while it is listed, the next one tells.

    The first listing has none to be compared with: when it is complete, everything is to be looked at once more.

    Args:
        watched: what is listed.
        options: see `PollOptions`.
    """

    def __init__(self, watched: Watched, options: PollOptions | None = None) -> None:
        self._watched = watched
        self._options = options or PollOptions()
        self._pause = self._options.interval
        self._next = 0.0
        self._steps: Iterator[Hints | None] | None = None
        self._pass = 0
        self._compared = False
        self._complained = False
        self._closed = threading.Event()
        self._waiting = threading.Lock()
        # A file of SQLite's own, which is gone when the connection is.
        self._seen = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._seen.execute(_TABLE)

    def wait(self, timeout: float) -> Hints | None:
        """Return hints. See `EventSource.wait`."""
        with self._waiting:
            return self._wait(time.monotonic() + timeout)

    def _wait(self, until: float) -> Hints | None:
        while not self._closed.is_set():
            if self._steps is None:
                now = time.monotonic()
                if self._closed.wait(max(0.0, min(self._next, until) - now)) or self._next > until:
                    return None
                self._steps = self._compare()
            try:
                hints = next(self._steps)
            except StopIteration:
                self._steps = None
                continue
            if hints is not None or time.monotonic() >= until:
                return hints
        return None

    def close(self) -> None:
        """List no more."""
        self._closed.set()
        with self._waiting:
            self._steps = None
            self._seen.close()

    def _compare(self) -> Iterator[Hints | None]:
        """Compare a listing with the one before, a page a step."""
        began = time.monotonic()
        self._pass += 1
        changes = 0
        try:
            for page in self._watched.backend.list(prune=self._watched.prune):
                changed = self._look(page)
                changes += len(changed)
                # Before the first listing is complete, nothing was there before.
                yield Hints(keys=changed) if changed and self._compared else None
        except BackendError as error:
            yield from self._put_off(error)
            return
        for gone in self._gone():
            changes += len(gone)
            yield Hints(keys=gone)
        self._complained = False
        self._pace(time.monotonic() - began, changed=changes > 0)
        if not self._compared:
            self._compared = True
            yield Hints(everything="it was listed for the first time, and may have changed meanwhile")

    def _put_off(self, error: BackendError) -> Iterator[Hints]:
        """Let whoever looks at everything meet the error, and list again later."""
        self._compared = False
        self._pace(0.0, changed=False)
        if not self._complained:
            self._complained = True
            _LOG.warning("%s", error)
            yield Hints(everything="it cannot be listed")

    def _look(self, page: Page) -> tuple[str, ...]:
        """Return the keys of a page that are not as they were, and remember what they are."""
        with self._writing():
            changed = []
            for key, fingerprint in zip(page.keys, page.fingerprints, strict=True):
                row = self._seen.execute(_FIND, (key,)).fetchone()
                # What cannot tell whether it has changed is taken for changed.
                if row is None or not fingerprint or row[0] != fingerprint:
                    changed.append(key)
            rows = zip(page.keys, page.fingerprints, itertools.repeat(self._pass), strict=False)
            self._seen.executemany(_SEE, rows)
        return tuple(changed)

    def _gone(self) -> Iterator[tuple[str, ...]]:
        """Yield the keys that this listing has not shown, and forget them in the end."""
        after = ""
        while found := self._seen.execute(_GONE, (self._pass, after, HINTED_AT_ONCE)).fetchall():
            after = found[-1][0]
            yield tuple(key for (key,) in found)
        self._seen.execute(_FORGET, (self._pass,))

    def _pace(self, took: float, *, changed: bool) -> None:
        fastest = self._options.interval
        slowest = max(fastest, self._options.slowest)
        self._pause = fastest if changed else min(self._pause * _SLOWER, slowest)
        self._next = time.monotonic() + max(self._pause, took * _LISTING_SHARE)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        self._seen.execute("BEGIN")
        with self._seen:
            yield
