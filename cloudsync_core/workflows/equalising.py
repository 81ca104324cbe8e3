"""Making a target equal to a source, once, as far as the job's rules go: all of it, or a part of the keys.

Both listings and the base are merged, compared and planned as they come, and adds and updates start at once. Deletes
wait on disk until both listings are complete and every transfer has succeeded; then they are held against the limits of
the job, re-checked, and done last.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterable

from cloudsync_core.config.jobs.mirror import Mirroring
from cloudsync_core.crashpoints import hit
from cloudsync_core.engine.base import JobState
from cloudsync_core.engine.diff import diff
from cloudsync_core.engine.events import ActionFinished, ActionPlanned, KeyLeftOut
from cloudsync_core.engine.filters import Filter
from cloudsync_core.engine.keeping import held_back
from cloudsync_core.engine.lease import Lease
from cloudsync_core.engine.listing import ListingRules, list_side
from cloudsync_core.engine.looking import look_at
from cloudsync_core.engine.part import Part
from cloudsync_core.engine.pins import FilterPin, HeaderPin
from cloudsync_core.engine.plan import LOOKS_AT_ONCE, Planner, Settled
from cloudsync_core.engine.report import Tally
from cloudsync_core.engine.spool import ActionSpool
from cloudsync_core.errors import ListingOrderError
from cloudsync_core.models import Page
from cloudsync_core.runs import Action, RunInfo, Side
from cloudsync_core.workflows.backup import Backup
from cloudsync_core.workflows.context import Context
from cloudsync_core.workflows.execution import Execution, Origin, StillRight
from cloudsync_core.workflows.limits import DeleteLimits
from cloudsync_core.workflows.sides import Sides


class Equaliser:
    """One run of a job that makes its target equal to its source, from listing to deleting.

    Args:
        run: the run.
        job: its rules.
        context: its surroundings.
        sides: its two sides.
        base: what both were when last known equal.
        lease: is held from the first write on.
        backup: where objects of the target are kept aside.
        limits: say whether the deletes of the run may be done.
        part: the keys that are looked at; by default all.
        reserved: says what is to be told of an action that is not to be done now, or returns `None`; it has to hinder
            the deletes of others by itself if it should.
        still_right: as of `Execution`; `origin` likewise.
    """

    def __init__(
        self,
        run: RunInfo,
        job: Mirroring,
        context: Context,
        sides: Sides,
        base: JobState,
        *,
        lease: Lease,
        backup: Backup,
        limits: DeleteLimits,
        part: Part | None = None,
        reserved: Callable[[Action], Settled | None] | None = None,
        still_right: StillRight | None = None,
        origin: Origin | None = None,
    ) -> None:
        self._run = run
        self._lease = lease
        self._backup = backup
        self._limits = limits
        self._part = part
        self._reserved = reserved
        self._still_right = still_right
        self._origin = origin
        self._job = job
        self._context = context
        self._sides = sides
        self._base = base
        self._scope = Filter(job.include, job.exclude, job.exclude_regex, apart=backup.apart)
        self._include = context.plugins.include_object(run)
        self._comparator = context.plugins.comparator(job.compare)
        self._unordered: set[Side] = set()
        self._filter_pin = FilterPin(base, job.include, job.exclude, (*job.exclude_regex, *backup.excluded))
        self._header_pin = HeaderPin(base, context.headers, carried=sides.target.capabilities.user_metadata)
        self._brought_in = 0

    def do(self, tally: Tally) -> str | None:
        """Return why deletes were held back, or `None`."""
        self._header_pin.keep()
        while True:
            try:
                with ActionSpool() as deletes:
                    withheld = self._do_once(tally, deletes) or self._filter_changed()
                    self._keep_filter(withheld)
                    return withheld
            except ListingOrderError as error:
                # The server does not keep its promise of order: begin again, and sort that side ourselves.
                if error.side in self._unordered:
                    raise
                self._unordered.add(error.side)
                tally.restart()

    def _do_once(self, tally: Tally, deletes: ActionSpool) -> str | None:
        context, progress = self._context, self._context.progress
        execution = Execution(
            self._run,
            self._job,
            context,
            sides=self._sides,
            base=self._base,
            tally=tally,
            lease=self._lease,
            still_right=self._still_right,
            origin=self._origin,
            kept_in=self._backup.place,
        )
        with (
            ActionSpool() as blocked,
            ActionSpool() as plan,
            contextlib.closing(self._actions(tally, deletes)) as planned,
        ):
            actions: Iterable[Action] = planned
            if context.dry_run or context.plugins.reviews_plans:
                for action in actions:
                    plan.append(action)
                for action in deletes:
                    plan.append(action)
                context.plugins.review_plan(self._run, plan)
                actions = (action for action in plan if action.kind != "delete")
            if context.dry_run:
                return self._rehearse(tally, plan, deletes)
            execution.write(actions, blocked=blocked)
            progress.phase = "deleting"
            try:
                withheld = self._limits.refusal(tally, len(deletes))
                if withheld is None:
                    withheld = execution.remove(deletes)
            finally:
                execution.write(blocked)
            return withheld

    def _actions(self, tally: Tally, deletes: ActionSpool) -> Generator[Action]:
        """Plan, in key order: settle what needs nothing, spool the deletes, yield the rest."""
        progress = self._context.progress
        progress.phase = "comparing"
        progress.source_listed = progress.target_listed = self._brought_in = 0
        planner = Planner(
            self._sides.source,
            self._sides.target,
            self._comparator,
            delete=self._job.delete,
            workers=min(LOOKS_AT_ONCE, self._job.transfers),
            stop=self._context.stop,
        )
        trust_base = bool(getattr(self._comparator, "trusts_base", False))
        with contextlib.closing(self._pages("source")) as source, contextlib.closing(self._pages("target")) as target:
            base = self._header_pin.pages(self._part)
            for step in planner.steps(diff(source, target, base, trust_base=trust_base)):
                if isinstance(step, Settled):
                    self._settle(step, tally)
                    continue
                if self._reserved is not None and (left := self._reserved(step)) is not None:
                    self._settle(left, tally)
                    continue
                tally.planned(step)
                progress.planned_objects += 1
                progress.planned_bytes += step.size
                if step.kind == "delete":
                    if self._is_brought_in(step.key):
                        self._context.listener(KeyLeftOut("skipped", step.key, "filter-changed"))
                        continue
                    deletes.append(step)
                    hit("plan.spooled")
                else:
                    yield step
        hit("list.done")
        progress.phase = "transferring"

    def _pages(self, side: Side) -> Generator[Page]:
        backend = self._sides.source if side == "source" else self._sides.target
        rest: ListingRules = {
            "sort": side in self._unordered,
            "include": self._include,
            "stop": self._context.stop,
            "progress": self._context.progress,
        }
        if self._part is None:
            return list_side(backend, side, self._scope, **rest)
        return look_at(backend, side, self._part, self._scope, **rest)

    def _settle(self, step: Settled, tally: Tally) -> None:
        tally.settled(step)
        if step.key is None:
            return
        if step.learnt is not None:
            self._base.record(step.key, step.learnt)
        elif step.status == "forgotten":
            self._base.forget(step.key)
        elif step.status != "unchanged":
            self._context.listener(KeyLeftOut(step.status, step.key, step.reason))

    def _rehearse(self, tally: Tally, plan: ActionSpool, deletes: ActionSpool) -> str | None:
        """Tell what a run would do, without doing it."""
        for action in plan:
            self._context.listener(ActionPlanned(action, kept=self._backup.keeps(action)))
            if action.kind != "delete" and not self._fails(action, tally):
                self._would(action, tally)
        withheld = self._limits.refusal(tally, len(deletes))
        if withheld is None:
            failures = sum(self._fails(action, tally) for action in deletes)
            if failures:
                return held_back(len(deletes) - failures, failures)
            for action in deletes:
                self._would(action, tally)
        return withheld

    def _fails(self, action: Action, tally: Tally) -> bool:
        """Tell, and count, whether an action would fail because its object could not be kept aside."""
        outcome = self._backup.refusal(action)
        if outcome is not None:
            tally.finished(outcome)
            self._context.listener(ActionFinished(outcome))
        return outcome is not None

    def _would(self, action: Action, tally: Tally) -> None:
        tally.would(action)
        if action.target is not None and self._backup.keeps(action):
            tally.kept_aside(action.target.size)

    def _is_brought_in(self, key: str) -> bool:
        """Tell, and count, whether a delete is due only because the job's filter was changed (A09)."""
        if self._job.accept_filter_change or not self._filter_pin.brings_in(key):
            return False
        self._brought_in += 1
        return True

    def _filter_changed(self) -> str | None:
        if not self._brought_in:
            return None
        return (
            f"{self._brought_in} deletes were held back: their objects are in the job's scope only since its filter "
            "was changed; if they are to be deleted, run once with accept_filter_change: true (--accept-filter-change)"
        )

    def _keep_filter(self, withheld: str | None) -> None:
        """Compare the runs to come with this one's filter, once every delete that it asks for was done."""
        if self._part is not None:
            return
        if self._filter_pin.is_new or (self._job.delete and withheld is None):
            self._filter_pin.keep()
