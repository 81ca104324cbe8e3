"""Objects of each cloud on their way to a directory, whatever the network does to them."""

import pytest

from cloudsync_core.testing.faults import (
    cut_answer,
    delay_answer,
    drop_request,
    refuse,
    reset_answer,
    shorten_answer,
    stall_answer,
)
from tests.faults.conftest import ATTEMPTS, IMPATIENT, KIB, MARK, SILENT, WRONG, Downloads

RANGE = 500 * KIB
SMALL, LARGE = 10 * KIB, 2 * RANGE + 250 * KIB
"""Bytes of an object that comes as one answer, and of one that comes in three."""

OLDER = {"key": b"older"}


@pytest.fixture(params=[SMALL, LARGE], ids=["at-once", "in-ranges"])
def down(request, cloud, tmp_path, monkeypatch, without_pauses):
    """An object on its way to a directory, which holds an older one."""
    monkeypatch.setattr("cloudsync_core.backends.objectstore.reading.RANGE", RANGE)
    found = Downloads(cloud, tmp_path / "site", request.param)
    found.write(OLDER)
    return found


def flip_mark(request, forward):
    answer = forward()
    return type(answer)(answer.status, answer.body.replace(MARK, WRONG), answer.headers)


def last_of(down):
    """Choose the requests for the last bytes of the object."""
    return lambda request: (
        down.dialect.reads(request) and (down.size == SMALL or f"{down.size - 1}" in ",".join(request.headers.values()))
    )


FAULTS = {
    "flipped-bit": flip_mark,
    "shortened": shorten_answer(7),
    "shortened-to-nothing": shorten_answer(LARGE),
    "cut-off": cut_answer(1000),
    "reset": reset_answer(),
    "reset-in-the-middle": reset_answer(1000),
    "dropped": drop_request(),
    "no-answer": delay_answer(60),
    "no-end-of-the-answer": stall_answer(1000, 60),
}


class TestFaults:
    """What comes damaged or ends early is asked for again, and the directory shows the old bytes or the right ones."""

    @pytest.mark.parametrize("fault", FAULTS)
    def test_D16_D18_once_costs_an_attempt(self, down, fault):
        done = down.proxy.disturb(last_of(down), FAULTS[fault], times=1)
        down.read_timeout = IMPATIENT if fault in SILENT else down.read_timeout
        report = down.mirror()
        assert done.met == 1
        assert (report.status, report.counts.updated) == ("done", 1)
        assert sum(report.verified.values()) == 1
        assert "size" not in report.verified
        assert down.contents() == {"key": down.content}

    @pytest.mark.parametrize("fault", FAULTS)
    def test_D16_D18_always_fails_and_leaves_what_was_there(self, down, fault):
        done = down.proxy.disturb(last_of(down), FAULTS[fault])
        down.read_timeout = IMPATIENT if fault in SILENT else down.read_timeout
        report = down.mirror(retries=2)
        assert done.met == 2
        assert (report.status, report.counts.failed, report.counts.updated) == ("partial", 1, 0)
        assert down.contents() == OLDER

    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_E08_attempts_do_not_multiply(self, down, status):
        done = down.proxy.disturb(last_of(down), refuse(down.dialect.refusal(status)))
        report = down.mirror()
        assert (report.status, report.counts.failed) == ("partial", 1)
        assert done.met == ATTEMPTS
        assert down.contents() == OLDER


class TestVersions:
    def test_D17_bytes_of_two_versions_are_never_put_together(self, down):
        """It is overwritten before its last bytes are read, once; what comes in the end is whole."""
        newer = bytes(reversed(down.content))

        def meanwhile(request, forward):
            down.cloud.fill({"key": newer})
            return forward()

        done = down.proxy.disturb(last_of(down), meanwhile, times=1)
        report = down.mirror()
        assert done.met == 1
        assert (report.status, report.counts.updated) == ("done", 1)
        assert down.contents() == {"key": newer}

    @pytest.mark.parametrize("down", [LARGE], indirect=True)
    def test_D17_an_object_that_never_stays_the_same_is_reported(self, down):
        """Each attempt meets another version before it has read all."""
        versions = iter(range(100))

        def meanwhile(request, forward):
            down.cloud.fill({"key": b"%d" % next(versions) + down.content})
            return forward()

        done = down.proxy.disturb(down.dialect.reads, meanwhile)
        report = down.mirror()
        assert done.met >= ATTEMPTS
        assert (report.status, [group.cause for group in report.failures]) == ("partial", ["PreconditionFailedError"])
        assert down.contents() == OLDER

    def test_D19_an_object_that_vanishes_between_listing_and_reading_is_reported_and_nothing_is_deleted(self, down):
        down.write({"extra": b"extra"})
        done = down.proxy.disturb(down.dialect.reads, refuse(down.dialect.refusal(404)))
        report = down.mirror(delete=True)
        assert done.met
        assert (report.status, report.counts.failed, report.counts.deleted) == ("partial", 1, 0)
        assert down.contents() == {**OLDER, "extra": b"extra"}
