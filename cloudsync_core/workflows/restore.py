"""Restore: bring back what a run has put aside."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Collection, Generator, Iterable
from typing import Final

from cloudsync_core.backend import Backend
from cloudsync_core.config.jobs.mirror import MirrorJob
from cloudsync_core.engine.diff import diff
from cloudsync_core.engine.events import ActionFinished, ActionPlanned, KeyLeftOut
from cloudsync_core.engine.filters import Filter
from cloudsync_core.engine.listing import list_side
from cloudsync_core.engine.plan import LOOKS_AT_ONCE, Planner, Settled
from cloudsync_core.engine.report import Tally
from cloudsync_core.engine.spool import ActionSpool
from cloudsync_core.engine.transfer import failed
from cloudsync_core.errors import (
    BackendError,
    ListingOrderError,
    ObjectExistsError,
    OverlappingLocationsError,
)
from cloudsync_core.models import Page
from cloudsync_core.runs import Action, RunReport, Side
from cloudsync_core.workflows.backup import inside
from cloudsync_core.workflows.context import Context
from cloudsync_core.workflows.execution import Execution
from cloudsync_core.workflows.kept import require
from cloudsync_core.workflows.sides import Sides, lease, new_run, open_base, open_sides
from cloudsync_core.workflows.supervision import supervise

_COMPARATOR: Final = "auto"


def restore(run: str, *, overwrite: bool) -> Callable[[str, MirrorJob, Context], RunReport]:
    """Return the workflow that brings back what one run has put aside, to the target of a job.

    It is a mirror's way: verified, under the conditions of what was listed, one run at a time. Nothing is deleted, and
    an object of the target that is another one is left alone, and counted as failed.

    Args:
        run: the id.
        overwrite: such an object is replaced.
    """
    return functools.partial(_restore, run, overwrite)


def _restore(run_id: str, overwrite: bool, name: str, job: MirrorJob, context: Context) -> RunReport:  # noqa: FBT001
    assert context.open_backup is not None
    open_backup, open_side = context.open_backup, context.open

    def open_either(side: Side, create: bool) -> Backend:  # noqa: FBT001 - the signature of `Context.open`
        return open_backup(run_id, False) if side == "source" else open_side(side, create)

    with contextlib.ExitStack() as stack:
        backup = stack.enter_context(open_backup("", False))
        require(backup, run_id)
        context = dataclasses.replace(context, open=open_either)
        sides = stack.enter_context(open_sides(job, context, source_inside=True))
        base = stack.enter_context(open_base(name, sides, context))
        run = new_run(name, sides, context, "restore")
        # A backup that lies inside the target is no part of what is there.
        prefix = inside(backup, sides.target)
        if prefix == "" or inside(sides.target, backup) is not None:
            raise OverlappingLocationsError(
                f"the target {sides.target.location} lies in the backup {backup.location}",
                hint="Bring the objects back to a place outside of it.",
            )
        scope = Filter(job.include, job.exclude, job.exclude_regex, apart=prefix or "")
        held = stack.enter_context(lease(run, job, sides, context))

        execution = functools.partial(Execution, run, job, context, sides=sides, base=base, lease=held)

        def work(tally: Tally) -> None:
            unordered: set[Side] = set()
            while True:
                planned = _actions(sides, job, scope, context, tally, overwrite=overwrite, unordered=unordered)
                try:
                    with contextlib.closing(planned):
                        _perform(planned, None if run.dry_run else execution(tally=tally), context, tally)
                except ListingOrderError as error:
                    # As a mirror does: begin again, and sort that side ourselves.
                    if error.side in unordered:
                        raise
                    unordered.add(error.side)
                    tally.restart()
                else:
                    return

        return supervise(run, context, work, requests=sides.requests)


def _perform(actions: Iterable[Action], execution: Execution | None, context: Context, tally: Tally) -> None:
    """Bring the objects back, or in a dry run tell what would be."""
    with ActionSpool() as blocked:
        if execution is not None:
            execution.write(actions, blocked=blocked)
            execution.write(blocked)
            return
        for action in actions:
            context.listener(ActionPlanned(action))
            tally.would(action)


def _actions(
    sides: Sides,
    job: MirrorJob,
    scope: Filter,
    context: Context,
    tally: Tally,
    *,
    overwrite: bool,
    unordered: Collection[Side],
) -> Generator[Action]:
    """Yield what brings the objects back, and settle the rest."""
    progress = context.progress
    progress.phase = "comparing"
    planner = Planner(
        sides.source,
        sides.target,
        context.plugins.comparator(_COMPARATOR),
        delete=False,
        workers=min(LOOKS_AT_ONCE, job.transfers),
        stop=context.stop,
    )

    def pages(side: Side) -> Generator[Page]:
        backend = sides.source if side == "source" else sides.target
        return list_side(
            backend, side, scope, sort=side in unordered, include=None, stop=context.stop, progress=progress
        )

    with contextlib.closing(pages("source")) as source, contextlib.closing(pages("target")) as target:
        for step in planner.steps(diff(source, target, iter(()), trust_base=False)):
            if isinstance(step, Settled):
                tally.settled(step)
                if step.key is not None and step.status in {"skipped", "unknown"}:
                    context.listener(KeyLeftOut(step.status, step.key, step.reason))
                continue
            tally.planned(step)
            progress.planned_objects += 1
            progress.planned_bytes += step.size
            if step.kind == "update" and not overwrite:
                outcome = failed(step, _exists(sides.target, step.key))
                tally.finished(outcome)
                context.listener(ActionFinished(outcome))
                continue
            yield step
    progress.phase = "transferring"


def _exists(target: Backend, key: str) -> BackendError:
    reason = "another object is there, and was left alone; --overwrite replaces it"
    return ObjectExistsError(reason, operation="restore", location=target.location, key=key)
