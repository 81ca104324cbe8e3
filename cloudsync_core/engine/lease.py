"""One run at a time writes to a target, whichever machine it runs on (catalogue F06).

The lease is an object of the target, in the folder that no run ever mirrors. It is taken right before the first write,
so that a run with nothing to do asks for nothing; it is renewed while it is held, and removed at the end. Whoever finds
one takes it over if its process is known to be gone, or if nobody renewed it for a while, measured by its own clock and
by the object's version alone: clocks of others prove nothing (F07).
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections.abc import Callable
from typing import Final, Self

from cloudsync_core.backend import Backend
from cloudsync_core.body import Body
from cloudsync_core.crashpoints import hit
from cloudsync_core.engine.holder import Holder
from cloudsync_core.engine.recheck import is_same
from cloudsync_core.errors import (
    BackendError,
    CancelledError,
    LeaseHeldError,
    LeaseLostError,
    ObjectExistsError,
    ObjectNotFoundError,
    PreconditionFailedError,
    RunError,
    UnsupportedOperationError,
)
from cloudsync_core.layers.retry import RetryPolicy
from cloudsync_core.models import ALWAYS, IF_ABSENT, IfMatch, ObjectInfo, PutCondition
from cloudsync_core.runs import RunInfo

KEY: Final = ".cloudsync/lease"
"""The object; see `cloudsync_core.engine.filters` for why no run mirrors it."""

LONGEST: Final = 64 * 1024
"""Bytes of a lease at most; more is none."""


@dataclasses.dataclass(frozen=True, slots=True)
class Pace:
    """How long leases last, in seconds of this machine's monotonic clock.

    Attributes:
        renewed: a holder renews its lease as often.
        stale: a lease that was seen unchanged for so long is taken over; a holder that could not renew it for so long,
            less one renewal, writes no more.
        suspect: a lease that was written so long ago, as far as clocks can tell, is watched until it is stale instead
            of refusing the run at once.
        look: between two looks at a lease of somebody else's.
        settle: after a lease was taken over in a store that cannot do that under a condition, until it is looked at
            once more.
    """

    renewed: float = 20.0
    stale: float = 75.0
    suspect: float = 600.0
    look: float = 2.0
    settle: float = 1.0


PACE: Final = Pace()
_ONCE: Final = RetryPolicy(attempts=1)


@dataclasses.dataclass(frozen=True, slots=True)
class _Found:
    info: ObjectInfo
    holder: Holder | None

    def __str__(self) -> str:
        return "somebody whose lease this version cannot read" if self.holder is None else str(self.holder)


class _Watch:
    """How long a lease of somebody else's has been watched."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._seen: ObjectInfo | None = None
        self._since = self._began

    @property
    def waited(self) -> float:
        """Seconds since the first look."""
        return time.monotonic() - self._began

    def unchanged(self, found: ObjectInfo) -> float:
        """Return the seconds for which the lease has been this very object."""
        now = time.monotonic()
        if self._seen is None or not is_same(found, self._seen):
            self._seen, self._since = found, now
        return now - self._since


