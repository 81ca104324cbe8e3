"""Which filter and which header rules a job was last run by, so that a run notices when they have been changed.

A filter that is edited can bring objects of the target into scope that no run was ever to delete (catalogue A09), and
a header rule that is edited changes what objects carry, though not one byte of them (B16). Neither shows in a listing.

The table was added to databases that had none, and whoever does not know it is not disturbed by it: the version of the
format stays.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Literal

from cloudsync_core.engine.base import Database, JobState
from cloudsync_core.engine.diff import HEADERS_CHANGED, BasePage, BaseRow
from cloudsync_core.engine.filters import Filter
from cloudsync_core.engine.part import Part
from cloudsync_core.engine.patterns import Patterns
from cloudsync_core.engine.policy import HeaderRule

_TABLE: Final = """
CREATE TABLE IF NOT EXISTS pinned (
    job INTEGER NOT NULL REFERENCES job (id),
    what TEXT NOT NULL,
    rules TEXT NOT NULL,
    PRIMARY KEY (job, what)
) WITHOUT ROWID
"""
_EXISTS: Final = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'pinned'"
_READ: Final = "SELECT rules FROM pinned WHERE job = ? AND what = ?"
_WRITE: Final = "INSERT OR REPLACE INTO pinned (job, what, rules) VALUES (?, ?, ?)"

What = Literal["filter", "headers"]


class _Pin:
    """A text that is kept for a job.

    Args:
        base: the job's part of the state database.
        what: which text.
    """

    def __init__(self, base: JobState, what: What) -> None:
        self._database, self._job = base.place
        self._what = what

    def read(self) -> str | None:
        """Return the text, `None` where none was kept yet."""
        with self._database.using() as connection:
            if not connection.execute(_EXISTS).fetchone()[0]:
                return None
            row = connection.execute(_READ, (self._job, self._what)).fetchone()
        return None if row is None else str(row[0])

    def write(self, text: str) -> None:
        """Keep a text in place of the last one; in a read-only database nothing is kept."""
        if not self._database.read_only:
            _write(self._database, (self._job, self._what, text))


class FilterPin:
    """Tells which deletes are due only because the job's filter was changed.

    Args:
        base: the job's part of the state database.
        include: the filter of now: gitignore patterns; likewise the following.
        exclude: likewise.
        exclude_regex: regular expressions.

    Raises:
        StateError: the database cannot be used.
    """

    def __init__(
        self, base: JobState, include: Sequence[str], exclude: Sequence[str], exclude_regex: Sequence[str]
    ) -> None:
        self._pin = _Pin(base, "filter")
        self._now = json.dumps([list(include), list(exclude), list(exclude_regex)])
        self._kept = self._pin.read()
        self._earlier = None if self._kept in {None, self._now} else _filter(self._kept or "")

    @property
    def is_new(self) -> bool:
        """Whether no run has kept a filter yet."""
        return self._kept is None

    def brings_in(self, key: str) -> bool:
        """Tell whether a key is in scope that was not when the job's filter was last kept."""
        return self._earlier is not None and not self._earlier.wants(key)

    def keep(self) -> None:
        """Take the filter of now for the one that the following runs are compared with.

        Raises:
            StateError: the database cannot be written.
        """
        if self._kept != self._now:
            self._pin.write(self._now)
            self._kept, self._earlier = self._now, None


class HeaderPin:
    """Tells of which objects the header rules have been changed since they were written.

    Of the rules only their patterns and a hash of what they set are kept: a value may be a secret.

    Args:
        base: the job's part of the state database.
        rules: those of now.
        carried: the target's objects carry headers at all; otherwise nothing is ever written again for them.

    Raises:
        StateError: the database cannot be used.
    """

    def __init__(self, base: JobState, rules: Sequence[HeaderRule], *, carried: bool) -> None:
        self._base = base
        self._pin = _Pin(base, "headers")
        self._now = json.dumps([[list(rule.match), _hash(rule)] for rule in rules])
        self._kept = self._pin.read()
        self._changed: Callable[[str], bool] | None = None
        if carried and self._kept not in {None, self._now}:
            earlier, now = _applied(self._kept or ""), _applied(self._now)
            if earlier is not None and now is not None:
                self._changed = lambda key: earlier(key) != now(key)

    def pages(self, part: Part | None = None) -> Iterator[BasePage]:
        """Yield the base, in which what was written by other rules is marked as `HEADERS_CHANGED`.

        Args:
            part: only the keys of this part; by default all.

        Raises:
            StateError: the database cannot be used.
        """
        pages = self._base.pages(part)
        if self._changed is None:
            yield from pages
            return
        for page in pages:
            targets = [
                HEADERS_CHANGED if self._changed(key) else told
                for key, told in zip(page.keys, page.targets, strict=True)
            ]
            yield BasePage(page.keys, page.sources, targets, page.digests)

    def keep(self) -> None:
        """Take the rules of now for those that the following runs are compared with.

        What has to be written again is marked in the base first, so that no run forgets it that ends early.

        Raises:
            StateError: the database cannot be written.
        """
        if self._kept == self._now or self._base.place[0].read_only:
            return
        if self._changed is not None:
            for page in self.pages():
                for key, row in zip(page.keys, _rows(page), strict=True):
                    if row.target == HEADERS_CHANGED:
                        self._base.record(key, row)
            self._base.save()
        self._pin.write(self._now)
        self._kept, self._changed = self._now, None


def _rows(page: BasePage) -> Iterator[BaseRow]:
    return (page[index] for index in range(len(page.keys)))


def _hash(rule: HeaderRule) -> str:
    values = {field.name: getattr(rule, field.name) for field in dataclasses.fields(rule) if field.name != "match"}
    values["metadata"] = sorted(rule.metadata.items())
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _filter(text: str) -> Filter | None:
    """Return the filter that was kept; `None` where a later version of this program has kept something else."""
    with contextlib.suppress(ValueError, TypeError, re.error):
        include, exclude, exclude_regex = json.loads(text)
        return Filter(include, exclude, exclude_regex)
    return None


Applied = Callable[[str], list[str]]
"""Returns what tells the rules that say something about a key, in their order."""


def _applied(text: str) -> Applied | None:
    """Return what the rules that were kept say; `None` where a later version has kept something else."""
    with contextlib.suppress(ValueError, TypeError):
        rules = [(Patterns(match), str(told)) for match, told in json.loads(text)]
        return lambda key: [told for patterns, told in rules if patterns.match(key)]
    return None


def _write(database: Database, row: tuple[int, str, str]) -> None:
    with database.using() as connection:
        connection.execute("BEGIN IMMEDIATE")
        with connection:
            connection.execute(_TABLE)
            connection.execute(_WRITE, row)
