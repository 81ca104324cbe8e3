"""Directories that cannot be read, go away or are replaced under a run: nothing is deleted from the bucket."""

import functools
import shutil

import pytest
from cloudsync_s3.backend import S3Backend
from cloudsync_s3.config import S3Options

from cloudsync_core.backends.file import FileBackend
from cloudsync_core.errors import AccessDeniedError, ContainerNotFoundError, EmptySourceError
from cloudsync_core.layers.layer import Layer
from cloudsync_core.location import Location
from cloudsync_core.runs import Counts
from tests.unit.backends.conftest import Tree, unprivileged_tree
from tests.workflows.world import World

__all__ = ["unprivileged_tree"]

FILES = ("a", "folder/b", "folder/deep/c", "z")


@pytest.fixture
def bucket(moto_s3, tmp_path):
    """An empty bucket, from which and to which everything was done once.

    Whoever tests run as without privileges may not read the modules that are imported on the way.
    """
    name = moto_s3.make_bucket()
    (tmp_path / "first").mkdir()
    (tmp_path / "first/file").write_bytes(b"content")
    source = FileBackend(Location.parse(str(tmp_path / "first")))
    World(lambda: source, lambda: opened(moto_s3, name, "first"), None).mirror()
    moto_s3.contents(name)
    return name


def opened(server, bucket, prefix):
    return S3Backend(Location("s3", f"{bucket}/{prefix}"), S3Options(**server.options))


@pytest.fixture
def up(bucket, unprivileged_tree, moto_s3):
    """A job from a directory to a bucket that holds the same and one object more, of which nothing is remembered."""
    tree = Tree(unprivileged_tree.path / "root")
    tree.path.mkdir()
    world = World(tree.open, lambda: opened(moto_s3, bucket, "x"), None, {"delete": True})
    world.path = tree.path
    world.there = lambda: {key.removeprefix("x/") for key in moto_s3.contents(bucket, "x/")}
    tree.write(*FILES, "old")
    assert world.mirror().counts == Counts(added=len(FILES) + 1)
    (world.path / "old").unlink()
    return world


class BeforeReading(Layer):
    """A directory to which something happens before its first file is read."""

    def __init__(self, opener, happen):
        super().__init__(opener())
        self.happen = happen

    def get(self, key, **options):
        self.happen()
        return super().get(key, **options)

    def read(self, key, limit):
        self.happen()
        return super().read(key, limit)


EVERYTHING = {*FILES, "old"}


def test_they_are_mirrored_as_long_as_they_can_be_read(up):
    assert up.mirror().counts == Counts(unchanged=len(FILES), deleted=1)
    assert up.there() == set(FILES)


@pytest.mark.parametrize("folder", ["folder", "folder/deep"])
@pytest.mark.parametrize("mode", [0o000, 0o100, 0o400], ids=oct)
def test_A07_a_folder_that_cannot_be_read_holds_back_every_delete(up, folder, mode):
    (up.path / folder).chmod(mode)
    try:
        report = up.mirror(allow_empty_source=True)
    finally:
        (up.path / folder).chmod(0o700)
    assert (report.status, report.exit_code, report.deletes_withheld) == ("partial", 1, 1)
    assert up.there() == EVERYTHING


@pytest.mark.parametrize("mode", [0o000, 0o100], ids=oct)
def test_A07_nor_does_a_root_that_cannot_be_read_count_as_empty(up, mode):
    up.path.chmod(mode)
    try:
        report = up.mirror(allow_empty_source=True)
    finally:
        up.path.chmod(0o700)
    assert (report.status, report.exit_code) == ("aborted", 4)
    assert isinstance(report.error, AccessDeniedError)
    assert up.there() == EVERYTHING


class TestADiskThatIsUnmounted:
    """The directory is not there any more, or the empty one below it shows."""

    def test_A03_before_the_run(self, up):
        away = up.path.rename(up.path.with_name(f"{up.path.name}-away"))
        try:
            report = up.mirror(allow_empty_source=True)
            assert (report.status, report.exit_code) == ("aborted", 4)
            assert isinstance(report.error, ContainerNotFoundError)
            up.path.mkdir()
            report = up.mirror()
            assert (report.status, report.exit_code) == ("refused", 4)
            assert isinstance(report.error, EmptySourceError)
            up.path.rmdir()
        finally:
            away.rename(up.path)
        assert up.there() == EVERYTHING

    @pytest.mark.parametrize("shows", [(), ("lost+found/x",)], ids=["empty", "something-else"])
    def test_A03_between_the_listing_and_the_transfers(self, up, shows):
        (up.path / "a").write_bytes(b"changed")
        (up.path / "folder/b").write_bytes(b"changed, too")
        away = up.path.with_name(f"{up.path.name}-away")

        def unmount():
            if not away.exists():
                up.path.rename(away)
                up.path.mkdir()
                for name in shows:
                    (up.path / name).parent.mkdir()
                    (up.path / name).write_bytes(b"x")

        up.source = functools.partial(BeforeReading, up.source, unmount)
        report = up.mirror(max_delete="100%", allow_empty_source=True)
        assert away.exists()
        shutil.rmtree(up.path)
        away.rename(up.path)
        assert report.exit_code in {1, 4}
        assert report.counts.deleted == 0
        assert up.there() == EVERYTHING
