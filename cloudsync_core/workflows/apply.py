"""Apply: perform a plan that was saved and reviewed, as far as nothing it rests on has changed."""

from __future__ import annotations

import hashlib

from cloudsync_core.backend import Backend
from cloudsync_core.config.jobs.mirror import MirrorJob
from cloudsync_core.config.jobs.parts import OfWorkflow
from cloudsync_core.engine.planfile import PlanSection
from cloudsync_core.engine.recheck import is_same
from cloudsync_core.engine.report import Tally
from cloudsync_core.engine.spool import ActionSpool
from cloudsync_core.engine.transfer import failed
from cloudsync_core.errors import BackendError, ObjectNotFoundError, PlanFileError, PreconditionFailedError
from cloudsync_core.models import ObjectInfo
from cloudsync_core.runs import Action, Outcome, RunReport
from cloudsync_core.workflows.backup import open_backup
from cloudsync_core.workflows.context import Context
from cloudsync_core.workflows.execution import Execution
from cloudsync_core.workflows.sides import Sides, lease, new_run, open_base, open_sides
from cloudsync_core.workflows.supervision import supervise


def rules_of(job: OfWorkflow) -> str:
    """Return a text that changes when the job's definition does; it holds no secret."""
    return hashlib.sha256(job.model_dump_json().encode()).hexdigest()


def apply(name: str, job: OfWorkflow, section: PlanSection, context: Context) -> RunReport:
    """Perform the saved plan of a job; an action whose object has changed on either side since then fails.

    Args:
        name: the job's name.
        job: the job as it is defined now.
        section: its plan.
        context: the surroundings of the run.

    Returns:
        The report, as of a mirror.

    Raises:
        PlanFileError: the job is not the one that was planned, or its dry run was refused.
        ConfigError, PluginError, StateError, OverlappingLocationsError: the run cannot start.
    """
    header = section.header
    if section.refused:
        raise PlanFileError(f"the plan of job {name!r} was refused when it was made: {section.message}")
    if header.rules != rules_of(job):
        raise PlanFileError(
            f"job {name!r} is no longer defined as it was when the plan was made", hint="Make the plan again."
        )
    assert isinstance(job, MirrorJob), "plans are made of no other kind"
    with open_sides(job, context) as sides, open_base(name, sides, context) as base:
        run = new_run(name, sides, context)
        if (header.source, header.target) != (run.source, run.target):
            raise PlanFileError(
                f"the plan is for {header.source} -> {header.target}, the job now for {run.source} -> {run.target}",
                hint="Make the plan again.",
            )

        def work(tally: Tally) -> str | None:
            check = _Recheck(sides)
            execution = Execution(
                run,
                job,
                context,
                sides=sides,
                base=base,
                tally=tally,
                lease=held,
                still_right=check,
                kept_in=backup.place,
            )
            deletes = _announce(section, context, tally)
            with ActionSpool() as blocked:
                execution.write((action for action in section.actions if action.kind != "delete"), blocked=blocked)
                context.progress.phase = "deleting"
                try:
                    withheld = _withheld(section, tally, deletes)
                    if withheld is None:
                        withheld = execution.remove(action for action in section.actions if action.kind == "delete")
                finally:
                    execution.write(blocked)
            return withheld

        with open_backup(run, job, sides, context) as backup, lease(run, job, sides, context) as held:
            return backup.finished(supervise(run, context, work, requests=sides.requests))


def _announce(section: PlanSection, context: Context, tally: Tally) -> int:
    """Count everything that is planned, and return how many deletes there are among it."""
    progress = context.progress
    progress.phase = "transferring"
    deletes = 0
    for action in section.actions:
        tally.planned(action)
        progress.planned_objects += 1
        progress.planned_bytes += action.size
        deletes += action.kind == "delete"
    return deletes


def _withheld(section: PlanSection, tally: Tally, deletes: int) -> str | None:
    if not deletes:
        return None
    if section.message is not None:
        return section.message
    if tally.counts.failed:
        return f"{deletes} deletes were held back: {tally.counts.failed} transfers failed"
    return None


class _Recheck:
    """Tells whether both sides of an action are still as they were when it was planned."""

    def __init__(self, sides: Sides) -> None:
        self._source = sides.source
        self._target = sides.target

    def __call__(self, action: Action) -> Outcome | None:
        try:
            changed = self._compare(self._source, action, action.source) or self._compare(
                self._target, action, action.target
            )
        except BackendError as error:
            changed = error
        return None if changed is None else failed(action, changed)

    @staticmethod
    def _compare(side: Backend, action: Action, planned: ObjectInfo | None) -> BackendError | None:
        found: ObjectInfo | None = None
        try:
            found = side.stat(action.key)
        except ObjectNotFoundError:
            if planned is None:
                return None
        if found is not None and planned is not None and is_same(found, planned):
            return None
        return PreconditionFailedError(
            "it changed after the plan was made", operation=action.kind, location=side.location, key=action.key
        )
