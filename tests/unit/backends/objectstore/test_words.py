"""Text goes into headers and comes back as it was, and what cannot go is refused by name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudsync_core.backends.objectstore.words import AttributesError, decoded, encoded, has_control, is_unicode
from cloudsync_core.errors import Disposition, UnsupportedOperationError

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@pytest.mark.parametrize("spaces_kept", [True, False])
class TestAnyText:
    @given(value=TEXT)
    def test_comes_back(self, value, spaces_kept):
        word = encoded(value, store="it", spaces_kept=spaces_kept)
        assert word.isascii()
        assert word.isprintable()
        assert word == word.strip()
        assert decoded(word) == value

    @pytest.mark.parametrize("value", ["=?UTF-8?B?w7w=?=", "=?utf-8?q?=C3=BC?=", "a =?x?b?y?= b", " a", "a\nb", "\x7f"])
    def test_that_a_reader_would_change_is_encoded(self, value, spaces_kept):
        word = encoded(value, store="it", spaces_kept=spaces_kept)
        assert word.startswith("=?UTF-8?B?")
        assert decoded(word) == value

    def test_that_is_no_unicode_is_refused_without_its_being_told(self, spaces_kept):
        with pytest.raises(AttributesError, match="the store cannot store metadata that is not valid Unicode") as told:
            encoded("hush\udcff", store="the store", spaces_kept=spaces_kept)
        assert "hush" not in str(told.value)
        assert told.value.disposition is Disposition.SKIP
        assert isinstance(told.value, UnsupportedOperationError)


@pytest.mark.parametrize("value", ["", "a  b"])
def test_spaces_that_a_store_loses_are_encoded_there_alone(value):
    assert encoded(value, store="it") == value
    word = encoded(value, store="it", spaces_kept=False)
    assert word != value
    assert decoded(word) == value


def test_words_of_others_are_read():
    assert decoded("=?UTF-8?Q?=C3=BCber?=") == "über"


@pytest.mark.parametrize("value", ["=?no-such-charset?B?AA?=", "plain", ""])
def test_what_cannot_be_decoded_stays(value):
    assert decoded(value) == value


def test_what_ends_a_header_is_found():
    assert [has_control(value) for value in ("a\r\nb", "\x00", "\x7f", "a b", "ü")] == [True, True, True, False, False]


def test_lone_surrogates_are_no_unicode():
    assert [is_unicode(value) for value in ("a", "ü", "\U0001f600", "\udcff")] == [True, True, True, False]
