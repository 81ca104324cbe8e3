"""The merge of three streams against a dictionary that knows everything at once."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudsync_core.engine.diff import BasePage, BaseRow, Met, Pair, Unchanged, diff
from cloudsync_core.models import Gap, ObjectInfo
from tests.engine.objects import NAMES, cut, entry, pages

FINGERPRINTS = st.sampled_from(["1", "1", "1", "2", ""])
BASE_FINGERPRINTS = st.sampled_from(["1", "1", "1", "2", None])
ENDS = st.lists(st.integers(0, 30), max_size=5)


@dataclasses.dataclass
class World:
    """What each side and the base hold, by key, and what could not be told."""

    source: dict[str, ObjectInfo]
    target: dict[str, ObjectInfo]
    base: dict[str, BaseRow]
    source_gaps: tuple[Gap, ...]
    target_gaps: tuple[Gap, ...]
    ends: list[list[int]]

    def diff(self, **options):
        names = sorted(self.base)
        base = [base_page({name: self.base[name] for name in piece}) for piece in cut(names, self.ends[2])]
        return list(
            diff(
                pages(self.source.values(), self.ends[0], self.source_gaps),
                pages(self.target.values(), self.ends[1], self.target_gaps),
                [page for page in base if page.keys],
                **options,
            )
        )

    @property
    def keys(self):
        return sorted({*self.source, *self.target, *self.base})

    def is_unchanged(self, key):
        if not (key in self.source and key in self.target and key in self.base):
            return False
        row = self.base[key]
        return (self.source[key].fingerprint, self.target[key].fingerprint) == (row.source, row.target)


def base_page(rows):
    columns = zip(*((row.source, row.target, row.digest) for row in rows.values()), strict=True)
    return BasePage(list(rows), *(list(column) for column in columns)) if rows else BasePage([], [], [], [])


@st.composite
def worlds(draw):
    names = draw(st.lists(NAMES, max_size=14, unique=True))
    gaps = st.lists(
        st.builds(Gap, st.sampled_from([*names, "a", "b", "-"]), st.just("why"), st.booleans()),
        max_size=3,
        unique_by=lambda gap: gap.key,
    ).map(lambda found: tuple(gap for gap in found if not gap.key.endswith("/")))
    sides = [{name: entry(name, 1, draw(FINGERPRINTS)) for name in names if draw(st.integers(0, 3))} for _ in range(2)]
    base = {
        name: BaseRow(draw(BASE_FINGERPRINTS), draw(BASE_FINGERPRINTS), None) for name in names if draw(st.booleans())
    }
    return World(*sides, base, draw(gaps), draw(gaps), [draw(ENDS) for _ in range(3)])


def covers(gap, key):
    return gap.key == key.removesuffix("/") or (gap.subtree and key.startswith(gap.key + "/"))


@settings(max_examples=100, deadline=None)
@given(world=worlds())
def test_each_key_comes_once_in_order_and_the_rest_is_counted(world):
    items = world.diff()
    pairs = [item for item in items if isinstance(item, Pair)]
    assert [pair.key for pair in pairs] == [key for key in world.keys if not world.is_unchanged(key)]
    assert sum(item.count for item in items if isinstance(item, Unchanged)) == sum(map(world.is_unchanged, world.keys))


@settings(max_examples=100, deadline=None)
@given(world=worlds())
def test_unchanged_keys_are_counted_before_the_next_pair(world):
    seen = 0
    for item in world.diff():
        if isinstance(item, Unchanged):
            assert item.count
            seen += item.count
        elif isinstance(item, Pair):
            assert seen == world.keys.index(item.key)
            seen += 1
    assert seen == len(world.keys)


@settings(max_examples=100, deadline=None)
@given(world=worlds())
def test_a_pair_holds_what_each_side_and_the_base_know(world):
    for pair in world.diff():
        if isinstance(pair, Pair):
            key = pair.key
            expected = (world.source.get(key), world.target.get(key), world.base.get(key))
            assert (pair.source, pair.target, pair.base) == expected


@settings(max_examples=100, deadline=None)
@given(world=worlds())
def test_an_absent_key_is_unknown_exactly_where_a_gap_covers_it(world):
    for pair in world.diff():
        if isinstance(pair, Pair):
            for objects, gaps, found in (
                (world.source, world.source_gaps, pair.source_gap),
                (world.target, world.target_gaps, pair.target_gap),
            ):
                covering = [gap for gap in gaps if covers(gap, pair.key)] if pair.key not in objects else []
                assert (found in covering) if covering else (found is None)


@settings(max_examples=100, deadline=None)
@given(world=worlds())
def test_every_gap_is_met_once(world):
    met = [(item.side, item.gap) for item in world.diff() if isinstance(item, Met)]
    expected = [("source", gap) for gap in world.source_gaps] + [("target", gap) for gap in world.target_gaps]
    assert sorted(met, key=repr) == sorted(expected, key=repr)


@settings(max_examples=100, deadline=None)
@given(world=worlds())
def test_a_marker_knows_whether_its_folder_holds_something(world):
    for pair in world.diff():
        if isinstance(pair, Pair):
            for objects, found in ((world.source, pair.source_folder), (world.target, pair.target_folder)):
                below = any(key.startswith(pair.key) and key != pair.key for key in objects)
                assert found is (pair.key.endswith("/") and below)


@settings(max_examples=100, deadline=None)
@given(world=worlds())
def test_without_trust_in_the_base_every_key_is_a_pair(world):
    items = world.diff(trust_base=False)
    assert [item.key for item in items if isinstance(item, Pair)] == world.keys
    assert not any(isinstance(item, Unchanged) for item in items)


class TestRuns:
    def world(self, count, changed=()):
        names = [f"{number:05}" for number in range(count)]
        source = {name: entry(name) for name in names}
        target = {name: entry(name, fingerprint="2" if name in changed else "1") for name in names}
        base = dict.fromkeys(names, BaseRow("1", "1", None))
        return World(source, target, base, (), (), [[700, 2000], [1000], [999, 1001]])

    def test_equal_sides_are_one_number(self):
        assert self.world(5000).diff() == [Unchanged(5000)]

    @pytest.mark.parametrize("place", [0, 1, 699, 700, 1023, 1024, 4999])
    def test_one_change_is_found_wherever_it_is(self, place):
        before, pair, after = place, f"{place:05}", 4999 - place
        items = self.world(5000, {pair}).diff()
        expected = [*([before] if before else []), pair, *([after] if after else [])]
        assert [item.key if isinstance(item, Pair) else item.count for item in items] == expected

    def test_no_row_is_looked_up_in_a_run_of_unchanged_keys(self):
        world = self.world(3000)
        looked_up = []
        listing = pages(world.source.values())
        for page in listing:
            row = page._row
            page._row = lambda index, row=row: looked_up.append(index) or row(index)
        base = [base_page(world.base)]
        assert list(diff(listing, pages(world.target.values()), base)) == [Unchanged(3000)]
        assert not looked_up


def test_B07_a_fingerprint_that_cannot_tell_equals_nothing():
    source, target = entry("k", fingerprint=""), entry("k")
    [pair] = diff(pages([source]), pages([target]), [base_page({"k": BaseRow(None, "1", None)})])
    assert (pair.source, pair.target, pair.base) == (source, target, BaseRow(None, "1", None))


def test_an_error_of_a_listing_comes_when_its_page_is_due():
    def failing():
        yield from pages([entry("a")])
        raise OSError("cut off")

    found = diff(failing(), pages([entry("a"), entry("b")]), [])
    with pytest.raises(OSError, match="cut off"):
        list(found)
