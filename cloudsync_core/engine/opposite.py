"""The job that goes the other way between the same two places, and what the two leave to each other.

A directory that is pushed into a bucket and pulled from it again is changed from both ends. Each job makes its target
equal to its source; alone, it would undo what was done at its target and not carried over yet: overwrite an edit, bring
back what was deleted, delete what is new. The state database knows what the other job has last seen equal, so each can
tell what its target has that is still the other's to carry.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from cloudsync_core.engine.base import JobState
from cloudsync_core.engine.diff import BaseRow
from cloudsync_core.runs import Action

LEFT: Final = "left to the job that goes the other way"
CONFLICT: Final = "changed on both sides since they were last equal"

Claim = Literal["theirs", "conflict"]
"""Why an action is not this job's: the other job is to carry the change, or both sides have one."""

_JOBS: Final = "SELECT id, name, source = ? AND target = ? FROM job"
_ROW: Final = "SELECT source, target, digest FROM base WHERE job = ? AND key = ?"


class Opposite:
    """Tells which actions of a job are not its own to do.

    Args:
        base: the job's part of the state database.
        source: what identifies the place that it reads; see `State.open_job`.
        target: likewise of the place that it writes.
        running: the jobs that run all the time beside this one, by name, each with whether it deletes; any other job is
            none of these: that somebody once copied back what was lost says nothing of what is to happen now.

    Raises:
        StateError: the database cannot be used.
    """

    def __init__(self, base: JobState, source: str, target: str, running: Mapping[str, bool]) -> None:
        self._database, self._own = base.place
        self._others: list[int] = []
        # Of one that has never run nobody knows yet between which places it goes.
        unheard = dict(running)
        self._deletes = False
        for job, name, reverse in self._jobs(source=target, target=source) if running else ():
            if name in running and job != self._own and reverse:
                self._others.append(job)
                self._deletes |= running[name]
            unheard.pop(name, None)
        self._exists = bool(self._others or unheard)

    def __bool__(self) -> bool:
        return self._exists

    def claims(self, action: Action) -> Claim | None:
        """Return why an action is not this job's to do, `None` when it is.

        Raises:
            StateError: the database cannot be used.
        """
        rows = [row for job in self._others if (row := self._row(job, action.key)) is not None]
        if action.target is None:
            # It is gone from the target: removed there, if the other job knew both and the source is still the same.
            removed = self._deletes and any(self._is_source(row, action) for row in rows)
            return "theirs" if removed else None
        if self._is_known(action, rows):
            return None
        if action.source is None or any(self._is_source(row, action) for row in rows):
            return "theirs"
        return "conflict"

    def _is_known(self, action: Action, rows: list[BaseRow]) -> bool:
        """Tell whether the target's object is one that either job has left there: nobody has changed it since."""
        assert action.target is not None
        now = action.target.fingerprint
        if not now:
            return False
        own = self._row(self._own, action.key)
        return (own is not None and own.target == now) or any(row.source == now for row in rows)

    @staticmethod
    def _is_source(row: BaseRow, action: Action) -> bool:
        return action.source is not None and bool(row.target) and row.target == action.source.fingerprint

    def _row(self, job: int, key: str) -> BaseRow | None:
        with self._database.using() as connection:
            row = connection.execute(_ROW, (job, key)).fetchone()
        return None if row is None else BaseRow(*row)

    def _jobs(self, *, source: str, target: str) -> list[tuple[int, str, bool]]:
        with self._database.using() as connection:
            rows = connection.execute(_JOBS, (source, target)).fetchall()
        return [(int(job), str(name), bool(reverse)) for job, name, reverse in rows]
