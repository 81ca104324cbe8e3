"""Values are frozen, pages are columns, identities know their neighbours."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudsync_core import models
from cloudsync_core.models import Attributes, Digest, Gap, Identity, ObjectInfo, Page, Version

ENTRIES = [ObjectInfo(f"key-{number}", number, f"print-{number}", number * 1000) for number in range(5)]
ROOT = st.lists(st.sampled_from(["a", "ab", "b"]), max_size=4).map(lambda segments: "".join(f"{s}/" for s in segments))


class TestValues:
    @pytest.mark.parametrize(
        "kind",
        [value for value in vars(models).values() if isinstance(value, type) and dataclasses.is_dataclass(value)],
    )
    def test_every_value_is_frozen_and_small(self, kind):
        assert kind.__dataclass_params__.frozen
        assert "__slots__" in vars(kind)

    def test_attributes_share_no_metadata_that_can_change(self):
        with pytest.raises(TypeError):
            Attributes().metadata["name"] = "value"

    @pytest.mark.parametrize(
        ("version", "says_something"),
        [(Version(), False), (Version(etag="x"), True), (Version(id="1"), True), (Version(etag=""), True)],
    )
    def test_a_version_without_etag_and_id_says_nothing(self, version, says_something):
        assert bool(version) is says_something

    @given(st.sampled_from(["md5", "sha256", "crc32c", "md5/8388608"]), st.binary(min_size=1).map(bytes.hex))
    def test_a_digest_is_read_back_from_what_it_prints(self, algorithm, value):
        assert Digest.parse(str(Digest(algorithm, value))) == Digest(algorithm, value)


class TestPage:
    def test_columns_and_rows_agree(self):
        page = Page.of(ENTRIES)
        assert list(page) == ENTRIES == [page[index] for index in range(len(page))]
        assert page.keys == [entry.key for entry in ENTRIES]
        assert page.sizes == [entry.size for entry in ENTRIES]
        assert page.fingerprints == [entry.fingerprint for entry in ENTRIES]
        assert len(page) == 5
        assert page.gaps == ()

    def test_rows_are_built_when_somebody_asks(self):
        asked = []
        page = Page(["a", "b"], [1, 2], ["", ""], lambda index: asked.append(index) or ENTRIES[index])
        assert (len(page), page.keys, asked) == (2, ["a", "b"], [])
        assert page[1] == ENTRIES[1]
        assert asked == [1]

    @pytest.mark.parametrize("lengths", [(1, 2, 2), (2, 1, 2), (2, 2, 1)])
    def test_L3_columns_of_different_lengths_are_refused(self, lengths):
        keys, sizes, fingerprints = (["x"] * length for length in lengths)
        with pytest.raises(ValueError, match="different lengths"):
            Page(keys, sizes, fingerprints, ENTRIES.__getitem__)

    @given(st.lists(st.integers(0, 4)))
    def test_a_selection_is_the_rows_asked_for_in_that_order(self, wanted):
        gap = Gap("x", "why")
        selected = Page.of(ENTRIES).select(wanted, (gap,))
        assert list(selected) == [ENTRIES[index] for index in wanted]
        assert selected.keys == [ENTRIES[index].key for index in wanted]
        assert selected.gaps == (gap,)

    def test_a_selection_of_a_selection_is_one(self):
        selected = Page.of(ENTRIES).select([4, 2, 0], ()).select([2, 0], ())
        assert list(selected) == [ENTRIES[0], ENTRIES[4]]

    def test_a_page_says_how_much_it_holds(self):
        assert repr(Page.of(ENTRIES, (Gap("x", "why"),))) == "<Page of 5 objects, 1 gaps>"


class TestIdentity:
    @given(ROOT, ROOT)
    def test_H07_places_overlap_when_one_lies_in_the_other_by_whole_segments(self, one, other):
        segments = one.split("/")[:-1], other.split("/")[:-1]
        shorter = min(map(len, segments))
        wanted = segments[0][:shorter] == segments[1][:shorter]
        assert Identity("store", one).overlaps(Identity("store", other)) is wanted
        assert Identity("store", other).overlaps(Identity("store", one)) is wanted

    def test_H07_places_in_two_stores_never_do(self):
        assert not Identity("one", "a/").overlaps(Identity("two", "a/"))
