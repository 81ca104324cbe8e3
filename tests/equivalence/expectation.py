"""What a pair has to come to: the ideal, with the declared differences."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from tests.equivalence.carrying import Carried, as_kept
from tests.equivalence.differences import DIFFERENCES, Difference
from tests.equivalence.ends import Pair
from tests.equivalence.ideal import ideal
from tests.equivalence.records import Record
from tests.equivalence.script import Object
from tests.equivalence.story import Objects, story


@dataclasses.dataclass(frozen=True)
class Expected:
    """What a pair has to come to; see `pairs.Played`."""

    records: list[Record | None]
    source: Objects
    target: Objects


def expected(pair: Pair, *, without: Difference | None = None) -> Expected:
    """Return what the history between two stores has to come to, with one row of the table left out if that is told."""
    rows = [row for row in DIFFERENCES if row is not without and row.where(pair)]
    told = list(story())
    records = [None if work.step.kills else ideal(work) for work, *_ in told]
    for (work, *_), record in zip(told, records, strict=True):
        for row in rows:
            if record is not None and row.checks is not None and work.step.command == "check":
                row.checks(work, record)
            if record is not None and row.runs is not None and work.step.command != "check":
                row.runs(work, record, pair)
    _, there, copied = told[-1]
    return Expected(
        records,
        {key: _carrying(key, found, [as_kept(pair.source)]) for key, found in there.items()},
        {
            key: _carrying(
                key, found, [row.carried for row in rows if row.carried] if found.copied else [as_kept(pair.target)]
            )
            for key, found in copied.items()
        },
    )


def _carrying(key: str, found: Object, changes: Iterable[Carried]) -> Object:
    attributes = found.attributes
    for change in changes:
        attributes = change(key, attributes)
    return dataclasses.replace(found, attributes=attributes, copied=False)
