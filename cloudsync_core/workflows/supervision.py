"""From the start of a run to its report, whichever workflow it is: everybody is told, however it ends."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping

from cloudsync_core.crashpoints import hit
from cloudsync_core.engine.events import RunFinished, RunStarted
from cloudsync_core.engine.report import Tally
from cloudsync_core.errors import (
    CancelledError,
    CloudSyncError,
    DeleteLimitExceededError,
    EmptySourceError,
    LeaseHeldError,
    PlanRejectedError,
    RunError,
)
from cloudsync_core.runs import RunInfo, RunReport, RunStatus, Side
from cloudsync_core.workflows.context import Context

Requests = Callable[[], Mapping[Side, Mapping[str, int]]]

_REFUSALS = (DeleteLimitExceededError, EmptySourceError, LeaseHeldError, PlanRejectedError)


def run_of(name: str, workflow: str, context: Context, *, source: str, target: str) -> RunInfo:
    """Return a run that starts now; its id sorts by time: `20261120T101500Z-1a2b3c4d`.

    Args:
        name: the job's name.
        workflow: "mirror", "publish", "watch", …
        context: its surroundings.
        source: the location that is read, without credentials.
        target: likewise of what is written.
    """
    started = time.time()
    return RunInfo(
        id=f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(started))}-{uuid.uuid4().hex[:8]}",
        job=name,
        workflow=workflow,
        source=source,
        target=target,
        dry_run=context.dry_run,
        started=started,
    )


def supervise(run: RunInfo, context: Context, work: Callable[[Tally], str | None], *, requests: Requests) -> RunReport:
    """Return the report of a run, however it ends; what goes wrong is in it.

    Args:
        run: the run.
        context: its surroundings.
        work: does everything; returns why deletes were held back, or `None`.
        requests: returns the operations so far, by side and verb.
    """
    tally = Tally(run)
    if not run.dry_run:
        context.state.start_run(run.id, run.job, run.started)
    context.listener(RunStarted(run))
    context.plugins.run_started(run)
    error: CloudSyncError | None = None
    message: str | None = None
    status: RunStatus
    try:
        message = work(tally)
        status = _status_of_work(tally, message)
    except CloudSyncError as caught:
        if isinstance(caught, CancelledError) and context.stop.ended:
            status = _status_of_work(tally, message)
        else:
            error, status = caught, _status_of(caught, context)
    except OSError as caught:
        # The backends' own never get here: it is a temporary file of the run.
        error, status = RunError(f"a temporary file of the run cannot be used: {caught.strerror or caught}"), "aborted"
        error.__cause__ = caught
    except BaseException as caught:
        # A defect, or a listener that wants no more: the caller is told, and nobody else is left to wait for the end.
        unknown = f"the run ended by an error that nobody expected: {type(caught).__name__}"
        _end(context, tally.report("aborted", requests=requests(), message=unknown))
        raise
    report = tally.report(status, requests=requests(), message=message if error is None else str(error))
    report.error = error
    _end(context, report)
    context.listener(RunFinished(report))
    return report


def _status_of_work(tally: Tally, message: str | None) -> RunStatus:
    return "partial" if message is not None or tally.partial else "done"


def _status_of(error: CloudSyncError, context: Context) -> RunStatus:
    if isinstance(error, _REFUSALS):
        return "refused"
    return "interrupted" if isinstance(error, CancelledError) or context.stop.interrupted else "aborted"


def _end(context: Context, report: RunReport) -> None:
    context.progress.phase = "done"
    try:
        if not report.run.dry_run:
            context.state.finish_run(report)
            hit("run.summary.written")
    finally:
        context.plugins.run_finished(report.run, report)
