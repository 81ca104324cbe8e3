"""Edits that tools miss, and touches that they send, between directories and a real object store."""

import os

import pytest
from cloudsync_s3.backend import S3Backend
from cloudsync_s3.config import S3Options

from cloudsync_core.location import Location
from cloudsync_core.runs import Counts
from tests.engine.stores import content
from tests.workflows.world import World

HOUR_NS = 3_600_000_000_000


@pytest.fixture
def up(tree, moto_s3, state):
    """A job from a directory to a bucket: `up.path`, `up.source`."""
    location, options = Location("s3", f"{moto_s3.make_bucket()}/x"), S3Options(**moto_s3.options)
    world = World(tree.open, lambda: S3Backend(location, options), state)
    world.path = tree.path
    return world


def write(path, data, *, hours=0):
    """Write a file of the same size as before, and give it a time of `hours` from its own."""
    path.write_bytes(data)
    shift(path, hours)


def shift(path, hours):
    was = path.stat()
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns + hours * HOUR_NS))


def sent(world):
    with world.target() as target:
        return content(target, "file")


class TestAFileThatIsRewrittenRightAfterItWasSent:
    @pytest.mark.parametrize("hours", [0, -1, -24], ids=lambda hours: f"{hours}h")
    def test_B03_is_sent_though_the_targets_time_is_the_later_one(self, up, hours):
        write(up.path / "file", b"first", hours=hours)
        assert up.mirror().counts == Counts(added=1)
        write(up.path / "file", b"other", hours=hours)
        assert up.mirror().counts == Counts(updated=1)
        assert sent(up) == b"other"


class TestTimesAnHourOff:
    @pytest.mark.parametrize("hours", [-1, 1], ids=["earlier", "later"])
    def test_B06_cost_a_look_and_no_transfer(self, up, hours):
        write(up.path / "file", b"content")
        up.mirror()
        shift(up.path / "file", hours)
        assert up.mirror().counts == Counts(unchanged=1)

    @pytest.mark.parametrize("hours", [-1, 1], ids=["earlier", "later"])
    def test_B06_hide_no_other_content(self, up, hours):
        write(up.path / "file", b"content")
        up.mirror()
        write(up.path / "file", b"another", hours=hours)
        assert up.mirror().counts == Counts(updated=1)
        assert sent(up) == b"another"


class TestSizesAlone:
    def test_B02_are_no_evidence_unless_that_is_asked_for(self, up):
        write(up.path / "file", b"first")
        up.mirror()
        write(up.path / "file", b"other")
        assert up.mirror(compare="size").counts == Counts(unchanged=1)
        assert sent(up) == b"first"
        assert up.mirror().counts == Counts(updated=1)
        assert sent(up) == b"other"
