"""Keeping aside what is about to be overwritten or deleted, so that it can be brought back."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Callable

from cloudsync_core.backend import Backend
from cloudsync_core.engine.compare import Checksum, Evidence
from cloudsync_core.engine.diff import Pair
from cloudsync_core.engine.memory import MemoryBudget, held_by
from cloudsync_core.engine.progress import Progress
from cloudsync_core.engine.recheck import changed_error, is_same
from cloudsync_core.engine.transfer import Transfer, TransferRules, failed
from cloudsync_core.errors import BackendError, ObjectExistsError, ObjectNotFoundError
from cloudsync_core.models import ObjectInfo
from cloudsync_core.runs import Action, Outcome


def cannot_keep(place: Backend, action: Action) -> Outcome | None:
    """Return how an action fails whose object has a name that the place cannot hold, else `None`; nothing is asked.

    A dry run and a run therefore say the same of it (P12).
    """
    try:
        place.check_key(action.key)
    except BackendError as error:
        return _left(action, failed(action, error))
    return None


def held_back(deletes: int, failures: int) -> str:
    """Return why deletes were held back: the objects of `failures` others could not be kept aside."""
    return f"{deletes} deletes were held back: {failures} objects could not be kept aside"


class Keeper:
    """Keeps objects of the target aside, in many threads at once: by the same transfer that moves any object.

    Args:
        target: the side that is about to lose them.
        place: where they are kept, by the same keys; nothing else writes there.
        rules: how they are moved.
        stop: ends what is under way with `CancelledError`.
        memory: what the contents may take.
        told: called with the bytes of each object that was kept.
        paced: called with the bytes of content that are about to pass; it waits until they may.
    """

    def __init__(
        self,
        target: Backend,
        place: Backend,
        rules: TransferRules,
        *,
        stop: threading.Event,
        memory: MemoryBudget,
        told: Callable[[int], None],
        paced: Callable[[int], None] | None = None,
    ) -> None:
        self._target = target
        self._place = place
        self._stop = stop
        self._memory = memory
        self._told = told
        self._put_memory = place.capabilities.put_memory
        # Bytes that are kept are no progress of the run's own transfers.
        self._transfer = Transfer(target, place, rules, Progress(), stop, paced=paced)

    def keep(self, action: Action) -> Outcome:
        """Return an outcome with `kept` when the version that was listed is kept aside, and verified.

        Any other outcome is that of the action itself, which must not be performed: the object could not be kept, is
        another one by now, or, for a delete, is gone already.

        Raises:
            CancelledError: the run was stopped.
        """
        listed = action.target
        assert listed is not None
        if (refusal := cannot_keep(self._place, action)) is not None:
            return refusal
        held = held_by(listed.size, self._put_memory)
        self._memory.take(held)
        try:
            copied = self._transfer.write(Action("add", action.key, "kept", source=listed))
        finally:
            self._memory.give_back(held)
        if copied.status == "done" and copied.source is not None:
            return self._judge(action, listed, copied.source)
        if copied.cause == ObjectNotFoundError.__name__ and action.kind == "delete":
            return Outcome(action, "done")
        if copied.cause == ObjectExistsError.__name__ and self._is_kept_already(listed):
            return Outcome(action, "done", kept=True)
        return _left(action, copied)

    def _judge(self, action: Action, listed: ObjectInfo, read: ObjectInfo) -> Outcome:
        if is_same(read, listed):
            self._told(listed.size)
            return Outcome(action, "done", kept=True)
        # Somebody has replaced it since the listing, and their version stays where it is.
        with contextlib.suppress(BackendError):
            self._place.delete(action.key)
        return failed(action, changed_error(self._target, action.key, operation=action.kind))

    def _is_kept_already(self, listed: ObjectInfo) -> bool:
        """Tell whether this run has kept the object before: it begins anew when a listing turns out to lie."""
        with contextlib.suppress(BackendError):
            pair = Pair(listed.key, self._target.stat(listed.key), self._place.stat(listed.key))
            assert pair.source is not None
            assert pair.target is not None
            if not is_same(pair.source, listed) or pair.source.size != pair.target.size:
                return False
            evidence = Evidence(pair, self._target, self._place, self._stop)
            return listed.size == 0 or Checksum().thorough(pair, evidence).same
        return False


def _left(action: Action, failure: Outcome) -> Outcome:
    why = f"it was left as it is, because it could not be kept aside: {failure.error}"
    return dataclasses.replace(failure, action=action, error=why)
