"""`cloudsync resume`."""

from __future__ import annotations

from pathlib import Path

import click

from cloudsync_core.cli.command import Command
from cloudsync_core.cli.console import Console
from cloudsync_core.cli.jobs import select
from cloudsync_core.config.loader import load
from cloudsync_core.engine.state import State
from cloudsync_core.engine.vigil import resume as resume_vigil
from cloudsync_core.errors import printable


@click.command(cls=Command)
@click.argument("config", type=click.Path(path_type=Path))
@click.argument("job")
def resume(console: Console, config: Path, job: str) -> int:
    """Let a job that watches go on after it would have deleted too much.

    Its next look at everything may delete what it stood still for: look at its last error first (cloudsync status).
    """
    loaded = load(config)
    select(loaded, (job,))
    resumed = False
    if loaded.state_path.exists():
        with State(loaded.state_path, redact=console.redact) as state:
            resumed = resume_vigil(state, job)
    shown = printable(job)
    console.note(f"{shown} goes on" if resumed else f"{shown} does not stand still")
    console.event("report", {"job": job, "resumed": resumed, "exit_code": 0})
    return 0
