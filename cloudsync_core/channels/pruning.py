"""Removing old updates from a channel, and never what a registered subscriber has not seen, unless that is forced.

Updates are removed before their payloads, so that whoever has found an update finds its payload, too. Memory is flat in
the number of updates; what has to be remembered of topics is on disk.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from cloudsync_core.backend import Backend
from cloudsync_core.channels import ids, names
from cloudsync_core.channels.latest import Latest
from cloudsync_core.channels.registry import Registration, registered
from cloudsync_core.channels.scan import Listed, scan
from cloudsync_core.crashpoints import hit
from cloudsync_core.engine.sorting import sort_pages
from cloudsync_core.errors import ConfigError
from cloudsync_core.models import ObjectInfo

BATCH: Final = 1000
"""Objects that are removed together."""

ORPHAN_SECONDS: Final = 24 * 3600.0
"""How old a payload without an update is, at least, before it is removed: its update may be about to come."""

_SECOND_NS: Final = 1_000_000_000


@dataclasses.dataclass(frozen=True, slots=True)
class PruneReport:
    """What pruning has removed, or would remove.

    Attributes:
        updates: objects of updates.
        payloads: content beside them.
        bytes: of all these objects, as they were stored.
        kept: objects of updates that were looked at and stay.
        held: objects that stay only because a subscriber has not seen them, or has parked them, by its name.
        failed: objects that could not be removed.
        problem: what the first of these said, in words for the user; `None` where there is none.
        dry_run: nothing was removed.
    """

    updates: int
    payloads: int
    bytes: int
    kept: int
    held: Mapping[str, int]
    failed: int
    problem: str | None
    dry_run: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {**dataclasses.asdict(self), "held": dict(self.held)}


def prune(
    backend: Backend,
    *,
    max_age: float | None = None,
    max_count: int | None = None,
    keep_latest: int | None = None,
    force: bool = False,
    dry_run: bool = False,
    clock: Callable[[], int] = time.time_ns,
) -> PruneReport:
    """Remove old updates with their payloads, and payloads that never got an update.

    Args:
        backend: the channel.
        max_age: what is older is removed: seconds, by the clock of this host.
        max_count: of the objects of updates so many stay, the newest; what was published at once is one object.
        keep_latest: so many updates of each topic stay, the latest, whatever the other rules say; where it is the only
            rule, all others go. Every object has to be read for it.
        force: remove what registered subscribers have not seen, too.
        dry_run: remove nothing.
        clock: tells nanoseconds since the epoch, UTC.

    Raises:
        ConfigError: no rule says what is to go, or one makes no sense.
        BackendError: the channel cannot be read; what was removed until then is gone.
    """
    _check(max_age, max_count, keep_latest)
    now_ns = clock()
    cutoff = None if max_age is None else ids.stamp(max(0, now_ns - int(max_age * _SECOND_NS)))
    with contextlib.ExitStack() as stack:
        latest = None
        if keep_latest is not None:
            latest = stack.enter_context(Latest())
            latest.read(backend, keep_latest, clock=clock)
        surplus = 0
        if max_count is not None:
            surplus = sum(len(page) for page, _ in scan(backend, None, clock=clock)) - max_count
        rules = _Rules(cutoff, surplus if max_count is not None else None, latest)
        guards = () if force else tuple(registered(backend))
        return _Pruning(backend, rules, _Guard(guards), now_ns, clock, dry_run=dry_run).run()


def _check(max_age: float | None, max_count: int | None, keep_latest: int | None) -> None:
    if max_age is None and max_count is None and keep_latest is None:
        raise ConfigError(
            "nothing says which updates are to be removed",
            hint="Give an age, a count, or how many updates of each topic stay.",
        )
    if (max_age or 0) < 0 or (max_count or 0) < 0 or (keep_latest is not None and keep_latest < 1):
        raise ConfigError("an age and a count are not negative, and of each topic at least one update stays")


@dataclasses.dataclass(frozen=True)
class _Rules:
    """Which objects are to go: those below `cutoff`, the first `surplus`, all; and which of them stay all the same."""

    cutoff: str | None
    surplus: int | None
    latest: Latest | None

    @property
    def end(self) -> str | None:
        """The id from which on nothing goes, where that is known."""
        return self.cutoff if self.surplus is None else None

    def doomed(self, page: Sequence[Listed], first: int) -> set[str]:
        """Return the ids of the objects of a page that are to go; `first` is the number of its first one, from 0."""
        everything = self.cutoff is None and self.surplus is None
        found = {
            listed.id
            for number, listed in enumerate(page, first)
            if everything
            or (self.cutoff is not None and listed.id < self.cutoff)
            or (self.surplus is not None and number < self.surplus)
        }
        return found if self.latest is None else self.latest.without(found)


class _Guard:
    """Who keeps which objects."""

    def __init__(self, registrations: Sequence[Registration]) -> None:
        least = min(registrations, key=lambda one: one.floor or "", default=None)
        self._floor = None if least is None else least.floor or ""
        self._name = "" if least is None else least.name
        self._parked = {parked: one.name for one in registrations for parked in one.parked}

    def holder(self, object_id: str) -> str | None:
        """Return the name of who has not seen an object, or has parked it; of those, who has seen the least."""
        if self._floor is not None and object_id >= self._floor:
            return self._name
        return self._parked.get(object_id)


class _Pruning:
    """One pruning, under way."""

    def __init__(
        self,
        backend: Backend,
        rules: _Rules,
        guard: _Guard,
        now_ns: int,
        clock: Callable[[], int],
        *,
        dry_run: bool,
    ) -> None:
        self._backend = backend
        self._rules = rules
        self._guard = guard
        self._clock = clock
        self._dry_run = dry_run
        self._orphan_ns = now_ns - int(ORPHAN_SECONDS * _SECOND_NS)
        self._updates: list[Listed] = []
        self._payloads: list[tuple[str, ObjectInfo]] = []
        self._stuck: set[str] = set()
        self._held: dict[str, int] = {}
        self._counts = dict.fromkeys(("updates", "payloads", "bytes", "kept", "failed"), 0)
        self._problem: str | None = None

    def run(self) -> PruneReport:
        payloads = _payloads(self._backend)
        payload = next(payloads, None)
        for listed, goes in self._judged():
            while payload is not None and payload[0] < listed.id:
                self._orphan(*payload)
                payload = next(payloads, None)
            if goes:
                self._updates.append(listed)
            while payload is not None and payload[0] == listed.id:
                if goes:
                    self._payloads.append(payload)
                    self._flush_full()
                payload = next(payloads, None)
            self._flush_full()
        end = self._rules.end
        while payload is not None and (end is None or payload[0] < end):
            self._orphan(*payload)
            payload = next(payloads, None)
        self._flush()
        return PruneReport(**self._counts, held=self._held, problem=self._problem, dry_run=self._dry_run)

    def _judged(self) -> Iterator[tuple[Listed, bool]]:
        """Yield the objects of updates, each with whether it goes."""
        number = 0
        for page, _ in scan(self._backend, None, clock=self._clock):
            doomed = self._rules.doomed(page, number)
            number += len(page)
            for listed in page:
                if self._rules.end is not None and listed.id >= self._rules.end:
                    return
                holder = self._guard.holder(listed.id) if listed.id in doomed else None
                if holder is not None:
                    self._held[holder] = self._held.get(holder, 0) + 1
                goes = listed.id in doomed and holder is None
                self._counts["kept"] += not goes
                yield listed, goes

    def _orphan(self, object_id: str, info: ObjectInfo) -> None:
        if info.modified_ns < self._orphan_ns and ids.time_ns(object_id) < self._orphan_ns:
            self._payloads.append((object_id, info))
            self._flush_full()

    def _flush_full(self) -> None:
        if len(self._updates) >= BATCH or len(self._payloads) >= BATCH:
            self._flush()

    def _flush(self) -> None:
        """Remove what was gathered: the updates, and the payloads of those that are gone."""
        updates, self._updates = self._updates, []
        payloads, self._payloads = self._payloads, []
        self._stuck.update(self._remove("updates", {listed.key: (listed.id, listed.size) for listed in updates}))
        if updates and not self._dry_run:
            hit("channel.pruned.updates")
        self._remove("payloads", {info.key: (of, info.size) for of, info in payloads if of not in self._stuck})

    def _remove(self, what: str, objects: Mapping[str, tuple[str, int]]) -> Iterator[str]:
        """Remove objects, and return the ids of those that are still there."""
        stuck = []
        gone = set(objects)
        if objects and not self._dry_run:
            for result in self._backend.delete_many([(key, None) for key in objects]):
                if result.error is not None:
                    gone.discard(result.key)
                    stuck.append(objects[result.key][0])
                    self._problem = self._problem or str(result.error)
        self._counts[what] += len(gone)
        self._counts["failed"] += len(objects) - len(gone)
        self._counts["bytes"] += sum(objects[key][1] for key in gone)
        return iter(stuck)


def _payloads(backend: Backend) -> Iterator[tuple[str, ObjectInfo]]:
    """Yield the payloads of a channel in the order of their ids, each with the id of its object of updates."""
    pages = backend.list(names.PAYLOADS)
    for page in pages if backend.capabilities.ordered_listing else sort_pages(pages):
        for info in page:
            object_id = ids.object_of(info.key.rpartition("/")[2])
            if ids.is_object_id(object_id):
                yield object_id, info
