"""The limit of deletes: exactly the limit may, one more may not."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudsync_core.engine.policy import DeleteLimit


class TestCount:
    @pytest.mark.parametrize(("deletes", "allowed"), [(0, True), (4, True), (5, True), (6, False)])
    def test_A10_limit_minus_one_limit_and_limit_plus_one(self, deletes, allowed):
        assert DeleteLimit.parse(5).allows(deletes, 1000) is allowed

    def test_zero_allows_no_delete(self):
        assert DeleteLimit.parse("0").allows(0, 10)
        assert not DeleteLimit.parse("0").allows(1, 10)


class TestPercent:
    @pytest.mark.parametrize(("deletes", "allowed"), [(24, True), (25, True), (26, False)])
    def test_A10_limit_minus_one_limit_and_limit_plus_one(self, deletes, allowed):
        assert DeleteLimit.parse("25%").allows(deletes, 100) is allowed

    @settings(max_examples=300, deadline=None)
    @given(
        hundredths=st.integers(0, 10_000), objects=st.integers(0, 100).map((10_000).__mul__) | st.integers(0, 10_000)
    )
    def test_is_exact_however_the_percentage_is_written(self, hundredths, objects):
        limit = DeleteLimit.parse(f"{hundredths // 100}.{hundredths % 100:02}%")
        most = objects * hundredths // 10_000
        assert limit.allows(most, objects)
        assert not limit.allows(most + 1, objects)

    def test_100_percent_allows_everything(self):
        assert DeleteLimit.parse("100%").allows(7, 7)


def test_without_a_limit_everything_is_allowed():
    assert DeleteLimit().allows(10, 10)


@pytest.mark.parametrize("text", ["", "x", "-1", "1.5", "101%", "25 percent", "%", "1e3", "5%%"])
def test_anything_else_is_refused_by_name(text):
    with pytest.raises(ValueError, match=r"neither a number|more than 100%"):
        DeleteLimit.parse(text)


@pytest.mark.parametrize("text", ["100", "25%", "2.5%", "0"])
def test_prints_as_it_was_written(text):
    assert str(DeleteLimit.parse(text)) == text
