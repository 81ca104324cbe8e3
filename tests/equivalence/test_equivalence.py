"""The history between every two stores: the same objects and the same reports, but for what a capability explains."""

import dataclasses
import itertools

import pytest

from tests.equivalence.carrying import ITS_OWN
from tests.equivalence.differences import DIFFERENCES
from tests.equivalence.ends import Pair
from tests.equivalence.expectation import expected
from tests.equivalence.history import HISTORY
from tests.equivalence.stores import STORES
from tests.equivalence.writing import writer_of

PAIRS = list(itertools.product(STORES, STORES))


def pairs(test):
    return pytest.mark.parametrize(("source", "target"), PAIRS, ids=map("-to-".join, PAIRS))(test)


@pairs
def test_a_pair_does_and_reports_what_every_other_does(source, target, ends, played, request):
    found = played(source, target)
    hold(found, expected(Pair(ends[source], ends[target])))
    if (writer := writer_of(request.config)) is not None:
        writer.records[source, target] = found.records


@pytest.mark.parametrize("name", [name for name in STORES if name != "file"])
def test_a_provider_that_may_not_copy_does_and_reports_what_every_other_does(name, ends, played):
    end = dataclasses.replace(ends[name], can=dataclasses.replace(ends[name].can, server_copy=False))
    hold(played(name, name, server_copy=False), expected(Pair(end, end)))


@pairs
def test_every_difference_that_is_declared_of_a_pair_is_needed(source, target, ends):
    pair = Pair(ends[source], ends[target])
    whole = expected(pair)
    for row in DIFFERENCES:
        assert (expected(pair, without=row) != whole) == row.where(pair), row.title


@pytest.mark.parametrize("row", DIFFERENCES, ids=lambda row: row.title)
def test_every_difference_tells_some_pairs_from_others(row, ends):
    applies = {row.where(Pair(ends[source], ends[target])) for source, target in PAIRS}
    assert applies == {True, False}


def hold(played, wanted):
    """Hold what came of the history to what is expected, and name every difference at once."""
    found = [
        *unlike(wanted.records, played.records),
        *(f"source: {line}" for line in unequal(wanted.source, played.source)),
        *(f"target: {line}" for line in unequal(wanted.target, played.target)),
    ]
    assert not found, "\n".join(found)


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
