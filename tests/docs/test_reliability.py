"""The page of the promises names every case that is known to go wrong, with the tests that show it does not here."""

import pytest

from tests.docs.reliability import CASES, EXCUSE, NOT_PROVEN, PAGE, filled, rows, shown

ROWS = rows(PAGE.read_text())


@pytest.fixture(scope="module")
def found():
    """The modules of tests, by case."""
    return shown()


def test_every_case_is_in_the_table_in_order():
    assert list(ROWS) == list(CASES)


@pytest.mark.parametrize("case", CASES)
def test_every_case_has_a_test_or_a_reason(case):
    _, answer, tests = ROWS[case]
    assert bool(tests or answer.startswith(EXCUSE)) != (case in NOT_PROVEN)


def test_what_is_not_proven_is_said_on_the_page():
    _, _, told = PAGE.read_text().partition("\n## Not proven yet\n")
    assert {case for case in CASES if case in told} == NOT_PROVEN


def test_the_table_names_the_tests_that_there_are(found):
    page = PAGE.read_text()
    assert page == filled(page, found), "run: python -m tests.docs.reliability"


def test_tests_name_no_case_that_there_is_not(found):
    assert sorted(found.keys() - set(CASES)) == []


class TestTheTableIsHeldToTheTests:
    """What the tests above rest on."""

    ROW = "| A05 | it goes wrong | it does not |  |\n"

    def test_a_test_that_the_table_does_not_name_is_noticed(self, found):
        assert filled(self.ROW, found) != self.ROW
        assert "[workflows/deletes](../tests/workflows/test_deletes.py)" in filled(self.ROW, found)

    def test_a_test_that_is_gone_is_noticed(self, found):
        page = filled(self.ROW, found)
        assert filled(page, found) == page
        assert filled(page, {}) == self.ROW

    def test_a_case_that_stands_there_twice_is_noticed(self):
        with pytest.raises(ValueError, match="A05 is in the table twice"):
            rows(self.ROW * 2)
