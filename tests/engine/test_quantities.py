"""Numbers of bytes: what users write, and what is written back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudsync_core.engine.quantities import parse_bytes, show_bytes


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("1B", 1),
        ("1KiB", 1024),
        ("1kB", 1000),
        ("128MiB", 128 * 1024**2),
        ("128 mib", 128 * 1024**2),
        (" 1.5GiB ", 3 * 512 * 1024**2),
        ("2TB", 2 * 10**12),
        ("0MiB", 0),
    ],
)
def test_units(text, count):
    assert parse_bytes(text) == count


@pytest.mark.parametrize("text", ["", "MiB", "10", "10M", "10Mi", "10Mbit", "1e3B", "-1B", "1,5MiB", "1 2B", "10XB"])
def test_what_has_no_unit_or_no_number_is_refused(text):
    with pytest.raises(ValueError, match="is no number of bytes with its unit"):
        parse_bytes(text)


@given(st.integers(0, 2**60) | st.just(2**60 - 1))
def test_what_is_shown_is_read_back(count):
    assert parse_bytes(show_bytes(count)) == count


@pytest.mark.parametrize(("count", "text"), [(0, "0B"), (1000, "1000B"), (1024, "1KiB"), (128 * 1024**2, "128MiB")])
def test_it_is_shown_in_the_largest_unit_that_is_exact(count, text):
    assert show_bytes(count) == text
