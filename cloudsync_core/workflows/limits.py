"""Whether the deletes of a run may be done: the one place that decides it."""

from __future__ import annotations

from collections.abc import Callable

from cloudsync_core.config.jobs.mirror import Mirroring
from cloudsync_core.engine.report import Tally
from cloudsync_core.errors import DeleteLimitExceededError, EmptySourceError
from cloudsync_core.runs import RunInfo


class DeleteLimits:
    """The limits of one run that has looked at everything.

    Args:
        run: the run.
        job: its rules.
    """

    def __init__(self, run: RunInfo, job: Mirroring) -> None:
        self._run = run
        self._job = job

    def refusal(self, tally: Tally, deletes: int) -> str | None:
        """Return why the deletes must wait for another run, or `None` when they may be done now.

        Args:
            tally: what was listed and done so far.
            deletes: how many there are.

        Raises:
            EmptySourceError, DeleteLimitExceededError: they must not be done at all.
        """
        if not deletes:
            return None
        self._check(tally, deletes)
        if tally.hinders_deletes:
            return f"{deletes} deletes were held back: a part of a listing could not be read (see the failures)"
        if tally.counts.failed:
            return f"{deletes} deletes were held back: {tally.counts.failed} transfers failed"
        return None

    def _check(self, tally: Tally, deletes: int) -> None:
        if tally.source_objects == 0 and not self._job.allow_empty_source:
            raise self._emptied(deletes)
        if not self._job.max_delete.allows(deletes, tally.target_objects):
            raise self._exceeded(f"{deletes} of the {tally.target_objects}")

    def _emptied(self, deletes: int) -> EmptySourceError:
        return EmptySourceError(
            f"the source {self._run.source} is empty, and {deletes} objects would be deleted from "
            f"{self._run.target}; nothing was deleted",
            hint="If the source is meant to be empty, set allow_empty_source: true (--allow-empty-source).",
        )

    def _exceeded(self, how_many: str, when: str = "") -> DeleteLimitExceededError:
        would_be = f"would be deleted {when}".rstrip()
        return DeleteLimitExceededError(
            f"{how_many} objects of {self._run.target} {would_be}, which is "
            f"more than max_delete ({self._job.max_delete}); nothing was deleted",
            hint="If that is right, raise max_delete (--max-delete) for one run.",
        )


class WindowLimits(DeleteLimits):
    """The limits of one look of a job that watches.

    What it deletes counts together with what the job has deleted in the window before, so that many small looks are no
    way around the limit.

    Args:
        run: the run.
        job: its rules.
        deleted: objects that were deleted in the window so far.
        objects: objects of the target when everything was looked at last; 0 when that is what is being done.
        empty: tells whether the source has no object in scope at all: that nothing of a part is there says nothing of
            whether the source is, and a source that was empty when it was listed may have been written since.
    """

    def __init__(self, run: RunInfo, job: Mirroring, *, deleted: int, objects: int, empty: Callable[[], bool]) -> None:
        super().__init__(run, job)
        self._deleted = deleted
        self._objects = objects
        self._empty = empty

    def _check(self, tally: Tally, deletes: int) -> None:
        if tally.source_objects == 0 and not self._job.allow_empty_source and self._empty():
            raise self._emptied(deletes)
        # The share is of what was there before the window's deletes.
        objects = max(self._objects, tally.target_objects) + self._deleted
        if not self._job.max_delete.allows(self._deleted + deletes, objects):
            raise self._exceeded(f"{self._deleted + deletes} of the {objects}", "within delete_window")
