"""Ctrl-C and SIGTERM at any point: the run ends in order and leaves nothing behind, in every store (D08, D25)."""

import json
import signal
from collections.abc import Callable

import pytest

from tests.crash.promises import hold_after_a_rerun, hold_of_the_base, hold_outside, hold_right_after
from tests.crash.story import Scene

Stage = Callable[[str, str], Scene]

ONTO_DISK = ("get.temp.created", "get.chunk.written:2", "get.rename")
IN_PARTS = ("put.temp.opened", "put.part.sent:2", "put.complete.sent", "put.complete.acked")
POINTS = {
    ("file", "file"): ("list.source.page", "list.done", "op.claimed", "lease.taken", *ONTO_DISK, "del.acked"),
    ("file", "s3"): ("put.acked", *IN_PARTS, "del.acked"),
    ("s3", "file"): ONTO_DISK[1:2],
    ("file", "azure"): IN_PARTS,
    ("azure", "file"): ONTO_DISK[1:2],
    ("file", "gcs"): IN_PARTS,
    ("gcs", "file"): ONTO_DISK[1:2],
}
UNDOABLE = {"az"}
"""Where nobody can end an upload but by finishing it. It is no object, and goes by itself after a week."""

CASES = [(pair, point) for pair, points in POINTS.items() for point in points]
IDS = [f"{'-'.join(pair)}-{point}" for pair, point in CASES]


def stopped(scene: Scene, point: str, *signals: int) -> None:
    """Let a run be stopped at a point, which it survives for as long as it takes to end in order."""
    ending = scene.runs.run(scene.config, crash_at=point, signals=signals)
    assert ending.code == 130, ending.log
    assert "Traceback" not in ending.log
    [*_, report] = [line for line in ending.log.splitlines() if line.startswith("{")]
    assert json.loads(report)["exit_code"] == 130
    assert scene.target.scheme in UNDOABLE or not scene.unfinished(scene.target), "D08: it leaves something behind"
    hold_right_after(scene)
    hold_outside(scene)
    hold_of_the_base(scene)


@pytest.mark.parametrize(("pair", "point"), CASES, ids=IDS)
def test_D25_a_stop_at_any_point_ends_in_order_and_leaves_nothing(pair, point, stage: Stage):
    scene = stage(*pair)
    stopped(scene, point, signal.SIGTERM if point in IN_PARTS[:2] else signal.SIGINT)
    hold_after_a_rerun(scene)


@pytest.mark.parametrize("store", ["s3", "azure", "gcs"])
def test_D08_a_second_stop_in_the_middle_of_an_upload_leaves_nothing_either(store, stage: Stage):
    scene = stage("file", store)
    stopped(scene, "put.part.sent:2", signal.SIGINT, signal.SIGTERM)
    hold_after_a_rerun(scene)


def test_D08_a_second_stop_in_the_middle_of_a_download_leaves_nothing_either(stage: Stage):
    scene = stage("s3", "file")
    stopped(scene, "get.chunk.written", signal.SIGTERM, signal.SIGINT)
    hold_after_a_rerun(scene)
