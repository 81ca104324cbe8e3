"""Plays the history between the places of one pair, and records it."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cloudsync_core.backend import Backend
from cloudsync_core.body import Body
from cloudsync_core.models import Attributes
from cloudsync_core.runs import Side
from tests.equivalence.doomed import Doomed
from tests.equivalence.faults import DiedError
from tests.equivalence.history import HISTORY
from tests.equivalence.records import Record, record
from tests.equivalence.runs import check_arguments, forget, run_by_command, run_in_python, write_config
from tests.equivalence.script import Edit, Object, Step
from tests.equivalence.stores import Place
from tests.equivalence.story import Objects


@dataclasses.dataclass(frozen=True)
class Played:
    """What came of the history.

    Attributes:
        records: of each run; `None` for one that was killed.
        source: the source's objects at the end.
        target: the target's.
    """

    records: list[Record | None]
    source: Objects
    target: Objects


def play(
    source: Place, target: Place, folder: Path, doomed: Doomed | None, rules: Mapping[str, Any] = MappingProxyType({})
) -> Played:
    """Play the history between two empty places.

    Args:
        source: the place that is read.
        target: the place that is written.
        folder: an empty directory for the configuration and the state.
        doomed: makes the runs that are killed; `None` where another process does not see the stores.
        rules: of the job, beside those of the history.
    """
    records: list[Record | None] = []
    with source.open() as left, target.open() as right:
        places: dict[Side, Backend] = {"source": left, "target": right}
        for number, step in enumerate(HISTORY):
            _happen(places, step.edits)
            if step.forgets:
                forget(folder)
            config = write_config(folder, source, target, {**step.rules, **rules})
            if step.kills:
                _killed(config, number, doomed)
                records.append(None)
            else:
                records.append(record(*_run(config, step, source, target), left.location, right.location))
        return Played(records, _contents(left), _contents(right))


def _happen(places: Mapping[Side, Backend], edits: Iterable[Edit]) -> None:
    for edit in edits:
        backend = places[edit.side]
        if edit.written is None:
            backend.delete(edit.key)
        else:
            backend.put(edit.key, Body(edit.written.data), attributes=edit.written.attributes)


def _run(config: Path, step: Step, source: Place, target: Place) -> tuple[list[str], int]:
    if step.faults:
        return run_in_python(config, step)
    if step.command == "check":
        return run_by_command(check_arguments(source, target))
    return run_by_command(["run", str(config), *(["--dry-run"] if step.command == "dry run" else [])])


def _killed(config: Path, number: int, doomed: Doomed | None) -> None:
    if doomed is not None:
        assert doomed.run(config, number) == signal.SIGKILL
        return
    with contextlib.suppress(DiedError):
        run_in_python(config, HISTORY[number])
        raise AssertionError("the run came to its end")


def _contents(backend: Backend) -> Objects:
    found: Objects = {}
    for page in backend.list():
        for key in page.keys:
            with backend.get(key) as reader:
                found[key] = Object(reader.read(), reader.info.attributes or Attributes())
    return found
