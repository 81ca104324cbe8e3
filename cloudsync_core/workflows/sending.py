"""Filling the tree of a new release, by the same execution that a mirror has."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Literal

from cloudsync_core.backend import Backend
from cloudsync_core.config.jobs.release import ReleaseJob
from cloudsync_core.crashpoints import hit
from cloudsync_core.engine.bandwidth import Timetable
from cloudsync_core.engine.base import JobState
from cloudsync_core.engine.diff import BaseRow
from cloudsync_core.engine.events import ActionFinished, Event
from cloudsync_core.engine.lease import Lease
from cloudsync_core.engine.report import Tally
from cloudsync_core.errors import ManifestError
from cloudsync_core.layers.below import Below
from cloudsync_core.models import Digest
from cloudsync_core.releases.creating import Choice
from cloudsync_core.releases.draft import Draft
from cloudsync_core.releases.names import place, tree
from cloudsync_core.runs import Action, Outcome, RunInfo
from cloudsync_core.workflows.context import Context
from cloudsync_core.workflows.execution import Execution
from cloudsync_core.workflows.sides import Sides


@dataclasses.dataclass(frozen=True, slots=True)
class _Moving:
    """How an execution moves objects."""

    transfers: int
    memory: int
    bwlimit: Timetable
    verify: Literal["digest", "size"]
    server_copy: bool


class Sending:
    """Writes what a draft has not settled yet, and copies what it keeps where each tree is to be whole.

    Args:
        run: the run.
        job: its rules.
        context: its surroundings.
        sides: its two sides.
        base: where the digests of what is sent are remembered.
        lease: is held.
        tally: where everything is counted; what failed says that the tree is not complete.
    """

    def __init__(
        self,
        run: RunInfo,
        job: ReleaseJob,
        context: Context,
        *,
        sides: Sides,
        base: JobState,
        lease: Lease,
        tally: Tally,
    ) -> None:
        self._run = run
        self._job = job
        self._context = context
        self._sides = sides
        self._base = base
        self._lease = lease
        self._tally = tally

    def send(self, draft: Draft, new: str, choice: Choice) -> None:
        """Fill the new tree.

        Args:
            draft: its files; what was written is settled there.
            new: the release.
            choice: what it is made by.

        Raises:
            CancelledError, RunError: the run was stopped, or cannot go on.
            ManifestError: what is copied is not what its manifest says.
        """

        def sent(outcome: Outcome) -> None:
            assert outcome.source is not None
            assert outcome.written is not None
            # Of what the provider copied there would be none; nothing is copied here.
            assert outcome.digest is not None
            entry = choice.written(new, outcome.source, Digest.parse(outcome.digest))
            draft.sent(entry, outcome.written.fingerprint)

        if choice.tree == "whole" and choice.base is not None:
            self._copy(draft, new, choice.base)
        if not self._tally.partial:
            self._write(additions(draft), new, sent)
        hit("release.sent")

    def _copy(self, draft: Draft, new: str, base: str) -> None:
        """Have the provider copy what the release before has; where it refuses, the bytes pass through this machine."""

        def copied(outcome: Outcome) -> None:
            assert outcome.written is not None
            kept = draft.kept_as(place(base, outcome.action.key))
            assert kept is not None
            # Of what the provider copied, the digest is its own; what passed through here was read.
            read = outcome.digest if outcome.verified != "server-copy" else None
            if read not in {None, str(kept.digest)}:
                raise ManifestError(f"{kept.key} does not hold what the manifest of its release says")
            draft.sent(dataclasses.replace(kept, key=place(new, kept.path)), outcome.written.fingerprint)
            # No byte of it is new.
            self._tally.counts.added -= 1
            self._tally.counts.unchanged += 1

        earlier = Below(self._sides.target, tree(base))
        self._write(_copies(draft, earlier, base), new, copied, copied_from=earlier)
        if draft.count(kept=True) and not self._tally.partial:
            raise ManifestError(f"objects of release {base} went away while they were copied; publish again")

    def _write(
        self,
        actions: Iterable[Action],
        new: str,
        done: Callable[[Outcome], None],
        *,
        copied_from: Backend | None = None,
    ) -> None:
        """Perform actions in the new tree, and have noted what became of each."""

        def listener(event: Event) -> None:
            if isinstance(event, ActionFinished) and event.outcome.status == "done":
                done(event.outcome)
            self._context.listener(event)

        def planned() -> Iterator[Action]:
            for action in actions:
                self._tally.planned(action)
                yield action

        job, copies = self._job, copied_from is not None
        execution = Execution(
            self._run,
            _Moving(job.transfers, job.memory, job.bwlimit, job.verify, server_copy=copies),
            dataclasses.replace(self._context, listener=listener, headers=() if copies else self._context.headers),
            sides=dataclasses.replace(
                self._sides, source=copied_from or self._sides.source, target=Below(self._sides.target, tree(new))
            ),
            base=_Unrecorded(*self._base.place, None) if copies else self._base,
            tally=self._tally,
            lease=self._lease,
            digest="sha256",
            # The next release has other keys.
            resumes=False,
        )
        execution.write(planned())


class _Unrecorded(JobState):
    """Notes nothing: what is copied from an earlier release says nothing about the source."""

    def record(self, key: str, row: BaseRow) -> None:
        del key, row

    def forget(self, key: str) -> None:
        del key


def additions(draft: Draft) -> Iterator[Action]:
    """Yield what has to be sent of a draft, in the order of the paths."""
    for info in draft.unsettled():
        yield Action("add", info.key, "not-in-release", source=info, seen_at=time.monotonic())


def _copies(draft: Draft, earlier: Backend, base: str) -> Iterator[Action]:
    for page in earlier.list():
        for entry in page:
            if draft.kept_as(place(base, entry.key)) is not None:
                yield Action("add", entry.key, "unchanged", source=entry, seen_at=time.monotonic())
