"""Whether the deletes of a run may be done: the one place that decides it."""

from __future__ import annotations

from cloudsync_core.config.model import MirrorJob
from cloudsync_core.engine.report import Tally
from cloudsync_core.errors import DeleteLimitExceededError, EmptySourceError
from cloudsync_core.runs import RunInfo


class DeleteLimits:
    """The limits of one run that has looked at everything.

    Args:
        run: the run.
        job: its rules.
    """

    def __init__(self, run: RunInfo, job: MirrorJob) -> None:
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
            raise EmptySourceError(
                f"the source {self._run.source} is empty, and {deletes} objects would be deleted from "
                f"{self._run.target}; nothing was deleted",
                hint="If the source is meant to be empty, set allow_empty_source: true (--allow-empty-source).",
            )
        if not self._job.max_delete.allows(deletes, tally.target_objects):
            raise DeleteLimitExceededError(
                f"{deletes} of the {tally.target_objects} objects of {self._run.target} would be deleted, which is "
                f"more than max_delete ({self._job.max_delete}); nothing was deleted",
                hint="If that is right, raise max_delete (--max-delete) for one run.",
            )
