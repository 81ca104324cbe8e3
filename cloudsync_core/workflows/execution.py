"""The acting half of a run: performs what was planned, and tells everybody who wants to know."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal, Protocol

from cloudsync_core.backend import Backend
from cloudsync_core.crashpoints import hit
from cloudsync_core.engine.affinity import Gathering
from cloudsync_core.engine.attributes import AttributeRules
from cloudsync_core.engine.bandwidth import Bandwidth, Timetable
from cloudsync_core.engine.base import JobState
from cloudsync_core.engine.diff import BaseRow
from cloudsync_core.engine.events import ActionFinished
from cloudsync_core.engine.executor import execute
from cloudsync_core.engine.keeping import Keeper, held_back
from cloudsync_core.engine.lease import Lease
from cloudsync_core.engine.memory import MemoryBudget, held_by
from cloudsync_core.engine.removal import is_looked_up_in_listings, remove, remove_listed
from cloudsync_core.engine.report import Tally
from cloudsync_core.engine.spool import ActionSpool
from cloudsync_core.engine.transfer import Transfer, TransferRules
from cloudsync_core.engine.unfinished import Unfinished
from cloudsync_core.errors import (
    CancelledError,
    KeyBlockedError,
    PreconditionFailedError,
    RunError,
)
from cloudsync_core.models import ObjectInfo
from cloudsync_core.runs import Action, Outcome, RunInfo
from cloudsync_core.workflows.context import Context
from cloudsync_core.workflows.sides import Sides

OUTCOMES_TOLD = 500
"""Outcomes that the plugins' hook receives at a time."""

_RECHECKED = 50
"""Deletes in a batch whose objects have to be looked at one by one first."""


_IN_HAND = 16_000
"""Actions that are being performed at most: those of large batches take memory."""

StillRight = Callable[[Action], Outcome | None]
Origin = Callable[[Action], ObjectInfo | None]


class Moving(Protocol):
    """What a job says of how objects are moved; see the options of these names in `cloudsync_core.config.jobs`."""

    @property
    def transfers(self) -> int:
        """The most objects that are moved at the same time."""

    @property
    def memory(self) -> int:
        """The most bytes that are held in memory at the same time."""

    @property
    def bwlimit(self) -> Timetable:
        """The most bytes that pass in a second."""

    @property
    def verify(self) -> Literal["digest", "size"]:
        """How written objects are proven right where the store confirms no digest."""

    @property
    def server_copy(self) -> bool:
        """Whether objects are copied inside the provider where they can be."""


