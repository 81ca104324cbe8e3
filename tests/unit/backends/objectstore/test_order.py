"""Listings that are sorted by UTF-16 come in the order of UTF-8."""

from hypothesis import example, given
from hypothesis import strategies as st

from cloudsync_core.backends.objectstore.order import in_byte_order
from cloudsync_core.models import Gap, ObjectInfo, Page

keys = st.lists(st.text("a/\ud7ff\ue000\uffee\U00010000\U0001f600", min_size=1, max_size=6), unique=True, max_size=40)


def utf16(key):
    return key.encode("utf-16-be")


def pages_of(keys, size):
    for start in range(0, len(keys), size):
        yield Page.of([ObjectInfo(key, 1, "f", 0) for key in keys[start : start + size]])


def listed(pages):
    return [info.key for page in pages for info in page]


@given(keys, st.integers(1, 7))
@example(["\U0001f600", "\ue000", "\ue000\U0001f600", "\ue000\ue000", "a\U0001f600", "a\ue000"], 1)
def test_L1_the_order_is_that_of_bytes_and_nothing_is_lost(keys, size):
    found = listed(in_byte_order(pages_of(sorted(keys, key=utf16), size)))
    assert found == sorted(keys, key=str.encode)


def test_pages_in_which_the_orders_agree_pass_as_they_are():
    pages = list(pages_of(["a", "b", "\ue000"], 2))
    assert list(in_byte_order(iter(pages))) == pages


def test_a_page_is_handed_on_as_soon_as_nothing_can_come_before():
    taken = []

    def pages():
        for page in pages_of(["\U0001f600/1", "a\U0001f600", "b", "\ue000"][1:], 1):
            taken.append(page.keys[0])
            yield page

    found = in_byte_order(pages())
    assert list(next(found).keys) == []
    assert list(next(found).keys) == ["a\U0001f600", "b"]
    assert taken == ["a\U0001f600", "b"]


def test_what_is_held_back_is_bounded():
    """Beyond it the listing comes as the store has it, whole; that it is not in order is for the engine to find."""
    keys = sorted([*(f"\U0001f600{number}" for number in range(9)), "\ue000"], key=utf16)
    found = listed(in_byte_order(pages_of(keys, 2), most=4))
    assert sorted(found) == sorted(keys)
    assert found != sorted(keys)


def test_gaps_stay_where_they_are():
    page = Page.of([ObjectInfo("\U0001f600", 1, "f", 0)], (Gap("x", "why"),))
    assert [gap.key for page in in_byte_order(iter([page])) for gap in page.gaps] == ["x"]
