"""A run dies at every crash point in turn: what P1-P5 promise holds right then, and P6 and P7 after the next runs."""

import ast
from collections.abc import Callable
from pathlib import Path

import pytest

from cloudsync_core.crashpoints import EXIT_CODE, POINTS
from tests.crash.promises import hold_after_a_rerun, hold_after_all, hold_of_the_base, hold_outside, hold_right_after
from tests.crash.story import Scene

ROOT = Path(__file__).parents[2]

OF_EVERY_RUN = frozenset({
    "run.lock.acquired", "list.source.page", "list.target.page", "list.done", "plan.spooled", "lease.taken",
    "op.claimed", "del.precheck", "del.sent", "del.acked", "state.txn.begin", "state.txn.committed",
    "del.state.committed", "run.summary.written", "lease.removed", "shutdown.begin",
})  # fmt: skip
OF_TRANSFERS = frozenset({"put.acked", "put.verified"})
OF_DIRECTORIES = frozenset({
    "get.temp.created", "get.chunk.written", "get.utime", "get.fsync.file", "get.rename", "get.fsync.dir",
})  # fmt: skip
OF_UPLOADS_IN_PARTS = frozenset({"put.temp.opened", "put.part.sent", "put.complete.sent", "put.complete.acked"})
OF_COPIES = frozenset({"copy.server.acked"})
OF_RELEASES = frozenset(point for point in POINTS if point.startswith("release."))
"""Those that no mirror passes: see tests/releases/test_crashes.py."""
OF_CHANNELS = frozenset(point for point in POINTS if point.startswith(("subscription.", "channel.")))
"""Likewise: see tests/channels/test_crashes.py."""

INTO_DIRECTORIES = OF_EVERY_RUN | OF_TRANSFERS | OF_DIRECTORIES
INTO_STORES = OF_EVERY_RUN | OF_TRANSFERS | OF_UPLOADS_IN_PARTS

PASSED = {
    ("file", "file"): INTO_DIRECTORIES,
    ("file", "s3"): INTO_STORES,
    ("s3", "file"): INTO_DIRECTORIES,
    ("s3", "s3"): OF_EVERY_RUN | OF_UPLOADS_IN_PARTS | OF_COPIES,
    ("file", "azure"): INTO_STORES,
    ("azure", "file"): INTO_DIRECTORIES,
    ("file", "gcs"): INTO_STORES,
    ("gcs", "file"): INTO_DIRECTORIES,
}
"""The points that a run of the story passes, from one store to another."""

WHOLLY = ("file", "file")
"""The pair on which a run dies at every passing of every point, whenever the suite runs."""

IN_SHORT = {
    WHOLLY: PASSED[WHOLLY],
    ("file", "s3"): PASSED["file", "s3"],
    ("s3", "file"): frozenset({"get.chunk.written", "get.rename", "put.verified"}),
    ("s3", "s3"): OF_COPIES,
    ("file", "azure"): OF_UPLOADS_IN_PARTS | {"del.sent"},
    ("azure", "file"): frozenset({"get.rename"}),
    ("file", "gcs"): OF_UPLOADS_IN_PARTS | {"del.sent"},
    ("gcs", "file"): frozenset({"get.rename"}),
}
"""The points at which a run dies whenever the suite runs: on the other pairs, those of a provider's own code, once."""

Stage = Callable[[str, str], Scene]


def ids(pair: tuple[str, str]) -> str:
    return "-".join(pair)


@pytest.fixture(scope="session")
def counted() -> dict[tuple[str, str], dict[str, int]]:
    """How often a run that survives passes each point, by pair; filled as it is found out."""
    return {}


@pytest.fixture
def passings(counted, stage: Stage) -> Callable[[str, str], dict[str, int]]:
    """Return a function that tells how often a run passes each point."""

    def count(source: str, target: str) -> dict[str, int]:
        if (source, target) not in counted:
            scene = stage(source, target)
            ending = scene.runs.run(scene.config)
            assert ending.code == 0, ending.log
            counted[source, target] = dict(ending.hits)
        return counted[source, target]

    return count


def test_T3_every_point_in_the_code_is_a_name_of_the_list_and_the_reverse():
    modules = [*(ROOT / "cloudsync_core").rglob("*.py"), *ROOT.glob("plugins/*/src/**/*.py")]
    calls = [
        node
        for path in modules
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "hit"
    ]
    said = {
        constant.value
        for call in calls
        for constant in ast.walk(call.args[0])
        if isinstance(constant, ast.Constant) and constant.value != "source"
    }
    assert said == POINTS


def test_T3_every_point_is_passed_on_some_pair():
    assert frozenset().union(*PASSED.values()) == POINTS - OF_RELEASES - OF_CHANNELS


@pytest.mark.parametrize("pair", PASSED, ids=ids)
def test_T3_a_run_passes_its_points(pair, passings):
    assert passings(*pair).keys() == PASSED[pair]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "point" in metafunc.fixturenames:
        points_of = PASSED if metafunc.config.getoption("--soak") else IN_SHORT
        cases = [(pair, point) for pair, points in points_of.items() for point in sorted(points)]
        metafunc.parametrize(("pair", "point"), cases, ids=[f"{ids(pair)}-{point}" for pair, point in cases])


def test_P6_a_crash_at_any_point_and_a_rerun_give_the_result_of_an_uninterrupted_run(
    pair, point, passings, stage: Stage, soak
):
    often = passings(*pair)[point]
    for number in range(1, often + 1) if soak or pair == WHOLLY else (often,):
        scene = stage(*pair)
        ending = scene.runs.run(scene.config, crash_at=f"{point}:{number}")
        assert ending.code == EXIT_CODE, ending.log
        hold_right_after(scene)
        hold_outside(scene)
        hold_of_the_base(scene)
        hold_after_a_rerun(scene)
    hold_after_all(scene)
