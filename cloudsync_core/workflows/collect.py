"""Collect: find what puts have left behind in a place, and remove what is ours and old enough."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

from cloudsync_core.backend import Backend
from cloudsync_core.engine import lease, unfinished
from cloudsync_core.engine.holder import Holder
from cloudsync_core.engine.recheck import change_since
from cloudsync_core.engine.state import State
from cloudsync_core.engine.unfinished import Record
from cloudsync_core.errors import BackendError, ObjectNotFoundError, PreconditionFailedError
from cloudsync_core.models import ObjectInfo
from cloudsync_core.unfinished import Leftover

Fate = Literal["removed", "would remove", "too young", "not ours", "expires", "failed"]

Remove = Callable[[], None]

_NANOSECONDS = 1_000_000_000


@dataclasses.dataclass(frozen=True, slots=True)
class Rules:
    """What is removed.

    Attributes:
        older_than: seconds since the last change; what is younger may still be written, or resumed.
        others: remove unfinished uploads of which nobody can tell whose they are, too.
        dry_run: remove nothing.
    """

    older_than: float
    others: bool = False
    dry_run: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """A leftover, and what became of it.

    Attributes:
        leftover: what was found.
        age: seconds since its last change, `None` where nobody can tell.
        fate: what became of it: "removed"; in a dry run "would remove"; left because it is "too young" or "not ours" as
            far as anybody can tell, or because the store removes it by itself ("expires"); or it "failed".
        error: why it failed.
    """

    leftover: Leftover
    age: float | None
    fate: Fate
    error: str | None = None


@dataclasses.dataclass(slots=True)
class CollectReport:
    """What became of the leftovers of a place.

    Attributes:
        location: the place.
        removed: leftovers; in a dry run, what would be.
        kept: those that were left alone.
        failed: those that could not be removed.
        bytes: that the removed ones held, as far as the store tells.
    """

    location: str
    removed: int = 0
    kept: int = 0
    failed: int = 0
    bytes: int = 0

    def add(self, found: Found) -> None:
        """Count a leftover."""
        if found.fate in {"removed", "would remove"}:
            self.removed += 1
            self.bytes += found.leftover.size or 0
        elif found.fate == "failed":
            self.failed += 1
        else:
            self.kept += 1

    @property
    def exit_code(self) -> int:
        """0, or 1 when something could not be removed."""
        return 1 if self.failed else 0

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {**dataclasses.asdict(self), "exit_code": self.exit_code}


def collect(backend: Backend, state: State, rules: Rules, listener: Callable[[Found], None]) -> CollectReport:
    """Remove leftovers of one place, and forget their records.

    Jobs that write to the place are locked meanwhile: what they have recorded is nobody's work any more.

    Args:
        backend: the place.
        state: the state database with the records; read-only in a dry run.
        rules: what is removed.
        listener: is told of each leftover.

    Raises:
        StateError: such a job is being run, or the database cannot be used.
        BackendError: the store cannot be asked.
    """
    report = CollectReport(backend.location)
    with _records(state, str(backend.identity)) as records:
        alive = set()
        for leftover, remove in _everything(backend, list(records)):
            record = records.get((leftover.key, leftover.token))
            found = _deal_with(leftover, record, rules, remove)
            if found.fate != "removed":
                alive.add((leftover.key, leftover.token))
            report.add(found)
            listener(found)
        if not state.read_only:
            unfinished.forget(state, [record for name, record in records.items() if name not in alive])
    return report


def _everything(backend: Backend, recorded: Sequence[tuple[str, str]]) -> Iterator[tuple[Leftover, Remove]]:
    """Yield what was left behind, each with what removes it."""
    for leftover in backend.leftovers(recorded):
        yield leftover, functools.partial(backend.discard, leftover.key, leftover.token)
    with contextlib.suppress(ObjectNotFoundError, PreconditionFailedError):
        reader = backend.read(lease.KEY, lease.LONGEST)
        holder = None if reader is None else Holder.read(reader.read())
        # Of one whose holder may be alive nothing is said: the next run finds out.
        if reader is not None and holder is not None and holder.is_gone():
            info = reader.info
            found = Leftover("lease", lease.KEY, "", info.modified_ns, info.size, ours=True)
            yield found, functools.partial(_remove_lease, backend, info)


def _remove_lease(backend: Backend, seen: ObjectInfo) -> None:
    """Remove a lease unless another run has taken it over meanwhile."""
    conditional = bool(seen.version) and backend.capabilities.delete_if_match
    if not conditional and (changed := change_since(backend, seen.key, seen, operation="delete")) is not None:
        raise changed
    backend.delete(seen.key, if_match=seen.version if conditional else None)


@contextlib.contextmanager
def _records(state: State, target: str) -> Iterator[dict[tuple[str, str], Record]]:
    """Yield what the jobs that write to a place have recorded, by key and token."""
    with state.jobs_of_target(target) as jobs:
        found = [record for job in jobs for record in unfinished.records(state, job)]
        yield {(record.key, record.token): record for record in found}


def _deal_with(leftover: Leftover, record: Record | None, rules: Rules, remove: Remove) -> Found:
    age = _age(leftover, record)
    if not (leftover.ours or rules.others):
        return Found(leftover, age, "not ours")
    if age is None or age < rules.older_than:
        return Found(leftover, age, "too young")
    if leftover.expiry is not None:
        return Found(leftover, age, "expires")
    if rules.dry_run:
        return Found(leftover, age, "would remove")
    try:
        remove()
    except BackendError as error:
        return Found(leftover, age, "failed", str(error))
    return Found(leftover, age, "removed")


def _age(leftover: Leftover, record: Record | None) -> float | None:
    """Return the seconds since anybody was at it, by whoever saw that last."""
    seen = [] if leftover.modified_ns is None else [leftover.modified_ns / _NANOSECONDS]
    if record is not None:
        seen.append(record.saved)
    return max(0.0, time.time() - max(seen)) if seen else None
