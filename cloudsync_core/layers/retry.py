"""The one owner of retries: a policy that says when to try again, and the layer that applies it.

Backends never retry and their SDKs' own retries are turned off, so that attempts do not multiply. Where one
retried operation is made of others, the outermost one owns the attempts: inside `RetryPolicy.call` the layer
passes everything through once.

Waiting is our own loop and not a library's: stamina sleeps by `time.sleep`, which an interrupted run would have to
sit out in every thread, and its timeout is looked at before a wait, without regard to how long that wait will be.
"""

from __future__ import annotations

import contextlib
import contextvars
import dataclasses
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TypeVar

from cloudsync_core.backend import Backend, Prune
from cloudsync_core.body import ObjectReader
from cloudsync_core.errors import (
    BackendError,
    Disposition,
    ObjectNotFoundError,
    PreconditionFailedError,
    ThrottledError,
    UnavailableError,
)
from cloudsync_core.layers.layer import Layer, innermost
from cloudsync_core.layers.outage import Outage
from cloudsync_core.models import (
    ALWAYS,
    Attributes,
    ByteRange,
    DeleteResult,
    Gap,
    ObjectInfo,
    Page,
    PutCondition,
    Version,
)
from cloudsync_core.unfinished import Leftover

T = TypeVar("T")

_owned = contextvars.ContextVar("cloudsync_retries_owned", default=False)


def _nobody(_: BackendError) -> None:
    """Hear an error, and do nothing."""


