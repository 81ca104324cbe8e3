"""The history between every two stores: the same objects and the same reports, but for what a capability explains."""

import dataclasses
import itertools

import pytest

from tests.equivalence.differences import DIFFERENCES, ITS_OWN, expected
from tests.equivalence.history import HISTORY
from tests.equivalence.stores import STORES

PAIRS = list(itertools.product(STORES, STORES))


def pairs(test):
    return pytest.mark.parametrize(("source", "target"), PAIRS, ids=map("-to-".join, PAIRS))(test)


@pairs
def test_a_pair_does_and_reports_what_every_other_does(source, target, ends, played):
    wanted = expected(ends[source], ends[target])
    assert list(unlike(wanted.records, played.records)) == []
    assert list(unequal(wanted.source, played.source)) == []
    assert list(unequal(wanted.target, played.target)) == []


@pairs
def test_every_difference_that_is_declared_of_a_pair_is_needed(source, target, ends):
    whole = expected(ends[source], ends[target])
    for row in DIFFERENCES:
        without = expected(ends[source], ends[target], without=row)
        assert (without != whole) == row.where(ends[source], ends[target]), row.title


@pytest.mark.parametrize("row", DIFFERENCES, ids=lambda row: row.title)
def test_every_difference_tells_some_pairs_from_others(row, ends):
    applies = {row.where(ends[source], ends[target]) for source, target in PAIRS}
    assert applies == {True, False}


def unlike(wanted, found):
    """Yield where the records of the runs differ, for somebody to read."""
    crashed = False
    for step, *pair in zip(HISTORY, wanted, found, strict=True):
        told = [{} if record is None else {**record.report, **record.events} for record in pair]
        for place in sorted({*told[0], *told[1]}):
            # How much of its base a dying process had noted decides how many objects the next run looks at.
            if not (crashed and place.startswith("requests.")) and told[0].get(place) != told[1].get(place):
                yield f"{step.title}: {place}: {told[0].get(place)} is expected, {told[1].get(place)} was reported"
        crashed = step.kills


def unequal(wanted, found):
    """Yield which objects differ, and in what."""
    for key in sorted({*wanted, *found}):
        if key not in wanted or key not in found:
            yield f"{key!r} is {'missing' if key in wanted else 'there'}"
            continue
        if wanted[key].data != found[key].data:
            yield f"{key!r} has other content"
        told = found[key].attributes
        if wanted[key].attributes.mtime_ns == ITS_OWN and told.mtime_ns is not None:
            told = dataclasses.replace(told, mtime_ns=ITS_OWN)
        if told != wanted[key].attributes:
            yield f"{key!r}: {wanted[key].attributes} is expected, {told} was found"
