"""The runs of the history: through the command line, in Python with faults, and in a process that does not survive."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import yaml

from cloudsync_core.backend import Backend
from cloudsync_core.cli import main
from cloudsync_core.cli.console import Console
from cloudsync_core.cli.narration import Narrator
from cloudsync_core.config.loader import load
from cloudsync_core.config.secrets import Resolver
from cloudsync_core.engine.state import State
from cloudsync_core.plugins.facade import Plugins
from cloudsync_core.runs import Side
from cloudsync_core.workflows.context import Context
from cloudsync_core.workflows.mirror import mirror
from tests.equivalence.faults import die, disturbed
from tests.equivalence.history import RULES
from tests.equivalence.script import Step
from tests.equivalence.stores import Place

JOB = "history"


def write_config(folder: Path, source: Place, target: Place, rules: Mapping[str, Any]) -> Path:
    """Write the configuration of a run into a folder, beside its state, and return the path."""
    job = {"source": dataclasses.asdict(source), "target": dataclasses.asdict(target), **RULES, **rules}
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump({"version": 1, "state": "state.db", "jobs": {JOB: job}}))
    return path


def forget(folder: Path) -> None:
    """Remove the state of the runs before."""
    for path in folder.glob("state.db*"):
        path.unlink()


def run_by_command(arguments: Sequence[str]) -> tuple[list[str], int]:
    """Call the command line in this process; return the lines that it prints to standard output, and its exit code."""
    printed, code = io.StringIO(), None
    arguments_before, sys.argv = sys.argv, ["cloudsync", *arguments, "--json"]
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
            main()
    except SystemExit as ended:
        code = ended.code
    finally:
        sys.argv = arguments_before
    assert isinstance(code, int)
    return printed.getvalue().splitlines(), code


def run_in_python(config: Path, step: Step, *, die: Callable[[], NoReturn] = die) -> tuple[list[str], int]:
    """Run the job with the faults of a step; return what the command line would print and return."""
    loaded = load(config)
    job = loaded.config.jobs[JOB]
    plugins = Plugins.load()
    resolver = Resolver(directory=loaded.directory, hook=plugins.resolve_secret, where=loaded.where)
    console = Console()
    console.json = True
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), State(loaded.state_path) as state:
        context = Context.of(
            job,
            plugins=plugins,
            resolver=resolver,
            state=state,
            loaded=loaded,
            name=JOB,
            listener=Narrator(console),
        )

        def opened(side: Side, create: bool) -> Backend:
            return disturbed(context.open(side, create), [fault for fault in step.faults if fault.side == side], die)

        report = mirror(JOB, job, dataclasses.replace(context, open=opened))
    return printed.getvalue().splitlines(), report.exit_code


def check_arguments(source: Place, target: Place) -> list[str]:
    """Return the arguments of `cloudsync check`, which takes no configuration."""
    options = [
        argument
        for side, place in (("source", source), ("target", target))
        for name, value in place.options.items()
        for argument in (f"--{side}-option", f"{name}={value}")
    ]
    excluded = [argument for pattern in RULES["exclude"] for argument in ("--exclude", pattern)]
    return ["check", source.url, target.url, *options, *excluded]
