"""Plays the history between two stores, and records what cloudsync said and did."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from cloudsync_core.backend import Backend
from cloudsync_core.body import Body
from cloudsync_core.cli import main
from cloudsync_core.config.loader import load
from cloudsync_core.config.secrets import Resolver
from cloudsync_core.engine.state import State
from cloudsync_core.plugins.facade import Plugins
from cloudsync_core.runs import Side
from cloudsync_core.workflows.context import Context
from cloudsync_core.workflows.mirror import mirror
from tests.equivalence.faults import Died, Faulty, die
from tests.equivalence.history import HISTORY, RULES, Edit, Step
from tests.equivalence.stores import Place

JOB = "site"


def write_config(folder: Path, source: Place, target: Place, rules: Mapping[str, Any]) -> Path:
    """Write the configuration of a run and return its path."""
    sides = {"source": dataclasses.asdict(source), "target": dataclasses.asdict(target)}
    path = folder / "config.yaml"
    path.write_text(
        yaml.safe_dump({"version": 1, "state": str(folder / "state.db"), "jobs": {JOB: {**sides, **RULES, **rules}}})
    )
    return path


def happen(places: Mapping[Side, Backend], edits: tuple[Edit, ...]) -> None:
    for edit in edits:
        backend = places[edit.side]
        if edit.written is None:
            backend.delete(edit.key)
        else:
            backend.put(edit.key, Body(edit.written.data), attributes=edit.written.attributes)


def by_command(config: Path, arguments: tuple[str, ...]) -> list[dict[str, Any]]:
    """Run the command line in this process, and return the events that it prints."""
    command, *rest = arguments
    printed = io.StringIO()
    before = sys.argv
    sys.argv = ["cloudsync", command, str(config), "--json", *rest]
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
            main()
    except SystemExit as ended:
        code = ended.code
    finally:
        sys.argv = before
    events = [json.loads(line) for line in printed.getvalue().splitlines()]
    return [*events, {"event": "exit", "code": code}]


def in_python(config: Path, step: Step, *, end=die) -> dict[str, Any]:
    """Run the job with its faults, and return the report."""
    loaded = load(config)
    job = loaded.config.jobs[JOB]
    plugins = Plugins.load()
    resolver = Resolver(directory=loaded.directory, hook=plugins.resolve_secret, where=loaded.where)
    with State(loaded.state_path) as state:
        context = Context.of(job, plugins=plugins, resolver=resolver, state=state, loaded=loaded, name=JOB)

        def opened(side: Side, create: bool) -> Backend:
            return Faulty(context.open(side, create), [f for f in step.faults if f.side == side], end)

        return mirror(JOB, job, dataclasses.replace(context, open=opened)).to_dict()


def play(source: Place, target: Place, folder: Path):
    with source.open() as left, target.open() as right:
        places: dict[Side, Backend] = {"source": left, "target": right}
        for step in HISTORY:
            happen(places, step.edits)
            config = write_config(folder, source, target, step.rules)
            if step.kills:
                kept = folder / "kept"
                kept.mkdir()
                for path in folder.glob("state.db*"):
                    shutil.copy(path, kept)
                with contextlib.suppress(Died):
                    in_python(config, step)
                for path in kept.iterdir():
                    shutil.copy(path, folder)
                yield step, [], None
            elif step.command:
                yield step, by_command(config, step.command), right
            else:
                yield step, [{"event": "report", **in_python(config, step)}], right
