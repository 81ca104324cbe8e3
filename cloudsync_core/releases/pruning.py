"""Removing old releases, and what publishers that died have left; never what somebody can still see."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from cloudsync_core.backend import Backend
from cloudsync_core.crashpoints import hit
from cloudsync_core.errors import CancelledError, ManifestError, ReleaseConflictError, RunError
from cloudsync_core.models import Page
from cloudsync_core.releases import manifest, pointer
from cloudsync_core.releases.names import MANIFESTS, TREES, made_at, manifest_of, parse_place

UNDER_WAY: Final = 3600.0
"""Seconds for which a tree without manifest is taken for that of a publisher who is still at it: since its last object
was written."""

_BATCH: Final = 1000
_SCHEMA: Final = """
CREATE TABLE referred (key TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE doomed (key TEXT PRIMARY KEY, size INTEGER NOT NULL) WITHOUT ROWID;
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Pruned:
    """What was removed, or in a dry run would be.

    Attributes:
        releases: those that are gone, the oldest first.
        unfinished: trees without manifest that are gone: of publishers that died.
        objects: how many objects of theirs, manifests not counted.
        size: bytes of these.
        kept: releases that are left.
    """

    releases: tuple[str, ...]
    unfinished: tuple[str, ...]
    objects: int
    size: int
    kept: int


def prune(
    backend: Backend,
    *,
    keep: int | None = None,
    max_age: float | None = None,
    dry_run: bool = False,
    stop: threading.Event | None = None,
    clock: Callable[[], float] = time.time,
) -> Pruned:
    """Remove the releases that are neither wanted nor live.

    A release stays where a pointer names it, where it is one of the `keep` newest, and where it is younger than
    `max_age`. Of what goes, the objects stay that a release which stays refers to. The caller holds the lease of the
    location.

    Args:
        backend: the location of the releases.
        keep: how many of the newest stay; `None` for no such rule.
        max_age: seconds; likewise.
        dry_run: only tell what would be removed.
        stop: ends it between two requests with `CancelledError`; what was begun is ended by the next one.
        clock: returns the seconds since the epoch, UTC.

    Raises:
        ValueError: neither rule is given.
        ManifestError, UnsupportedFormatError: a pointer, or a release that stays, cannot be read, or a pointer
            names one without manifest: nothing is removed, as nobody knows what it refers to.
        ReleaseConflictError: a pointer was moved meanwhile; nothing was removed.
        RunError: some object cannot be removed.
        BackendError: the store cannot be asked.
    """
    if keep is None and max_age is None:
        raise ValueError("nothing says which releases stay")
    now = clock()
    pointers = _pointers(backend)
    manifests = {release: key for key in _keys(backend, MANIFESTS) if (release := manifest_of(key)) is not None}
    for name, release in pointers.items():
        if release not in manifests:
            raise ManifestError(
                f"the pointer {name!r} of {backend.location} names release {release}, whose manifest is not there: "
                "nothing was removed, as nobody knows what it refers to",
                hint="Bring the manifest back, or point to another release by `cloudsync release promote`.",
            )
    newest = sorted(manifests, reverse=True)[: keep or 0]
    young = [release for release in manifests if max_age is not None and now - made_at(release) < max_age]
    stay = {*newest, *young, *pointers.values()} & manifests.keys()
    doomed = sorted(manifests.keys() - stay)
    with contextlib.closing(sqlite3.connect("", isolation_level=None)) as rows:
        rows.executescript(_SCHEMA)
        for release in stay:
            _refer(rows, backend, release, manifests[release], stay)
        left = {*stay, *pointers.values()}
        unfinished = _doom(rows, backend, left, frozenset(doomed), now)
        objects, size = rows.execute("SELECT count(*), coalesce(sum(size), 0) FROM doomed").fetchone()
        if not dry_run:
            if _pointers(backend) != pointers:
                raise ReleaseConflictError(
                    f"a pointer of {backend.location} was moved meanwhile; nothing was removed", hint="Prune again."
                )
            # Without its manifest a release is none, so that nobody goes back to what is being removed.
            _remove(backend, [manifests[release] for release in doomed], stop)
            hit("release.pruned.manifest")
            _remove(backend, _doomed(rows), stop)
    return Pruned(tuple(doomed), tuple(unfinished), objects, size, len(stay))


def _pointers(backend: Backend) -> dict[str, str]:
    return {seen.pointer.name: seen.pointer.release for seen in pointer.read_all(backend)}


def _keys(backend: Backend, prefix: str) -> Iterator[str]:
    for page in backend.list(prefix):
        yield from page.keys


def _refer(rows: sqlite3.Connection, backend: Backend, release: str, key: str, stay: set[str]) -> None:
    """Note what a release that stays has in trees that go."""
    with manifest.read(backend, release, key=key) as found:
        places = ((entry.key, parse_place(entry.key)) for entry in found.entries())
        rows.executemany(
            "INSERT OR IGNORE INTO referred (key) VALUES (?)",
            ((name,) for name, at in places if at is not None and at[0] not in stay),
        )


def _doom(rows: sqlite3.Connection, backend: Backend, stay: set[str], doomed: frozenset[str], now: float) -> list[str]:
    """Note the objects that go, and return the releases without manifest among those that they are of."""
    unfinished = []
    referred = "SELECT count(*) FROM referred WHERE key = ?"
    for release, objects in itertools.groupby(_others(backend, stay), key=lambda one: one[0]):
        latest, found = made_at(release), 0
        rows.execute("BEGIN")
        for _, key, size, modified in objects:
            latest = max(latest, modified)
            if not rows.execute(referred, (key,)).fetchone()[0]:
                found += rows.execute("INSERT OR IGNORE INTO doomed (key, size) VALUES (?, ?)", (key, size)).rowcount
        if release not in doomed:
            if now - latest < UNDER_WAY:
                rows.execute("ROLLBACK")
                continue
            # Only objects that others refer to may be left of a release that was pruned long ago.
            unfinished += [release] if found else []
        rows.execute("COMMIT")
    return unfinished


def _others(backend: Backend, stay: set[str]) -> Iterator[tuple[str, str, int, float]]:
    """Yield release, key, size and time of the objects in the trees of other releases, each tree by itself.

    An ordered store is not asked for the trees that stay.
    """
    capabilities = backend.capabilities
    jumps = capabilities.ordered_listing and not capabilities.hierarchical
    after: str | None = None
    while True:
        passed: str | None = None
        for page in backend.list(TREES, start_after=after, prune=lambda folder: _of(folder + "/x") in stay):
            for release, rows in itertools.groupby(range(len(page)), key=lambda row: _of(page.keys[row])):
                if release is None:
                    # Somebody else's: it is not touched.
                    continue
                if release not in stay:
                    yield from ((release, *_told(page, row)) for row in rows)
                elif jumps:
                    passed = release
                    break
            if passed is not None:
                break
        if passed is None:
            return
        # The first character after the slash: what begins so comes after everything in the folder.
        after = f"{TREES}/{passed}0"


def _told(page: Page, row: int) -> tuple[str, int, float]:
    info = page[row]
    return info.key, info.size, info.modified_ns / 1e9


def _of(key: str) -> str | None:
    at = parse_place(key)
    return None if at is None else at[0]


def _doomed(rows: sqlite3.Connection) -> Iterator[str]:
    after = ""
    query = "SELECT key FROM doomed WHERE key > ? ORDER BY key LIMIT ?"
    while found := rows.execute(query, (after, _BATCH)).fetchall():
        yield from (key for (key,) in found)
        after = found[-1][0]


def _remove(backend: Backend, names: Iterable[str], stop: threading.Event | None) -> None:
    rest = iter(names)
    while batch := list(itertools.islice(rest, _BATCH)):
        if stop is not None and stop.is_set():
            raise CancelledError("interrupted")
        for result in backend.delete_many([(key, None) for key in batch]):
            if result.error is not None:
                raise RunError(
                    f"what is left of old releases cannot be removed: {result.error}",
                    hint="What was removed is gone; the next prune goes on.",
                ) from result.error
