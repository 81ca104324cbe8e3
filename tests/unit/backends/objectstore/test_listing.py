"""What a page of a listing is trusted for, and how it is told to the engine."""

import pytest

from cloudsync_core.backends.objectstore.listing import ListedPage, ListingError, relative, trusted
from cloudsync_core.errors import Disposition, UnexpectedBackendError
from cloudsync_core.models import ObjectInfo


def page(*keys, token=None):
    return ListedPage(
        list(keys), [len(key) for key in keys], [f"e-{key}" for key in keys], ["t"] * len(keys), token, (list(keys),)
    )


def row(listed, name, index):
    return ObjectInfo(name, listed.sizes[index], listed.etags[index], 0)


class TestTrust:
    def test_A13_page_that_cannot_be_read_may_come_right_next_time(self):
        def parse(document):
            raise ListingError("no end")

        with pytest.raises(UnexpectedBackendError, match="no end") as caught:
            trusted(parse, b"", "", None)
        assert caught.value.disposition is Disposition.RETRY

    def test_A13_listing_that_turns_in_a_circle_is_an_error(self):
        listed = page("a", token="t")
        assert trusted(lambda document: listed, b"", "", "s") is listed
        with pytest.raises(UnexpectedBackendError, match="circle"):
            trusted(lambda document: listed, b"", "", "t")

    def test_end_after_a_first_page_is_no_circle(self):
        listed = page("a")
        assert trusted(lambda document: listed, b"", "", None) is listed

    def test_L4_key_that_was_not_asked_for_is_an_error(self):
        with pytest.raises(UnexpectedBackendError, match="which is not under the prefix"):
            trusted(lambda document: page("a/x", "b\x1b"), b"", "a/", None)

    def test_document_is_what_is_read(self):
        listed = trusted(lambda document: page(document.decode()), b"a/key", "a/", None)
        assert listed.keys == ["a/key"]


class TestRelative:
    def test_names_are_relative_to_the_root(self):
        told = relative(page("a/b", "a/c/", "a/c/d"), "a/", row)
        assert list(told.keys) == ["b", "c/", "c/d"]
        assert [info.key for info in told] == ["b", "c/", "c/d"]
        assert [info.size for info in told] == list(told.sizes) == [3, 4, 5]
        assert list(told.fingerprints) == ["e-a/b", "e-a/c/", "e-a/c/d"]
        assert told.gaps == ()

    def test_marker_of_the_root_is_no_object(self):
        told = relative(page("a/", "a/b"), "a/", row)
        assert [info.key for info in told] == ["b"]
        assert told.gaps == ()

    def test_L4_name_that_is_no_unicode_is_a_gap(self):
        told = relative(page("a", "b\udcff", "c"), "", row)
        assert [(info.key, info.fingerprint) for info in told] == [("a", "e-a"), ("c", "e-c")]
        assert [gap.key for gap in told.gaps] == ["b\\udcff"]


def test_rows_of_a_page_are_those_of_every_column():
    listed = page("a", "bb", "ccc", "dddd", token="t")
    assert listed.rows(1, 3) == page("bb", "ccc", token="t")
    assert listed.rows(0, 4) == listed
