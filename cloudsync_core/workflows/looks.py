"""One look of a job that watches: at everything or at some keys, and all that follows from what is found."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import time
from collections.abc import Callable
from typing import Any, Final

from cloudsync_core.config.model import WatchJob
from cloudsync_core.engine.base import JobState
from cloudsync_core.engine.dirty import Due
from cloudsync_core.engine.events import ActionFinished, Event, KeyLeftOut
from cloudsync_core.engine.executor import Stop
from cloudsync_core.engine.filters import Filter
from cloudsync_core.engine.listing import list_side
from cloudsync_core.engine.opposite import CONFLICT, LEFT, Opposite
from cloudsync_core.engine.plan import Settled
from cloudsync_core.engine.policy import DeleteLimit
from cloudsync_core.engine.progress import Progress
from cloudsync_core.engine.report import Tally
from cloudsync_core.engine.transfer import failed
from cloudsync_core.engine.vigil import Vigil
from cloudsync_core.errors import (
    BackendError,
    CancelledError,
    ObjectNotFoundError,
    PreconditionFailedError,
    printable,
)
from cloudsync_core.runs import Action, Outcome, RunInfo
from cloudsync_core.workflows.backup import Backup
from cloudsync_core.workflows.context import Context
from cloudsync_core.workflows.equalising import Equaliser
from cloudsync_core.workflows.limits import WindowLimits
from cloudsync_core.workflows.renames import Renames
from cloudsync_core.workflows.sides import Sides, lease

_SOONEST: Final = 1.0
_LATEST: Final = 60.0
"""Seconds until a key is looked at again that could not be settled: as many as it has been dirty, within these."""

_THEIRS_AGAIN: Final = 5.0
"""Seconds until a key is looked at again that the job which goes the other way is about to carry."""

_REMEMBERED: Final = 10_000
"""Keys that one look may leave; where there are more, everything is looked at again instead."""

_ANY_NUMBER: Any = DeleteLimit(percent=100)


class Left:
    """The keys that a look could not settle.

    Args:
        due: what is looked at; `None` is everything.
        now: when the look began.

    Attributes:
        until: each key with the time before which it need not be looked at again.
        missed: when an object was last found to be gone from the source; monotonic seconds.
        too_many: there are more of them than are remembered.
    """

    def __init__(self, due: Due | None, now: float) -> None:
        self.due = due
        self.now = now
        self.until: dict[str, float] = {}
        self.missed = 0.0
        self.too_many = False

    def heard(self, key: str) -> float:
        """Return when a key was last heard of; that it was looked at with others counts, too."""
        return self.now if self.due is None else self.due.heard.get(key, self.now)

    def again(self, key: str, until: float | None = None) -> None:
        """Have a key looked at again; unless a time is given, after as long as it has been dirty, within bounds."""
        if until is None:
            until = self.now + min(max(self.now - self.heard(key), _SOONEST), _LATEST)
        if len(self.until) < _REMEMBERED or key in self.until:
            self.until[key] = until
        else:
            self.too_many = True


@dataclasses.dataclass(frozen=True, slots=True)
class Look:
    """What a look has come to.

    Attributes:
        tally: what it counted.
        message: why deletes were held back, or `None`.
        left: the keys that are to be looked at again.
    """

    tally: Tally
    message: str | None
    left: Left


class Looker:
    """Looks, for one job.

    Args:
        run: the run that all looks are part of.
        job: its rules.
        context: its surroundings.
        sides: its two sides.
        base: what both were when last known equal.
        backup: where objects of the target are kept aside.
        scope: the job's filter.
        vigil: what was deleted lately, and whether somebody has permitted more.

    Attributes:
        hears: tells, in any thread, whether a key was heard of since the look began.
    """

    def __init__(
        self,
        run: RunInfo,
        job: WatchJob,
        context: Context,
        sides: Sides,
        base: JobState,
        *,
        backup: Backup,
        scope: Filter,
        vigil: Vigil,
    ) -> None:
        self._run = run
        self._job = job
        self._context = context
        self._sides = sides
        self._base = base
        self._backup = backup
        self._scope = scope
        self._vigil = vigil
        self._objects = 0
        self.hears: Callable[[str], bool] = lambda _: False

    @property
    def job_name(self) -> str:
        """The job's name."""
        return self._run.job

    def look(self, due: Due | None) -> Look:
        """Look at what is due, or at everything, and do what follows from that.

        Raises:
            CancelledError: the job is to end.
            CloudSyncError: the look came to an end before its own; what was done until then is recorded.
        """
        left = Left(due, time.time())
        context = dataclasses.replace(
            self._context,
            listener=functools.partial(self._listen, left),
            progress=Progress(),
            stop=self._context.stop.child(),
        )
        sides = self._sides
        opposite = Opposite(self._base, str(sides.source.identity), str(sides.target.identity), self._context.opposites)
        tally = Tally(self._run)
        renames = None
        if due is not None and self._job.server_copy:
            renames = Renames(self._base, due.part, sides.source, sides.target, context.stop)
        try:
            with lease(self._run, self._job, sides, context) as held:
                work = Equaliser(
                    self._run,
                    self._job,
                    context,
                    sides,
                    self._base,
                    lease=held,
                    backup=self._backup,
                    limits=self._limits(due),
                    part=None if due is None else due.part,
                    reserved=functools.partial(self._reserve, opposite, renames, left),
                    still_right=functools.partial(self._still_gone, left, context.stop),
                    origin=None if renames is None else renames.origin,
                )
                message = work.do(tally)
        finally:
            self._base.save()
            self._vigil.removed(tally.counts.deleted, time.time(), self._job.delete_window)
        found = tally.target_objects if due is None else self._objects
        self._objects = max(0, found + tally.counts.added - tally.counts.deleted)
        if due is not None:
            self._vigil.note(looked=left.now)
        return Look(tally, message, left)

    def _limits(self, due: Due | None) -> WindowLimits:
        job, deleted = self._job, self._vigil.removed_since(time.time() - self._job.delete_window)
        if due is None and self._vigil.read().permitted:
            job = job.model_copy(update={"max_delete": _ANY_NUMBER, "allow_empty_source": True})
        return WindowLimits(
            self._run,
            job,
            deleted=deleted,
            objects=0 if due is None else self._objects,
            empty=self._source_is_empty,
        )

    def _source_is_empty(self) -> bool:
        pages = list_side(
            self._sides.source,
            "source",
            self._scope,
            sort=False,
            include=None,
            stop=self._context.stop,
            progress=Progress(),
        )
        with contextlib.closing(pages):
            return not any(len(page) for page in pages)

    def _reserve(self, opposite: Opposite, renames: Renames | None, left: Left, action: Action) -> Settled | None:
        """Leave what is the other job's to carry, and what is gone only since a moment."""
        on_source, on_target = int(action.source is not None), int(action.target is not None)
        if opposite and (claim := opposite.claims(action)) is not None:
            conflict = claim == "conflict"
            left.again(action.key, None if conflict else left.now + _THEIRS_AGAIN)
            return Settled(
                "unknown" if conflict else "unchanged",
                CONFLICT if conflict else LEFT,
                action.key,
                on_source=on_source,
                on_target=on_target,
            )
        if opposite and self._has_moved_on(action):
            left.again(action.key)
            return Settled("unchanged", "changed while it was looked at", action.key, on_source=1, on_target=on_target)
        if action.kind == "delete" and left.due is not None:
            until = left.heard(action.key) + self._job.grace
            if until > left.now:
                left.again(action.key, until)
                return Settled("unchanged", "gone since a moment only", action.key, on_target=on_target)
        if action.kind == "delete":
            left.missed = time.monotonic()
        if renames is not None:
            renames.expect(action)
        return None

    def _has_moved_on(self, action: Action) -> bool:
        """Tell whether the source has another object by now, which the other job may have fetched just now.

        What that job knows was asked for after the source was looked at, so that the two need not fit together. Where
        it takes a request to find out, the conditions of the transfer have to do.
        """
        if action.source is None or not self._sides.source.capabilities.local_reads:
            return False
        try:
            return self._sides.source.stat(action.key).fingerprint != action.source.fingerprint
        except BackendError:
            return True

    def _still_gone(self, left: Left, stop: Stop, action: Action) -> Outcome | None:
        """Look at the source once more before a delete: what was saved meanwhile is not deleted.

        A look at everything cannot tell since when an object is gone: from when it was missed, all the grace is waited.
        """
        if action.kind != "delete":
            return None
        if left.due is None and stop.wait(max(0.0, left.missed + self._job.grace - time.monotonic())):
            raise CancelledError("interrupted")
        try:
            self._sides.source.stat(action.key)
        except ObjectNotFoundError:
            if not self.hears(action.key):
                return None
            # It may have been there in between: it waits until nothing is heard of it.
            return _let_be(action, "it was heard of meanwhile")
        except BackendError as error:
            return failed(action, error)
        return _let_be(action, "it is on the source again")

    def _listen(self, left: Left, event: Event) -> None:
        if isinstance(event, ActionFinished) and event.outcome.status != "done":
            left.again(event.outcome.action.key)
        elif isinstance(event, KeyLeftOut) and event.status == "unknown":
            left.again(event.key)
        self._context.listener(event)


def _let_be(action: Action, why: str) -> Outcome:
    """Return the outcome of a delete that is not due any more, which is no failure."""
    return Outcome(
        action, "skipped", error=f"delete {printable(action.key)}: {why}", cause=PreconditionFailedError.__name__
    )
