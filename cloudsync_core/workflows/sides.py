"""Both sides of a run, opened, protected and counted."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Iterator
from typing import Protocol

from cloudsync_core.backend import Backend
from cloudsync_core.engine.base import JobState
from cloudsync_core.engine.concurrency import Concurrency
from cloudsync_core.engine.lease import Lease
from cloudsync_core.engine.probing import find_out
from cloudsync_core.errors import OverlappingLocationsError
from cloudsync_core.layers.readonly import ReadOnly
from cloudsync_core.layers.retry import Retry, RetryPolicy
from cloudsync_core.layers.throttle import Throttle
from cloudsync_core.layers.trace import RequestCounts, Trace
from cloudsync_core.runs import RunInfo, Side
from cloudsync_core.workflows.context import Context
from cloudsync_core.workflows.supervision import run_of


class Asking(Protocol):
    """What a job says of the operations on its sides; see the options of that name in `cloudsync_core.config.jobs`."""

    @property
    def transfers(self) -> int:
        """The most objects that are moved at the same time."""

    @property
    def tpslimit(self) -> float | None:
        """The most operations that are started in a second on each side."""

    @property
    def retries(self) -> int:
        """How many times an operation is attempted in all."""


class Leasing(Protocol):
    """What a job says of its lease; likewise."""

    @property
    def lease(self) -> bool:
        """Whether there is one."""

    @property
    def wait(self) -> int:
        """Seconds to wait for the lease of another run."""

    @property
    def retries(self) -> int:
        """How many times an operation is attempted in all."""


@dataclasses.dataclass(frozen=True, slots=True)
class Sides:
    """Both sides of a run.

    Attributes:
        source: read-only, whatever the run does.
        target: read-only in a dry run.
        policy: the retries of both.
        concurrency: how many operations run at once; it hears of every refusal of either.
        keeper: the target as its lease is kept there: not counted, not slowed down, and also when the run is stopped.
    """

    source: Backend
    target: Backend
    policy: RetryPolicy
    concurrency: Concurrency
    keeper: Backend
    _counts: dict[Side, RequestCounts]

    def requests(self) -> dict[Side, dict[str, int]]:
        """Return the operations so far, by side and verb."""
        return {side: counts.as_dict() for side, counts in self._counts.items()}


@contextlib.contextmanager
def open_sides(
    job: Asking, context: Context, *, create_target: bool = True, source_inside: bool = False
) -> Iterator[Sides]:
    """Open the source and the target of a job, and close them at the end.

    Args:
        job: how they are asked.
        context: what opens them.
        create_target: a target that does not exist will be made by the first write; otherwise it is an error.
        source_inside: the source may lie inside the target, whose listing then leaves it out.

    Raises:
        OverlappingLocationsError: one is, or lies inside, the other (catalogue H07).
        ConfigError, PluginError: a location cannot be opened.
    """
    concurrency = Concurrency(job.transfers, passed=lambda: context.progress.done_bytes)
    policy = RetryPolicy(attempts=job.retries, told=concurrency.hear)
    counts: dict[Side, RequestCounts] = {"source": RequestCounts(), "target": RequestCounts()}
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(context.open("source", False))
        target = stack.enter_context(context.open("target", create_target))
        if source.identity.overlaps(target.identity) and not (source_inside and _is_inside(source, target)):
            raise OverlappingLocationsError(
                f"the source {source.location} and the target {target.location} overlap",
                hint="Choose a target that is neither the source, nor inside it, nor around it.",
            )
        stop, limit = context.stop, job.tpslimit

        def layered(side: Side, backend: Backend) -> Backend:
            traced = Trace(backend, counts[side])
            # Inside the retries, so that every attempt waits its turn.
            return Retry(traced if limit is None else Throttle(traced, limit, stop), policy, stop=stop)

        reader, writer = ReadOnly(layered("source", source)), layered("target", target)
        keeper = Retry(target, RetryPolicy(attempts=job.retries))
        yield Sides(reader, ReadOnly(writer) if context.dry_run else writer, policy, concurrency, keeper, counts)


def _is_inside(inner: Backend, outer: Backend) -> bool:
    one, other = inner.identity.root, outer.identity.root
    return one != other and one.startswith(other)


def lease(run: RunInfo, job: Leasing, sides: Sides, context: Context) -> contextlib.AbstractContextManager[Lease]:
    """Return the lease of a run on its target, which nobody holds before the run writes."""
    retry = RetryPolicy(attempts=job.retries)
    first = functools.partial(find_out, sides.keeper, context.state)
    return Lease(sides.keeper, run, wanted=job.lease, first=first, wait=job.wait, stop=context.stop, retry=retry)


@contextlib.contextmanager
def open_base(name: str, sides: Sides, context: Context) -> Iterator[JobState]:
    """Open the base of a job between its two sides, and save and unlock it at the end.

    Raises:
        StateError: another process runs the job, or the database cannot be used.
    """
    base = context.state.open_job(name, str(sides.source.identity), str(sides.target.identity))
    try:
        yield base
    finally:
        base.close()


def new_run(name: str, sides: Sides, context: Context, workflow: str = "mirror") -> RunInfo:
    """Return a run of a job between two sides that starts now."""
    return run_of(name, workflow, context, source=sides.source.location, target=sides.target.location)
