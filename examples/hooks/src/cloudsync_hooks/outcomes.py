"""Appends what happened to each object to the file CLOUDSYNC_JOURNAL: one JSON object a line."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from cloudsync_core.plugins import hookimpl
from cloudsync_core.runs import Outcome, RunInfo


@hookimpl
def cloudsync_outcomes(run: RunInfo, outcomes: Sequence[Outcome]) -> None:
    """Take note of some outcomes: a handful or a thousand at a time, in the order in which they happened."""
    file = os.environ.get("CLOUDSYNC_JOURNAL")
    if file is None:
        return
    lines = (
        json.dumps({
            "run": run.id,
            "key": outcome.action.key,
            "action": outcome.action.kind,
            "status": outcome.status,
            "bytes": outcome.bytes,
            "error": outcome.error,
        })
        for outcome in outcomes
    )  # fmt: skip
    with Path(file).open("a", encoding="utf-8") as journal:
        journal.writelines(f"{line}\n" for line in lines)
