"""Names that only a local disk can have: they are told, and what may be their image is left alone (P10)."""

import os

import pytest

from cloudsync_core.runs import Counts
from cloudsync_core.testing.corpus import UNDECODABLE
from tests.engine.stores import contents, store
from tests.workflows.world import FilePlace, MemoryPlace, World


@pytest.mark.parametrize("target", ["file", "memory"])
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_C16_P10_they_are_told_and_nothing_is_deleted(tmp_path, kind, target):
    source = FilePlace(tmp_path / "source")
    other = FilePlace(tmp_path / "target") if target == "file" else MemoryPlace()
    name = source.path / os.fsdecode(UNDECODABLE)
    if kind == "file":
        name.write_bytes(b"content")
    else:
        name.mkdir()
        (name / "inside").write_bytes(b"content")
    store(source.open(), "fine", b"content")
    world = World(source.open, other.open, tmp_path / "state.db", {"delete": True})
    images = {"\ufffd\ufffd": b"image", "\u00ff\u00fe/inside": b"image", "stale": b"stale"}
    for key, data in images.items():
        store(world.target(), key, data)
    for run in range(2):
        report = world.mirror()
        assert (report.status, report.counts) == ("partial", Counts(added=int(not run), unchanged=run, unknown=1))
        assert report.deletes_withheld == len(images)
        assert world.left_out == [("unknown", "\\udcff\\udcfe")]
        assert contents(world.target()) == {"fine": b"content", **images}
