"""Says which job runs, in the file CLOUDSYNC_ANNOUNCEMENT, for whoever wonders what is going on."""

import os
from pathlib import Path

from cloudsync_core.plugins import hookimpl
from cloudsync_core.runs import RunInfo


@hookimpl
def cloudsync_run_started(run: RunInfo) -> None:
    """Take note that a run starts."""
    if file := os.environ.get("CLOUDSYNC_ANNOUNCEMENT"):
        what = "plans" if run.dry_run else "runs"
        Path(file).write_text(f"{run.job} {what}: {run.source} to {run.target}\n")
