"""Directories on their way to each cloud, whatever the network does to them."""

import contextlib
import os

import pytest

from cloudsync_core.layers.layer import Layer
from cloudsync_core.testing.faults import (
    CutOff,
    Faulty,
    Response,
    Shorten,
    at,
    drop_request,
    flip_answer,
    lose_answer,
    refuse,
    reset_answer,
)
from tests.faults.conftest import ATTEMPTS, KIB, PART, Uploads, carries_mark, flip_mark

SMALL, LARGE = 10 * KIB, 2 * PART + 100 * KIB


@pytest.fixture(params=[SMALL, LARGE], ids=["at-once", "in-parts"])
def up(request, cloud, tmp_path, without_pauses):
    """A file on its way to the cloud."""
    return Uploads(cloud, tmp_path / "site", request.param)


class TestBitsThatFlip:
    def test_D18_once_is_sent_again(self, up):
        done = up.proxy.disturb(carries_mark, flip_mark, times=1)
        report = up.mirror()
        assert done.met == 1
        assert (report.status, report.counts.added) == ("done", 1)
        assert sum(report.verified.values()) == 1
        assert "size" not in report.verified
        assert up.cloud.contents() == {"key": up.content}

    def test_D18_always_fails_and_leaves_nothing_wrong(self, up):
        done = up.proxy.disturb(carries_mark, flip_mark)
        report = up.mirror()
        assert done.met == ATTEMPTS
        assert (report.status, report.counts.failed, report.counts.added) == ("partial", 1, 0)
        assert up.cloud.contents() == {}
        assert up.cloud.unfinished() == []

    def test_D18_always_over_an_older_object_never_leaves_the_wrong_one(self, up):
        up.cloud.fill({"key": b"older"})
        up.proxy.disturb(carries_mark, flip_mark)
        report = up.mirror()
        assert (report.status, report.counts.failed, report.counts.updated) == ("partial", 1, 0)
        # A server that compares nothing has replaced the older one, before it was found out.
        assert up.cloud.contents() in ({"key": b"older"}, {})
        assert up.cloud.unfinished() == []


class TestAnswersThatAreLost:
    @pytest.mark.parametrize("older", [{}, {"key": b"older"}], ids=["add", "update"])
    def test_D26_F01_a_commit_whose_answer_was_lost_is_done_and_counted_once(self, up, older):
        up.cloud.fill(older)
        done = up.proxy.disturb(up.commits, lose_answer(), times=1)
        report = up.mirror()
        assert done.met == 1
        assert (report.status, report.counts.added + report.counts.updated) == ("done", 1)
        assert report.bytes_transferred == len(up.content)
        assert up.cloud.contents() == {"key": up.content}
        assert up.cloud.unfinished() == []

    def test_D26_a_commit_that_never_came_is_sent_again(self, up):
        done = up.proxy.disturb(up.commits, drop_request(), times=1)
        assert up.mirror().counts.added == 1
        assert done.met == 1
        assert up.cloud.contents() == {"key": up.content}
        assert up.cloud.unfinished() == []

    def test_D26_an_answer_that_is_damaged_is_as_good_as_lost(self, up):
        up.proxy.disturb(up.commits, flip_answer(0), times=1)
        assert up.mirror().counts.added == 1
        assert up.cloud.contents() == {"key": up.content}

    def test_P3_an_answer_that_tells_nothing_is_no_success(self, up):
        """Nothing has reached the server, whatever has answered in its stead."""
        done = up.proxy.disturb(up.commits, refuse(Response(200)))
        report = up.mirror()
        assert done.met == ATTEMPTS
        assert (report.status, report.counts.added, report.counts.failed) == ("partial", 0, 1)
        assert up.cloud.contents() == {}
        up.proxy.calm()
        assert up.mirror().status == "done"

    def test_F01_somebody_elses_object_is_not_taken_for_ours(self, up):
        """It appears after the answer to ours was lost, and is as long as ours."""

        def overwritten(request, forward):
            forward()
            up.cloud.fill({"key": bytes(len(up.content))})

        up.proxy.disturb(up.commits, overwritten, times=1)
        report = up.mirror()
        assert (report.status, report.counts.failed, report.counts.added) == ("partial", 1, 0)
        assert up.cloud.contents() == {"key": bytes(len(up.content))}


