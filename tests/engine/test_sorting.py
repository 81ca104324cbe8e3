"""The external sort: any listing in key order, nothing lost, nothing left open."""

import random
import tempfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudsync_core.engine import sorting
from cloudsync_core.engine.sorting import sort_pages
from cloudsync_core.models import Gap, Page
from tests.engine.objects import ENTRIES, GAPS, NAMES, cut, entry

SMALL = st.lists(st.builds(entry, NAMES, st.integers(0, 9)), max_size=40)


@pytest.fixture
def small_runs(monkeypatch):
    monkeypatch.setattr(sorting, "RUN_LENGTH", 3)
    monkeypatch.setattr(sorting, "FAN_IN", 2)
    monkeypatch.setattr(sorting, "PAGE_LENGTH", 4)


@pytest.fixture
def files(monkeypatch):
    """The temporary files that were opened."""
    opened = []
    make = tempfile.TemporaryFile

    def record(*arguments, **options):
        opened.append(make(*arguments, **options))
        return opened[-1]

    monkeypatch.setattr(tempfile, "TemporaryFile", record)
    return opened


def rows(listing):
    return [info for page in listing for info in page]


@pytest.mark.usefixtures("small_runs")
class TestOrder:
    @settings(max_examples=150, deadline=None)
    @given(entries=SMALL, ends=st.lists(st.integers(0, 40), max_size=5))
    def test_A11_whatever_the_order_it_comes_out_sorted(self, entries, ends):
        found = rows(sort_pages(map(Page.of, cut(entries, ends))))
        # Keys that come twice stay, for the check of the order to find; which one comes first is nobody's business.
        assert [info.key for info in found] == sorted(info.key for info in entries)
        assert sorted(found, key=repr) == sorted(entries, key=repr)

    @pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 24, 25])
    def test_at_every_boundary_of_runs_and_merges(self, count):
        names = [f"{number:03}" for number in range(count)]
        shuffled = random.Random(count).sample(names, count)
        found = list(sort_pages([Page.of([entry(name) for name in shuffled])]))
        assert [key for page in found for key in page.keys] == names
        assert all(len(page) <= 4 for page in found)

    def test_A12_the_order_is_that_of_the_bytes(self):
        names = ["\U00010000", "\ufffd", "a/b", "a-b", "a.b", "A", "é", "z"]
        found = rows(sort_pages([Page.of([entry(name) for name in names])]))
        assert [info.key.encode() for info in found] == sorted(name.encode() for name in names)


@settings(max_examples=100, deadline=None)
@given(entries=st.lists(ENTRIES, max_size=5))
def test_entries_come_back_exactly(entries):
    found = rows(sort_pages([Page.of(entries)]))
    assert sorted(found, key=repr) == sorted(entries, key=repr)


@settings(max_examples=50, deadline=None)
@given(gaps=st.lists(GAPS, max_size=6), ends=st.lists(st.integers(0, 6), max_size=3), some=st.booleans())
def test_every_gap_comes_with_the_first_page(gaps, ends, some):
    first = [Page.of([entry("b"), entry("a")] * some)]
    found = list(sort_pages([*first, *(Page.of((), tuple(piece)) for piece in cut(gaps, ends))]))
    assert sorted((gap for page in found[:1] for gap in page.gaps), key=repr) == sorted(gaps, key=repr)
    assert not any(page.gaps for page in found[1:])


@pytest.mark.usefixtures("small_runs")
class TestTemporaryFiles:
    def test_are_closed_at_the_end(self, files):
        rows(sort_pages([Page.of([entry(str(number)) for number in range(20)])]))
        assert files
        assert all(file.closed for file in files)

    def test_are_closed_when_the_listing_fails(self, files):
        def failing():
            yield Page.of([entry(str(number)) for number in range(4)], (Gap("x", "gone"),))
            raise OSError("cut off")

        with pytest.raises(OSError, match="cut off"):
            rows(sort_pages(failing()))
        assert files
        assert all(file.closed for file in files)

    def test_are_closed_when_nobody_wants_the_rest(self, files):
        listing = sort_pages([Page.of([entry(str(number)) for number in range(20)])])
        next(listing)
        listing.close()
        assert files
        assert all(file.closed for file in files)

    def test_few_are_open_at_a_time(self, files):
        most = 0

        def watched():
            nonlocal most
            for number in range(30):
                most = max(most, sum(not file.closed for file in files))
                yield Page.of([entry(str(number))])

        rows(sort_pages(watched()))
        assert most <= sorting.FAN_IN