class Execution:
    """Performs the actions of one run.

    Args:
        run: the run.
        job: its rules.
        context: its surroundings.
        sides: its two sides.
        base: where equal pairs are recorded.
        tally: where everything is counted.
        lease: is held from the first action on.
        still_right: called before each action, in its worker thread; returns what becomes of it when it must not be
            performed.
            Without it, the objects that are to be replaced or deleted are all that is looked at again.
        origin: as of `Transfer`.
        kept_in: where objects of the target are kept aside before they are overwritten or deleted; `None` keeps none.
        digest: of everything that passes, the digest by this algorithm is recorded; see `TransferRules`.
        resumes: a later run would write the same keys, so that it can go on with the uploads that a crash leaves.
    """

    def __init__(
        self,
        run: RunInfo,
        job: Moving,
        context: Context,
        *,
        sides: Sides,
        base: JobState,
        tally: Tally,
        lease: Lease,
        still_right: StillRight | None = None,
        origin: Origin | None = None,
        kept_in: Backend | None = None,
        digest: str | None = None,
        resumes: bool = True,
    ) -> None:
        self._run = run
        self._context = context
        self._base = base
        self._tally = tally
        self._lease = lease
        self._most = job.transfers
        self._concurrency = sides.concurrency
        self._memory = MemoryBudget(job.memory, context.stop)
        self._target = sides.target
        self._put_memory = sides.target.capabilities.put_memory
        rules = TransferRules(
            retry=sides.policy,
            attributes=AttributeRules(context.headers),
            read_back=job.verify == "digest",
            server_copy=job.server_copy,
            digest=digest,
        )
        bandwidth = Bandwidth(job.bwlimit, context.stop) if job.bwlimit.limits else None
        paced = None if bandwidth is None else bandwidth.take
        self._transfer = Transfer(
            sides.source,
            sides.target,
            rules,
            context.progress,
            context.stop,
            paced=paced,
            unfinished=Unfinished(*base.place, kept=None if bandwidth is None else bandwidth.give_back)
            if resumes
            else None,
            origin=origin,
        )
        self._keeper = None
        if kept_in is not None:
            self._keeper = Keeper(
                sides.target,
                kept_in,
                dataclasses.replace(rules, attributes=AttributeRules()),
                stop=context.stop,
                memory=self._memory,
                told=tally.kept_aside,
                paced=paced,
            )
        self._deletes_kept = False
        self._still_right = still_right
        self._lock = threading.Lock()
        self._gathering = Gathering()
        self._untold: list[Outcome] = []
        self._fatal: str | None = None

    def write(self, actions: Iterable[Action], *, blocked: ActionSpool | None = None) -> None:
        """Perform adds and updates.

        Args:
            actions: pulled as workers become free.
            blocked: takes the actions for which another object is in the way on the target, instead of failing them.

        Raises:
            CancelledError: the user interrupted the run.
            RunError: an error that nothing survives.
        """
        with self._phase():
            for outcome in self._execute(actions, self._write):
                if blocked is not None and outcome.cause == KeyBlockedError.__name__:
                    blocked.append(outcome.action)
                else:
                    self._record(outcome)

    def remove(self, actions: Iterable[Action]) -> str | None:
        """Perform deletes; where objects are kept aside, first keep them all.

        Args:
            actions: as of `delete`.

        Returns:
            Why nothing was deleted: some object could not be kept aside; otherwise `None`.

        Raises:
            CancelledError, RunError: as of `write`.
        """
        if self._keeper is None:
            self.delete(actions)
            return None
        with ActionSpool() as kept:
            failures = self._keep_all(self._keeper, actions, kept)
            if failures:
                return held_back(len(kept), failures)
            self._deletes_kept = True
            self.delete(kept)
        return None

    def delete(self, actions: Iterable[Action]) -> None:
        """Perform deletes, in batches.

        Args:
            actions: in the order of their keys, in which a batch is near each other in a listing.

        Raises:
            CancelledError, RunError: as of `write`.
        """
        with self._phase(), ActionSpool() as unseen:
            rest = iter(actions)
            if (first := next(rest, None)) is None:
                return
            # What the target can do may be found out only now.
            self._lease.hold()
            actions = itertools.chain((first,), rest)
            capabilities = self._target.capabilities
            size = max(1, capabilities.bulk_delete_max)
            if self._still_right is None and is_looked_up_in_listings(capabilities):
                listed = functools.partial(self._delete_listed, unseen=unseen)
                for outcome in self._execute(_batches(actions, size), listed, batch=size):
                    self._record(outcome)
                actions = unseen
            if self._still_right is not None or not capabilities.delete_if_match:
                size = min(size, _RECHECKED)
            for outcome in self._execute(_batches(actions, size), self._delete, batch=size):
                self._record(outcome)

    def _write(self, action: Action) -> list[Outcome]:
        refused = self._still_right(action) if self._still_right is not None else None
        if refused is not None:
            return [refused]
        hit("op.claimed")
        kept = None
        if self._keeper is not None and action.target is not None:
            kept = self._keeper.keep(action)
            if not kept.kept:
                return [kept]
        self._gathering.place(action.size)
        held = held_by(action.size, self._put_memory)
        self._memory.take(held)
        try:
            outcome = self._transfer.write(action)
        finally:
            self._memory.give_back(held)
        return [outcome if kept is None else dataclasses.replace(outcome, kept=True)]

    def _keep_all(self, keeper: Keeper, actions: Iterable[Action], kept: ActionSpool) -> int:
        """Keep the objects of deletes aside, and return how many of them could not be kept."""
        failures = 0
        with self._phase():
            for outcome in self._execute(actions, lambda action: [keeper.keep(action)]):
                if outcome.kept:
                    kept.append(outcome.action)
                    continue
                self._record(outcome)
                # One that has changed since the listing stays, and says nothing about the others.
                failures += outcome.status != "done" and outcome.cause != PreconditionFailedError.__name__
        return failures

    def _delete_listed(self, actions: Sequence[Action], unseen: ActionSpool) -> list[Outcome]:
        outcomes, left = remove_listed(self._target, actions)
        with self._lock:
            for action in left:
                unseen.append(action)
        return outcomes

    def _delete(self, actions: Sequence[Action]) -> list[Outcome]:
        outcomes = []
        if self._still_right is not None:
            answers = [(action, self._still_right(action)) for action in actions]
            outcomes = [refused for _, refused in answers if refused is not None]
            actions = [action for action, refused in answers if refused is None]
        return outcomes + remove(self._target, actions)

    def _execute(self, work: Iterable, perform: Callable, *, batch: int = 1) -> Iterator[Outcome]:  # type: ignore[type-arg]
        self._concurrency.begin(max(1, min(self._most, _IN_HAND // batch)))
        return execute(self._permitted(work), perform, concurrency=self._concurrency, stop=self._context.stop)

    def _permitted(self, work: Iterable) -> Iterator:  # type: ignore[type-arg]
        """Yield the work once this run may write, and as long as it may."""
        for item in work:
            self._lease.hold()
            yield item

    def _record(self, outcome: Outcome) -> None:
        action = outcome.action
        if self._deletes_kept and action.kind == "delete":
            outcome = dataclasses.replace(outcome, kept=True)
        self._tally.finished(outcome)
        self._context.progress.done_objects += 1
        if outcome.status == "done":
            if outcome.source is not None and outcome.written is not None:
                row = BaseRow(outcome.source.fingerprint or None, outcome.written.fingerprint or None, outcome.digest)
                self._base.record(action.key, row)
            else:
                self._base.forget(action.key)
        if outcome.fatal and self._fatal is None:
            self._fatal = outcome.error
            self._context.stop.set()
        self._context.listener(ActionFinished(outcome))
        self._untold.append(outcome)
        if len(self._untold) >= OUTCOMES_TOLD:
            self._tell()

    def _tell(self) -> None:
        if self._untold:
            self._context.plugins.outcomes(self._run, self._untold)
            self._untold = []

    @contextlib.contextmanager
    def _phase(self) -> Iterator[None]:
        try:
            yield
        finally:
            self._tell()
        self._lease.check()
        if self._context.stop.interrupted:
            raise CancelledError("interrupted")
        if self._fatal is not None:
            raise RunError(f"the run was stopped, nothing else could have succeeded: {self._fatal}")


def _batches(actions: Iterable[Action], size: int) -> Iterator[Sequence[Action]]:
    rest = iter(actions)
    while batch := list(itertools.islice(rest, size)):
        yield batch