@dataclasses.dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When an operation that failed is tried again.

    Only errors whose disposition is `RETRY` are. Before attempt n+1 it waits a random time up to
    `first_wait * 2**(n-1)`, on top of what the provider asked for (`BackendError.retry_after`). The randomness
    spreads the clients that failed together (https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/).

    Attributes:
        attempts: in all, the first included; 1 never retries.
        first_wait: seconds, at most, before the second attempt.
        max_wait: seconds, at most, before any attempt, when the provider did not ask for more.
        budget: seconds from the first attempt after which no further one starts. A wait that would end later
            is not begun: the operation fails at once. A running attempt is not cut short.
        told: is told every error that a further attempt may mend, once, before the wait; from any thread.
        clock: returns seconds that never go back.
        outage: sees whether anything succeeds at all. Where for long nothing does, the operation that fails next ends
            the run: its error gets the disposition `ABORT`.
    """

    attempts: int = 5
    first_wait: float = 0.2
    max_wait: float = 20.0
    budget: float = 120.0
    told: Callable[[BackendError], None] = _nobody
    clock: Callable[[], float] = time.monotonic
    outage: Outage = dataclasses.field(default_factory=Outage, repr=False, compare=False)

    def call(self, operation: Callable[[], T], stop: threading.Event | None = None) -> T:
        """Return what `operation` returns, tried as often as the policy allows.

        `Retry` layers that it uses, in the same thread, do not retry on their own meanwhile.

        Args:
            operation: started anew for every attempt.
            stop: when it is set, waits end at once and no attempt follows.

        Raises:
            BackendError: that of the last attempt.
        """
        tries = Attempts(self, stop)
        token = _owned.set(True)
        try:
            while True:
                try:
                    result = operation()
                except BackendError as error:
                    if not tries.again_after(error):
                        if not tries.owned:
                            self._give_up(error)
                        raise
                else:
                    if not tries.owned:
                        self.outage.over()
                    return result
        finally:
            _owned.reset(token)

    def _give_up(self, error: BackendError) -> None:
        """Let the run end by an error that is one of too many."""
        if error.disposition is not Disposition.RETRY or not isinstance(error, (ThrottledError, UnavailableError)):
            return
        if (seconds := self.outage.goes_on(self.clock())) is not None:
            error.disposition = Disposition.ABORT
            error.reason = f"{error.reason}, and nothing has succeeded for {seconds:.0f} seconds"


class Attempts:
    """The attempts at one operation: how many there were, and since when.

    Made inside `RetryPolicy.call` it allows one: the outer operation owns the retries.

    Args:
        policy: what allows them.
        stop: see `RetryPolicy.call`.

    Attributes:
        owned: whether an outer operation owns the retries.
    """

    def __init__(self, policy: RetryPolicy, stop: threading.Event | None = None) -> None:
        self._policy = policy
        self._stop = threading.Event() if stop is None else stop
        self.owned = _owned.get()
        self._allowed = 1 if self.owned else policy.attempts
        self._failed = 0
        self._started = policy.clock()

    def again_after(self, error: BackendError) -> bool:
        """Wait, and return true when the operation is to be tried again; false when `error` is final."""
        self._failed += 1
        if error.disposition is not Disposition.RETRY:
            return False
        if not self.owned:
            self._policy.told(error)
        if self._failed >= self._allowed:
            return False
        ceiling = min(self._policy.max_wait, self._policy.first_wait * 2.0 ** (self._failed - 1))
        wait = (error.retry_after or 0.0) + random.uniform(0, ceiling)  # noqa: S311 - spreads load, guards nothing
        if self._policy.clock() - self._started + wait > self._policy.budget:
            return False
        return not self._stop.wait(wait)


class Retry(Layer):
    """Tries again what a backend failed to do for a passing reason.

    A put is not retried here, because its body can be consumed only once: who makes the body retries the whole
    transfer with `RetryPolicy.call`. A get is retried until it is open, a listing goes on after the last page.

    Args:
        inner: the backend.
        policy: when to try again.
        stop: see `RetryPolicy.call`.
    """

    def __init__(self, inner: Backend, policy: RetryPolicy, *, stop: threading.Event | None = None) -> None:
        super().__init__(inner)
        self._policy = policy
        self._stop = stop

    def list(self, prefix: str = "", *, start_after: str | None = None, prune: Prune | None = None) -> Iterator[Page]:
        """Yield the pages of the backend's listing, resumed after the last key where its order allows.

        An unordered listing that fails after its first page raises: nobody can tell where it stopped.
        """
        reached, handed_out = start_after, False
        gaps: set[Gap] = set()
        tries = self._attempts()
        while True:
            try:
                for page in self.inner.list(prefix, start_after=reached, prune=prune):
                    fresh = _without_gaps(page, gaps)
                    if page.keys:
                        reached, tries = page.keys[-1], self._attempts()
                    handed_out = True
                    yield fresh
            except BackendError as error:
                resumable = self.capabilities.ordered_listing or not handed_out
                if not resumable or not tries.again_after(error):
                    raise
            else:
                return

    def stat(self, key: str) -> ObjectInfo:
        """Return what the object is."""
        return self._call(lambda: self.inner.stat(key))

    def read(self, key: str, limit: int) -> ObjectReader | None:
        """Read the object, anew for every attempt."""
        return self._call(lambda: self.inner.read(key, limit))

    @contextlib.contextmanager
    def get(
        self, key: str, *, byte_range: ByteRange | None = None, if_match: Version | None = None
    ) -> Iterator[ObjectReader]:
        """Open the object; once it is open, an error of its bytes raises."""

        def open_object() -> tuple[AbstractContextManager[ObjectReader], ObjectReader]:
            manager = self.inner.get(key, byte_range=byte_range, if_match=if_match)
            return manager, manager.__enter__()

        with contextlib.ExitStack() as stack:
            manager, reader = self._call(open_object)
            stack.push(manager)
            yield reader

    def delete(self, key: str, *, if_match: Version | None = None) -> None:
        """Remove the object; an attempt that meets the success of an earlier one is a success.

        When the answer to a delete is lost, the next attempt finds no object, which some providers call a failed
        precondition. Such a refusal is believed unless the object is really gone.
        """
        attempt = 0

        def remove() -> None:
            nonlocal attempt
            attempt += 1
            self.inner.delete(key, if_match=if_match)

        try:
            self._call(remove)
        except PreconditionFailedError:
            if attempt == 1 or not self._gone(key):
                raise

    def delete_many(self, items: Sequence[tuple[str, Version | None]]) -> Iterator[DeleteResult]:
        """Remove the objects and report every key once; only those that failed for a passing reason are retried."""
        pending = dict(items)
        tries = self._attempts()
        again = False
        while pending:
            failed: dict[str, BackendError] = {}
            for result in self._delete_round(pending):
                error = result.error
                if again and isinstance(error, PreconditionFailedError) and self._gone(result.key):
                    yield DeleteResult(result.key)
                elif isinstance(error, BackendError) and error.disposition is Disposition.RETRY:
                    failed[result.key] = error
                else:
                    yield result
            slowest = max(failed.values(), key=lambda error: error.retry_after or 0.0, default=None)
            if slowest is None or not tries.again_after(slowest):
                yield from (DeleteResult(key, error) for key, error in failed.items())
                return
            pending = {key: pending[key] for key in failed}
            again = True

    def copy(
        self,
        source: Backend,
        info: ObjectInfo,
        key: str,
        *,
        attributes: Attributes | None = None,
        condition: PutCondition = ALWAYS,
    ) -> ObjectInfo:
        """Copy inside the provider.

        A conditional copy that a retry finds refused raises, even if an earlier attempt whose answer was lost is what
        it met: that the object there is ours is not proven.
        """
        origin = innermost(source)
        return self._call(lambda: self.inner.copy(origin, info, key, attributes=attributes, condition=condition))

    def probe(self, known: str | None = None) -> str | None:
        """Find out what the store can do, from the beginning where that fails in passing."""
        return self._call(lambda: self.inner.probe(known))

    def leftovers(self, recorded: Sequence[tuple[str, str]] = ()) -> Iterator[Leftover]:
        """Yield the leftovers, once all have been found: there are few."""
        yield from self._call(lambda: list(self.inner.leftovers(recorded)))

    def discard(self, key: str, token: str) -> None:
        """Remove a leftover; what an attempt whose answer was lost has removed is gone, which is no error."""
        self._call(lambda: self.inner.discard(key, token))

    def _call(self, operation: Callable[[], T]) -> T:
        # Where an outer operation owns the attempts there is one, and nothing to set up for it.
        return operation() if _owned.get() else self._policy.call(operation, self._stop)

    def _attempts(self) -> Attempts:
        return Attempts(self._policy, self._stop)

    def _gone(self, key: str) -> bool:
        try:
            self._call(lambda: self.inner.stat(key))
        except ObjectNotFoundError:
            return True
        except BackendError:
            return False
        return False

    def _delete_round(self, pending: Mapping[str, Version | None]) -> Iterator[DeleteResult]:
        """Report every key of one attempt, those of a request that failed as a whole included (clause D3)."""
        unreported = dict(pending)
        try:
            for result in self.inner.delete_many(tuple(pending.items())):
                unreported.pop(result.key, None)
                yield result
        except BackendError as error:
            yield from (DeleteResult(key, error) for key in unreported)


def _without_gaps(page: Page, seen: set[Gap]) -> Page:
    """Return `page` without the gaps in `seen`, which a resumed listing meets again, and add its gaps to them."""
    if not page.gaps:
        return page
    fresh = tuple(gap for gap in page.gaps if gap not in seen)
    seen.update(fresh)
    return (
        page
        if len(fresh) == len(page.gaps)
        else Page(page.keys, page.sizes, page.fingerprints, page.__getitem__, fresh)
    )