class Lease:
    """The lease of one run; a context that gives it back.

    Args:
        target: where the run writes.
        run: the run.
        wanted: whether there shall be one at all.
        first: called once, before this run may write: it finds out what the target can do.
        wait: seconds to wait for a lease that somebody else holds.
        stop: ends the wait, and is set when the lease is lost.
        pace: how long leases last.
        retry: when the lease is written once more: no layer does that, because a body can be consumed only once.
    """

    def __init__(
        self,
        target: Backend,
        run: RunInfo,
        *,
        wait: float,
        stop: threading.Event,
        wanted: bool = True,
        first: Callable[[], None] | None = None,
        pace: Pace = PACE,
        retry: RetryPolicy = _ONCE,
    ) -> None:
        self._target = target
        self._retry = retry
        self._holder = Holder.of(run)
        self._wait = wait
        self._stop = stop
        self._pace = pace
        self._first = first
        self._needless = not wanted
        self._held: ObjectInfo | None = None
        self._renewals = 0
        self._lost: LeaseLostError | None = None
        self._over = threading.Event()
        self._renewing: threading.Thread | None = None

    def hold(self) -> None:
        """Return when this run may write: it holds the lease, or the store cannot keep one.

        It is meant to be called again and again, by one thread, and costs nothing once the lease is held.

        Raises:
            LeaseHeldError: somebody else holds it.
            LeaseLostError: it was held, and is no more.
            RunError: it cannot be taken.
            CancelledError: the run was stopped meanwhile.
        """
        if self._first is not None:
            self._first()
            self._first = None
        if self._held is None and not self._needless:
            try:
                self._take()
            except BackendError as error:
                raise RunError(
                    f"the lease that keeps other runs from {self._target.location} cannot be taken: {error}",
                    hint=f"Allow cloudsync to write {KEY} there, or do without it by lease: false (--no-lease).",
                ) from error
        self.check()

    def check(self) -> None:
        """Raise `LeaseLostError` if the lease was held and is no more."""
        if self._lost is not None:
            raise self._lost

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._renewing is not None:
            self._renewing.join()
        held = self._held
        if held is None or self._lost is not None:
            return
        # What cannot be removed is stale soon.
        with contextlib.suppress(BackendError, CancelledError):
            self._remove(held)
            hit("lease.removed")

    def _take(self) -> None:
        self._needless = not self._target.capabilities.put_if_absent
        watch = _Watch()
        while not self._needless and not self._try(watch):
            if self._stop.is_set():
                raise CancelledError("interrupted")
        if self._held is not None:
            self._renewing = threading.Thread(target=self._renew_for_ever, name="cloudsync-lease", daemon=True)
            self._renewing.start()
            hit("lease.taken")

    def _try(self, watch: _Watch) -> bool:
        """Take the lease if that can be done now and return whether it was; else wait a moment, or refuse the run."""
        if self._put(IF_ABSENT):
            return True
        found = None if self._needless else self._look()
        if found is None:
            return False
        if self._is_ours(found):
            # The answer to our own put was lost (F01).
            self._held = found.info
            return True
        unchanged = watch.unchanged(found.info)
        if unchanged >= self._pace.stale or (found.holder is not None and found.holder.is_gone()):
            return self._take_over(found)
        if watch.waited >= self._wait and not self._is_suspect(found):
            raise self._refusal(found)
        self._stop.wait(self._pace.look)
        return False

    def _is_ours(self, found: _Found) -> bool:
        return found.holder is not None and found.holder.run == self._holder.run

    def _put(self, condition: PutCondition) -> bool:
        """Write the lease; return whether the condition held."""
        content = self._holder.written(self._renewals)
        try:
            self._held = self._retry.call(lambda: self._target.put(KEY, Body(content), condition=condition), self._stop)
        except (ObjectExistsError, PreconditionFailedError, ObjectNotFoundError):
            return False
        except UnsupportedOperationError:
            # Only the place itself knows, such as a file system without hard links.
            self._needless = True
            return False
        return True

    def _look(self) -> _Found | None:
        """Return the lease that is there, `None` where there is none any more."""
        try:
            reader = self._target.read(KEY, LONGEST)
            if reader is None:
                return _Found(self._target.stat(KEY), None)
            return _Found(reader.info, Holder.read(reader.read()))
        except (ObjectNotFoundError, PreconditionFailedError):
            return None

    def _is_suspect(self, found: _Found) -> bool:
        return time.time() - found.info.modified_ns / 1e9 > self._pace.suspect

    def _refusal(self, found: _Found) -> LeaseHeldError:
        waited = f" (waited {self._wait:.0f} s)" if self._wait else ""
        return LeaseHeldError(
            f"{self._target.location} is being written by {found}{waited}; this run has changed nothing",
            hint="Wait for it to end, for instance by --wait 300. A run that has died is recognised within "
            f"{self._pace.stale:.0f} seconds of waiting.",
        )

    def _take_over(self, found: _Found) -> bool:
        """Take the place of a holder that is gone; return false where somebody else was faster."""
        capabilities = self._target.capabilities
        if capabilities.put_if_match and found.info.version:
            return self._put(IfMatch(found.info.version))
        again = self._look()
        if again is None or not is_same(again.info, found.info):
            return False
        self._target.delete(KEY)
        if not self._put(IF_ABSENT):
            return False
        # Another run may have removed ours, taking it for the one that both had seen.
        self._stop.wait(self._pace.settle)
        held, now = self._held, self._look()
        if held is not None and now is not None and is_same(now.info, held):
            return True
        self._held = None
        return False

    def _renew_for_ever(self) -> None:
        renewed = time.monotonic()
        while not self._over.wait(self._pace.renewed):
            try:
                if not self._renew():
                    self._lose("another run has taken it over")
                    return
                renewed = time.monotonic()
            except (BackendError, CancelledError) as error:
                if time.monotonic() - renewed > self._pace.stale - 2 * self._pace.renewed:
                    self._lose(f"it could not be renewed: {error}")
                    return

    def _renew(self) -> bool:
        held = self._held
        assert held is not None
        self._renewals += 1
        if self._target.capabilities.put_if_match and held.version:
            if self._put(IfMatch(held.version)):
                return True
            found = self._look()
            if found is None or not self._is_ours(found):
                return False
            # The answer to our own renewal was lost.
            self._held = found.info
            return True
        found = self._look()
        if found is None or not is_same(found.info, held):
            return False
        return self._put(ALWAYS)

    def _lose(self, why: str) -> None:
        self._lost = LeaseLostError(
            f"the lease that keeps other runs from {self._target.location} was lost: {why}",
            hint="Another run may be writing there now. Run again when it has ended: what was done is not done twice.",
        )
        self._stop.set()

    def _remove(self, held: ObjectInfo) -> None:
        if self._target.capabilities.delete_if_match and held.version:
            self._target.delete(KEY, if_match=held.version)
            return
        found = self._look()
        if found is not None and is_same(found.info, held):
            self._target.delete(KEY)