class TestRefusals:
    def test_F02_a_conflict_is_tried_again(self, up):
        done = up.proxy.disturb(up.commits, refuse(up.dialect.refusal(409)), times=1)
        report = up.mirror()
        assert done.met == 1
        assert (report.status, report.counts.added) == ("done", 1)
        assert up.cloud.contents() == {"key": up.content}

    def test_F02_a_conflict_without_end_fails_and_is_no_object_that_exists(self, up):
        up.proxy.disturb(up.commits, refuse(up.dialect.refusal(409)))
        report = up.mirror()
        assert [group.cause for group in report.failures] == ["UnavailableError"]
        assert up.cloud.contents() == {}

    @pytest.mark.parametrize("older", [{}, {"key": b"older"}], ids=["add", "update"])
    def test_D20_D21_what_somebody_else_writes_meanwhile_stays(self, up, older):
        up.cloud.fill(older)

        def meanwhile(request, forward):
            up.cloud.fill({"key": b"theirs"})
            return forward()

        done = up.proxy.disturb(up.commits, meanwhile, times=1)
        report = up.mirror()
        assert done.met == 1
        assert (report.status, report.counts.failed) == ("partial", 1)
        assert up.cloud.contents() == {"key": b"theirs"}
        assert up.cloud.unfinished() == []

    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_E08_attempts_do_not_multiply(self, up, status):
        done = up.proxy.disturb(up.commits, refuse(up.dialect.refusal(status)))
        report = up.mirror()
        assert (report.status, report.counts.failed) == ("partial", 1)
        assert done.met == ATTEMPTS
        assert up.cloud.contents() == {}
        assert up.cloud.unfinished() == []


class TestConnectionsThatBreak:
    @pytest.mark.parametrize("older", [{}, {"key": b"older"}], ids=["add", "update"])
    def test_P1_on_the_way_up_once_and_always(self, up, older):
        up.cloud.fill(older)
        broken = []

        def breaks_off(request):
            if int(request.headers.get("content-length", "0")) < SMALL:
                return None
            broken.append(request)
            return SMALL // 2

        up.proxy.breaks_off = breaks_off
        report = up.mirror()
        assert (report.status, report.counts.failed) == ("partial", 1)
        assert len(broken) >= ATTEMPTS
        assert up.cloud.contents() == older
        assert up.cloud.unfinished() == []
        up.proxy.breaks_off = lambda request: breaks_off(request) if len(broken) < ATTEMPTS + 1 else None
        del broken[ATTEMPTS:]
        assert up.mirror().status == "done"
        assert len(broken) == ATTEMPTS + 1
        assert up.cloud.contents() == {"key": up.content}

    def test_with_the_answer_is_an_answer_lost(self, up):
        done = up.proxy.disturb(up.commits, reset_answer(), times=1)
        assert up.mirror().counts.added == 1
        assert done.met == 1
        assert up.cloud.contents() == {"key": up.content}


class TestSources:
    """What goes wrong on the side that is read, by a layer over the directory."""

    @pytest.mark.parametrize("trouble", [Shorten(SMALL // 2), CutOff(SMALL // 2)], ids=["shortened", "cut-off"])
    def test_D02_D16_content_that_ends_early_is_an_error_and_never_a_short_object(self, up, trouble):
        up.wrap = lambda backend: Faulty(backend, at("get", trouble, times=None))
        report = up.mirror()
        assert (report.status, report.counts.failed, report.counts.added) == ("partial", 1, 0)
        assert up.cloud.contents() == {}
        assert up.cloud.unfinished() == []
        up.wrap = lambda backend: Faulty(backend, at("get", trouble))
        assert up.mirror().status == "done"
        assert up.cloud.contents() == {"key": up.content}

    @pytest.mark.parametrize("left", [0, SMALL // 2])
    def test_D02_a_file_that_shrinks_while_it_is_read_is_sent_as_it_is_then(self, up, left):
        up.wrap = lambda backend: Shrinking(backend, up.folder, left)
        report = up.mirror()
        assert up.cloud.contents() == {"key": up.content[:left]}
        assert (report.status, report.counts.added, report.bytes_transferred) == ("done", 1, left)
        assert up.cloud.unfinished() == []


class Shrinking(Layer):
    """A directory whose files are truncated as soon as somebody has begun to read them."""

    def __init__(self, inner, folder, left):
        super().__init__(inner)
        self._folder, self._left = folder, left

    @contextlib.contextmanager
    def get(self, key, **options):
        with self.inner.get(key, **options) as reader:
            # What is not changed does not look it.
            if reader.size > self._left:
                os.truncate(self._folder / key, self._left)
            yield reader

    def read(self, key, limit):
        return None
