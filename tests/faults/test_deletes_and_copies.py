"""Deletes, and copies inside each cloud, whatever the network does to them."""

import pytest

from cloudsync_core.testing.faults import (
    drop_request,
    flip_answer,
    lose_answer,
    refuse,
    reset_answer,
)
from tests.faults.conftest import ATTEMPTS, Copies, Removals, marked

FEW, MANY = 1, 7
"""Objects that go by a request each, and some that share requests."""

ONCE = {
    "429": lambda dialect: refuse(dialect.refusal(429)),
    "503": lambda dialect: refuse(dialect.refusal(503)),
    "409": lambda dialect: refuse(dialect.refusal(409)),
    "dropped": lambda dialect: drop_request(),
    "answer-lost": lambda dialect: lose_answer(),
    "answer-reset": lambda dialect: reset_answer(),
    "answer-damaged": lambda dialect: flip_answer(0),
}


@pytest.mark.parametrize("count", [FEW, MANY])
class TestDeletes:
    @pytest.fixture
    def removals(self, cloud, tmp_path, without_pauses, count):
        return Removals(cloud, tmp_path / "site", count)

    @pytest.mark.parametrize("fault", ONCE)
    def test_F01_that_go_wrong_once_are_done_and_counted_once(self, removals, count, fault):
        done = removals.proxy.disturb(removals.deletes, ONCE[fault](removals.dialect), times=1)
        report = removals.mirror()
        assert done.met == 1
        assert (report.status, report.counts.deleted, report.counts.failed) == ("done", count, 0)
        assert set(removals.cloud.contents()) == {"kept"}

    def test_A15_that_are_refused_are_counted_as_failed_and_what_they_were_for_stays(self, removals, count):
        done = removals.proxy.disturb(removals.deletes, refuse(removals.dialect.refusal(403)))
        report = removals.mirror()
        assert done.met
        assert (report.status, report.counts.deleted, report.counts.failed) == ("partial", 0, count)
        assert len(removals.cloud.contents()) == count + 1

    def test_A24_what_somebody_rewrites_meanwhile_stays(self, removals, count):
        """After the last look at it: the condition on the delete decides."""

        def meanwhile(request, forward):
            removals.cloud.fill({"old-0": b"newer"})
            return forward()

        done = removals.proxy.disturb(
            lambda request: removals.deletes(request) and b"old-0" in request.target.encode() + request.body,
            meanwhile,
            times=1,
        )
        report = removals.mirror()
        assert done.met == 1
        assert removals.cloud.contents() == {"kept": b"kept", "old-0": b"newer"}
        assert (report.status, report.counts.deleted, report.counts.failed) == ("partial", count - 1, 1)


class TestCopies:
    @pytest.fixture
    def copies(self, cloud, without_pauses):
        return Copies(cloud)

    @pytest.mark.parametrize("fault", ONCE)
    def test_F01_F02_that_go_wrong_once_are_done_and_counted_once(self, copies, fault):
        done = copies.proxy.disturb(copies.dialect.copies, ONCE[fault](copies.dialect), times=1)
        report = copies.mirror()
        assert done.met == 1
        assert (report.status, report.counts.added, report.bytes_transferred) == ("done", 1, 0)
        assert copies.contents() == {"key": copies.content}

    def test_D11_a_failure_within_a_success_is_a_failure(self, copies):
        done = copies.proxy.disturb(copies.dialect.copies, refuse(copies.dialect.failure_within_a_success()))
        report = copies.mirror()
        assert done.met
        assert (report.status, report.counts.added, report.counts.failed) == ("partial", 0, 1)
        assert copies.contents() == {}

    def test_D11_once_is_followed_by_another_attempt(self, copies):
        fault = refuse(copies.dialect.failure_within_a_success())
        done = copies.proxy.disturb(copies.dialect.copies, fault, times=1)
        report = copies.mirror()
        assert done.met == 1
        assert (report.status, report.counts.added) == ("done", 1)
        assert copies.contents() == {"key": copies.content}

    def test_E08_attempts_do_not_multiply(self, copies):
        done = copies.proxy.disturb(copies.dialect.copies, refuse(copies.dialect.refusal(503)))
        report = copies.mirror()
        assert (report.status, report.counts.failed) == ("partial", 1)
        assert done.met == ATTEMPTS
        assert copies.contents() == {}

    def test_D17_a_source_that_changes_meanwhile_is_not_taken_for_what_was_listed(self, copies):
        newer = marked(len(copies.content))

        def meanwhile(request, forward):
            copies.cloud.fill({"from/key": newer})
            return forward()

        done = copies.proxy.disturb(copies.dialect.copies, meanwhile, times=1)
        report = copies.mirror()
        assert done.met == 1
        assert (report.status, report.counts.failed) == ("partial", 1)
        # A server that ignores the condition has made a copy of the newer one, which is whole.
        assert copies.contents() in ({}, {"key": newer})
        assert copies.mirror().status == "done"
        assert copies.contents() == {"key": newer}
