"""What happens to jobs, as records of a log: what fails always, what is done in numbers, and each object on request."""

from __future__ import annotations

import logging

from cloudsync_core.cli.logs import TOLD
from cloudsync_core.engine.events import ActionFinished, Event, KeyLeftOut, LookFinished, RunFinished, RunStarted
from cloudsync_core.errors import CloudSyncError, printable
from cloudsync_core.runs import RunReport

_LEVELS = {"skipped": logging.INFO, "unknown": logging.WARNING}


def log_event(job: str, event: Event) -> None:
    """Log an event of a job.

    Args:
        job: the job's name.
        event: what happened.
    """
    match event:
        case RunStarted(run):
            _log(logging.INFO, job, f"it starts: {run.workflow} from {run.source} to {run.target}, run {run.id}")
        case ActionFinished(outcome) if outcome.status == "done":
            # Not even made into a text where nobody wants it: there may be millions.
            if TOLD.isEnabledFor(logging.DEBUG):
                _log(logging.DEBUG, job, f"{outcome.action.kind} {printable(outcome.action.key)}: done")
        case ActionFinished(outcome):
            action = outcome.action
            _log(logging.WARNING, job, f"{action.kind} {printable(action.key)}: {outcome.error or outcome.status}")
        case KeyLeftOut(status, key, reason):
            _log(_LEVELS[status], job, f"{status} {printable(key)}: {reason}")
        case LookFinished(report):
            if counts := _counts(report):
                _log(logging.INFO, job, counts)
        case RunFinished(report):
            level = logging.ERROR if report.error else logging.WARNING if report.message else logging.INFO
            parts = (f"it has ended: {report.status}", _counts(report), report.message)
            _log(level, job, ", ".join(part for part in parts if part))


def log_error(error: CloudSyncError, *, job: str | None = None) -> None:
    """Log an error that ended a command, or kept a job of it from running."""
    TOLD.error("%s", error, extra={"job": job})


def _log(level: int, job: str, message: str) -> None:
    TOLD.log(level, "%s", message, extra={"job": job})


def _counts(report: RunReport) -> str:
    names = ("added", "updated", "deleted", "failed")
    return ", ".join(f"{count} {name}" for name in names if (count := getattr(report.counts, name)))
