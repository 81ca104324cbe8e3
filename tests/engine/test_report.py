"""The tally: every object once, in a report whose size does not grow with them."""

import json

import pytest

from cloudsync_core.engine.plan import Settled
from cloudsync_core.engine.report import EXAMPLES, GROUPS, OTHER_CAUSES, Tally
from cloudsync_core.runs import Action, Counts, Outcome, RunInfo
from tests.engine.objects import entry

RUN = RunInfo("1", "site", "mirror", "a", "b", False, 0.0)
ADD = Action("add", "k", "new", entry("k"))
UPDATE = Action("update", "k", "size", entry("k"), entry("k"))
DELETE = Action("delete", "k", "gone", target=entry("k"))


@pytest.fixture
def tally():
    return Tally(RUN)


def report(tally, status="done", **options):
    return tally.report(status, requests={"source": {"list": 1}, "target": {}}, **options)


def done(action, **fields):
    return Outcome(action, "done", verified=None if action.kind == "delete" else "md5", **fields)


def failed(action, error="it failed", cause="UnavailableError"):
    return Outcome(action, "failed", error=error, cause=cause)


class TestCounts:
    def test_each_outcome_is_counted_as_what_it_was(self, tally):
        for outcome in (done(ADD), done(UPDATE), done(UPDATE), done(DELETE), failed(ADD), Outcome(ADD, "skipped")):
            tally.finished(outcome)
        assert report(tally).counts == Counts(added=1, updated=2, deleted=1, skipped=1, failed=1)

    def test_each_settled_key_is_counted_as_what_it_is(self, tally):
        for status, count in (("unchanged", 5), ("unchanged", 1), ("skipped", 1), ("unknown", 1), ("forgotten", 1)):
            tally.settled(Settled(status, "why", "k", count=count))
        assert report(tally).counts == Counts(unchanged=6, skipped=1, unknown=1)

    def test_a_dry_run_counts_what_would_be(self, tally):
        for action in (ADD, UPDATE, DELETE):
            tally.would(action)
        assert report(tally).counts == Counts(added=1, updated=1, deleted=1)

    def test_objects_are_counted_on_the_side_where_they_are(self, tally):
        for action in (ADD, UPDATE, DELETE):
            tally.planned(action)
        tally.settled(Settled("unchanged", "unchanged", count=7, on_source=7, on_target=7))
        tally.settled(Settled("unknown", "why", "k", on_source=1))
        assert (tally.source_objects, tally.target_objects) == (10, 9)
        assert report(tally).target_objects == 9

    def test_bytes_and_proofs_add_up(self, tally):
        tally.finished(done(ADD, bytes=3))
        tally.finished(Outcome(UPDATE, "done", bytes=4, verified="readback"))
        tally.finished(Outcome(UPDATE, "done", verified="md5"))
        tally.finished(done(DELETE))
        found = report(tally)
        assert (found.bytes_transferred, found.verified) == (7, {"md5": 2, "readback": 1})

    def test_a_part_of_a_listing_that_is_missing_is_remembered(self, tally):
        tally.settled(Settled("unknown", "why", "k", hinders_deletes=True))
        tally.settled(Settled("skipped", "why", "k"))
        assert tally.hinders_deletes


class TestPartial:
    @pytest.mark.parametrize("status", ["unchanged", "skipped"])
    def test_what_the_rules_say_is_done(self, tally, status):
        tally.settled(Settled(status, "why", "k"))
        assert not tally.partial

    def test_an_unknown_key_is_not(self, tally):
        tally.settled(Settled("unknown", "why", "k"))
        assert tally.partial

    def test_a_failure_is_not(self, tally):
        tally.finished(failed(ADD))
        assert tally.partial


class TestDeletesWithheld:
    def test_are_those_that_were_planned_and_not_tried(self, tally):
        for _ in range(5):
            tally.planned(DELETE)
        tally.planned(ADD)
        tally.finished(done(ADD))
        assert report(tally).deletes_withheld == 5
        tally.finished(done(DELETE))
        tally.finished(failed(DELETE))
        assert report(tally).deletes_withheld == 3

    def test_of_a_dry_run_are_those_that_a_run_would_withhold(self, tally):
        tally.planned(DELETE)
        assert report(tally).deletes_withheld == 1
        tally.would(DELETE)
        assert report(tally).deletes_withheld == 0

    def test_are_planned_anew_when_the_listings_are_read_again(self, tally):
        tally.planned(DELETE)
        tally.restart()
        tally.planned(DELETE)
        assert report(tally).deletes_withheld == 1


