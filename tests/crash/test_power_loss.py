"""The power fails at any point: what was not made durable is gone, and nothing that was promised (D05, P3, P6)."""

import dataclasses
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from cloudsync_core.crashpoints import EXIT_CODE
from tests.crash.power import NAMES_KEPT, NAMES_LOST
from tests.crash.promises import base, hold_after_a_rerun, hold_after_all, hold_outside, hold_right_after
from tests.crash.story import Scene, write_config
from tests.crash.test_every_point import OF_DIRECTORIES
from tests.equivalence.stores import Place

POINTS = sorted(OF_DIRECTORIES | {"put.acked", "del.sent", "state.txn.begin", "state.txn.committed", "shutdown.begin"})
"""Those between which something is written."""


def failing(scene: Scene, point: str, number: int) -> Path:
    """Let the power fail in the run of a scene; return the folder of what is left of the target."""
    target, left = Path(scene.target.url), scene.config.with_name("left")
    ending = scene.runs.run(scene.config, crash_at=f"{point}:{number}", power_of=(target, left))
    assert ending.code == EXIT_CODE, ending.log
    return left


def held(tree: Path) -> dict[str, bytes]:
    """Return the files of a tree, but for what has a name of cloudsync's own."""
    return {
        key: path.read_bytes()
        for path in sorted(tree.rglob("*"))
        if path.is_file() and ".cs-" not in (key := str(path.relative_to(tree))) and not key.startswith(".cloudsync/")
    }


def boot_with(scene: Scene, tree: Path) -> None:
    """Put what is left in the place of the target."""
    target = Path(scene.target.url)
    shutil.rmtree(target)
    shutil.copytree(tree, target)


def passings(point: str, often: int, kind: str, soak: bool) -> Iterable[int]:
    """Return at which passings of a point the power fails; at all of those that leave half an object."""
    if soak or (point == "get.chunk.written" and kind == NAMES_KEPT):
        return range(1, often + 1)
    return {(often + 1) // 2, often} if kind == NAMES_KEPT else {often}


@pytest.fixture(scope="module")
def counted() -> dict[str, int]:
    return {}


@pytest.fixture
def count(counted, stage: Callable[[str, str], Scene]) -> dict[str, int]:
    """How often a run passes each point."""
    if not counted:
        scene = stage("file", "file")
        counted.update(scene.runs.run(scene.config).hits)
    return counted


@pytest.mark.parametrize("kind", [NAMES_LOST, NAMES_KEPT])
@pytest.mark.parametrize("point", POINTS)
def test_D05_no_part_of_an_object_is_left_under_its_name_when_the_power_fails(point, kind, count, stage, soak):
    for number in passings(point, count[point], kind, soak):
        scene = stage("file", "file")
        before = base(scene.config.with_name("state.db"))
        left = failing(scene, point, number)
        recorded = base(scene.config.with_name("state.db"))
        learnt = {key for key in recorded if recorded[key] != before.get(key)}
        now = held(left / kind)
        hold_right_after(scene, now)
        hold_outside(scene)
        wrong = {key for key in learnt if not key.endswith("/") and now.get(key) != scene.source_tree.get(key)}
        assert not wrong, "P8: the state database knows what is not on the disk"
        boot_with(scene, left / kind)
        hold_after_a_rerun(scene)
        hold_after_all(scene)


@pytest.mark.parametrize("kind", [NAMES_LOST, NAMES_KEPT])
def test_P6_the_state_database_may_lose_its_last_rows_when_the_power_fails(kind, stage):
    scene = stage("file", "file")
    state = scene.config.with_name("state.db")
    shutil.copy(state, state.with_name("saved"))
    left = failing(scene, "shutdown.begin", 1)
    for path in state.parent.glob("state.db*"):
        path.unlink()
    state.with_name("saved").rename(state)
    boot_with(scene, left / kind)
    hold_after_a_rerun(scene)
    hold_after_all(scene)


def test_D05_the_shadow_shows_what_is_torn_where_nothing_is_made_durable(stage, tmp_path):
    scene = stage("file", "file")
    hasty = write_config(scene.config, scene.source, Place(scene.target.url, {**scene.target.options, "fsync": False}))
    left = failing(dataclasses.replace(scene, config=hasty), "run.summary.written", 1)
    with pytest.raises(AssertionError, match="P3"):
        hold_right_after(scene, held(left / NAMES_KEPT))
    assert held(left / NAMES_LOST) == scene.before
