"""Uploads whose server says how much of them it has, and is wrong about it; of these clouds Google's does."""

import pytest

from cloudsync_core.testing.faults import Response, refuse
from tests.faults.conftest import ATTEMPTS, PART, Uploads

CLAIMS = {
    "D14-more-than-was-sent": {"range": f"bytes=0-{9 * PART}"},
    "D14-all-of-it": {"range": f"bytes=0-{3 * PART - 1}"},
    "D15-less-and-not-to-a-boundary": {"range": f"bytes=0-{PART // 2 + 12}"},
    "D15-nothing": {},
}


@pytest.fixture
def up(cloud, tmp_path, without_pauses):
    """A file on its way to the cloud, in three chunks."""
    return Uploads(cloud, tmp_path / "site", 3 * PART)


def is_first_chunk(request):
    sent = request.headers.get("content-range", "")
    return sent.startswith("bytes 0-") and sent.endswith("/*")


@pytest.mark.parametrize("cloud", ["gcs"], indirect=True)
@pytest.mark.parametrize("claim", CLAIMS)
class TestClaims:
    def test_D14_D15_once_is_not_believed_and_leaves_no_hole(self, up, claim):
        done = up.proxy.disturb(is_first_chunk, refuse(Response(308, b"", CLAIMS[claim])), times=1)
        report = up.mirror()
        assert done.met == 1
        assert (report.status, report.counts.added) == ("done", 1)
        assert up.cloud.contents() == {"key": up.content}
        assert up.cloud.unfinished() == []

    def test_D14_D15_always_fails_and_shows_nothing(self, up, claim):
        done = up.proxy.disturb(is_first_chunk, refuse(Response(308, b"", CLAIMS[claim])))
        report = up.mirror()
        assert done.met == ATTEMPTS
        assert (report.status, report.counts.failed) == ("partial", 1)
        assert up.cloud.contents() == {}
        assert up.cloud.unfinished() == []