class TestRestart:
    """The listings are read again; what the first pass wrote is met again."""

    def first_pass(self, tally, outcomes):
        for action in outcomes:
            tally.planned(action)
            tally.finished(done(action, bytes=1))
        tally.settled(Settled("unchanged", "unchanged", "x", on_source=1, on_target=1))
        tally.settled(Settled("unknown", "why", "y", on_source=1, hinders_deletes=True))
        tally.restart()

    def test_what_is_found_unchanged_then_stays_what_it_was(self, tally):
        self.first_pass(tally, [ADD, ADD, UPDATE])
        tally.settled(Settled("unchanged", "unchanged", count=4, on_source=4, on_target=4))
        assert report(tally).counts == Counts(added=2, updated=1, unchanged=1)

    def test_what_is_written_again_then_is_counted_once(self, tally):
        self.first_pass(tally, [ADD, ADD, UPDATE])
        for _ in range(3):
            tally.finished(done(UPDATE))
        tally.settled(Settled("unchanged", "unchanged", "x", on_source=1, on_target=1))
        counts = report(tally).counts
        assert counts.added + counts.updated + counts.unchanged == 4
        assert (counts.added, min(counts.updated, counts.unchanged)) == (2, 0)

    def test_objects_failures_and_hindrances_are_counted_anew(self, tally):
        self.first_pass(tally, [ADD])
        assert (tally.source_objects, tally.hinders_deletes) == (0, False)
        assert report(tally).failures == []
        assert not tally.partial

    def test_a_second_restart_counts_nothing_twice(self, tally):
        self.first_pass(tally, [ADD, ADD, UPDATE])
        for _ in range(2):
            tally.finished(done(UPDATE))
        tally.restart()
        tally.settled(Settled("unchanged", "unchanged", count=4, on_source=4, on_target=4))
        assert report(tally).counts == Counts(added=2, updated=1, unchanged=1)

    def test_A10_the_target_is_as_large_as_it_was_before_the_run(self, tally):
        self.first_pass(tally, [ADD, ADD, UPDATE])
        assert report(tally).target_objects == 0
        tally.settled(Settled("unchanged", "unchanged", count=4, on_source=4, on_target=4))
        assert tally.target_objects == report(tally).target_objects == 2

    def test_bytes_and_proofs_stay(self, tally):
        self.first_pass(tally, [ADD, UPDATE])
        assert (report(tally).bytes_transferred, report(tally).verified) == (2, {"md5": 2})


class TestFailures:
    def test_are_grouped_by_cause_the_most_frequent_first(self, tally):
        for cause, count in (("AError", 1), ("BError", 3), ("CError", 1)):
            for _ in range(count):
                tally.finished(failed(ADD, cause=cause))
        assert [(group.cause, group.count) for group in report(tally).failures] == [
            ("BError", 3),
            ("AError", 1),
            ("CError", 1),
        ]

    def test_name_the_keys_of_what_was_left_out(self, tally):
        tally.settled(Settled("skipped", "a symbolic link (source)", "x\ny"))
        [group] = report(tally).failures
        assert (group.cause, group.examples) == (
            "a symbolic link (source)",
            [r"x\ny: a symbolic link (source)"],
        )

    def test_keep_a_few_examples_and_count_the_rest(self, tally):
        for number in range(EXAMPLES * 3):
            tally.finished(failed(ADD, error=f"{number}"))
        [group] = report(tally).failures
        assert (group.count, group.examples) == (EXAMPLES * 3, [str(number) for number in range(EXAMPLES)])

    def test_of_too_many_causes_are_counted_together(self, tally):
        for number in range(GROUPS + 20):
            tally.finished(failed(ADD, cause=f"Error{number:03}"))
        groups = report(tally).failures
        assert len(groups) == GROUPS + 1
        assert (groups[0].cause, groups[0].count) == (OTHER_CAUSES, 20)

    def test_keep_the_report_small_whatever_happens(self, tally):
        for number in range(5000):
            tally.settled(Settled("unknown", f"reason {number}", f"key {number}"))
        assert len(json.dumps(report(tally).to_dict())) < 20_000


def test_a_report_is_the_same_as_json(tally):
    tally.finished(done(ADD, bytes=3))
    tally.finished(failed(UPDATE))
    values = json.loads(json.dumps(report(tally, "partial", message="why").to_dict()))
    assert values["counts"] == {
        **dict.fromkeys(["added", "failed"], 1),
        **dict.fromkeys(["updated", "deleted", "unchanged", "skipped", "unknown"], 0),
    }
    assert values["requests"] == {"source": {"list": 1}, "target": {}}
    assert values["failures"] == [{"cause": "UnavailableError", "count": 1, "examples": ["it failed"]}]
    assert (values["status"], values["exit_code"], values["message"]) == ("partial", 1, "why")
    assert "error" not in values


@pytest.mark.parametrize(
    ("status", "code"), [("done", 0), ("partial", 1), ("refused", 4), ("aborted", 4), ("interrupted", 130)]
)
def test_P11_every_end_has_its_exit_code(tally, status, code):
    assert report(tally, status).exit_code == code
