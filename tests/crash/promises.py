"""What holds right after a run has died, and after the next ones."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.crash.story import EXCLUDED, Scene, Tree, obey, opened, outside, succeed
from tests.engine.stores import listed

UNTOLD = {"gs"}
"""Where nobody but who began an upload knows of it. It is no object, and goes by itself after a week."""

NOTHING = {"added": 0, "updated": 0, "deleted": 0, "failed": 0}


def hold_right_after(scene: Scene, held: Tree | None = None) -> None:
    """Raise `AssertionError` unless the target is as P1-P3 and P9 promise it at any moment.

    Args:
        scene: the target, and what it held before.
        held: what it holds now, where that is not what is there.
    """
    held = scene.held() if held is None else held
    before, after = scene.before, scene.after
    held = {key: data for key, data in held.items() if not _is_folder_of(key, [*before, *after])}
    for key, data in held.items():
        assert data in (before.get(key), after.get(key)), f"P3: {key} holds neither its old nor its new content"
    gone = before.keys() - held.keys()
    assert not {key for key in gone if key.endswith(EXCLUDED)}, "P9: what is excluded was deleted"
    assert not gone & after.keys(), "P1: what should stay is not there"
    if gone:
        unfinished = {key for key in after if held.get(key) != after[key]}
        blocked = {key for key in unfinished if _is_in_the_way(key, before)}
        assert not unfinished - blocked, "P2: something was deleted before all else was done"


def hold_outside(scene: Scene, found: Mapping[str, object] | None = None) -> None:
    """Raise `AssertionError` unless nothing outside the target's root was touched, nor the source (P5).

    Args:
        scene: the target, and what lay around it before.
        found: what lies there now, where that is not what is there.
    """
    found = outside(scene.source, scene.target) if found is None else found
    touched = sorted(key for key in {*found, *scene.around} if found.get(key) != scene.around.get(key))
    assert not touched, f"P5: {', '.join(touched)} was touched, outside the target"


def hold_of_the_base(scene: Scene) -> None:
    """Raise `AssertionError` unless every pair is equal of which the state database says so (P4, P8)."""
    with opened(scene.source) as backend:
        source = listed(backend)
    with opened(scene.target) as backend:
        target = listed(backend)
    held = scene.held()
    for key, (seen, written) in base(scene.config.with_name("state.db")).items():
        if key in source and key in held and source[key].fingerprint == seen and target[key].fingerprint == written:
            assert held[key] == scene.source_tree[key], f"P8: {key} is recorded as equal, and is not"


def hold_after_a_rerun(scene: Scene) -> None:
    """Make the next run, and raise `AssertionError` unless it gives the result of an uninterrupted one (P6)."""
    succeed(scene.hasty)
    assert scene.held() == scene.after, "P6: the next run does not give the result of an uninterrupted one"


def hold_after_all(scene: Scene) -> None:
    """Make the run after that and collect what is left; raise `AssertionError` unless P6 and P7 hold."""
    counted = succeed(scene.hasty)
    assert {name: counted[name] for name in NOTHING} == NOTHING, "P7: the run after it finds something to do"
    obey("gc", scene.hasty, "--older-than", "0", "--all")
    assert scene.target.scheme in UNTOLD or not scene.unfinished(scene.target), "P6: something is left after gc"
    assert scene.held() == scene.after
    hold_outside(scene)


def base(state: Path) -> Mapping[str, tuple[str | None, str | None]]:
    """Return the fingerprints of both sides that the state database holds, by key."""
    connection = sqlite3.connect(state)
    try:
        rows = connection.execute("SELECT key, source, target FROM base").fetchall()
    finally:
        connection.close()
    return {key: (source, target) for key, source, target in rows}


def _is_folder_of(key: str, others: Iterable[str]) -> bool:
    """Tell whether a key is the marker of a folder that is made before what will be in it, or removed after it."""
    return key.endswith("/") and any(other.startswith(key) for other in others)


def _is_in_the_way(key: str, before: Tree) -> bool:
    return any(key.startswith(f"{other}/") or other.startswith(f"{key}/") for other in before)
