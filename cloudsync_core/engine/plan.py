"""What is to be done about each pair: actions, or the reason why nothing is.

The planner decides and does not act: what it asks of the backends are questions (`check_key`, `stat`, a digest). A dry
run and a run therefore plan the same (P12).
"""

from __future__ import annotations

import collections
import dataclasses
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Literal

from cloudsync_core import keys
from cloudsync_core.backend import Backend
from cloudsync_core.engine.compare import Comparator, Evidence, Verdict
from cloudsync_core.engine.diff import HEADERS_CHANGED, BaseRow, Met, Pair, Unchanged
from cloudsync_core.errors import BackendError, CancelledError, Disposition, ObjectNotFoundError
from cloudsync_core.runs import Action

LOOKS_AT_ONCE = 16
"""Pairs for which evidence is gathered at the same time, at most."""


@dataclasses.dataclass(frozen=True, slots=True)
class Settled:
    """Keys about which nothing is to be done.

    Attributes:
        status: how the report counts them; "forgotten" is counted nowhere: the key is on neither side any more.
        reason: why, machine-readable or in words.
        key: the key, or `None` for a run of unchanged ones.
        count: how many.
        on_source: how many of them the source has.
        on_target: how many of them the target has.
        learnt: what to record in the base, or `None`.
        hinders_deletes: the listing of a side is not whole, so nothing may be deleted.
    """

    status: Literal["unchanged", "skipped", "unknown", "forgotten"]
    reason: str
    key: str | None = None
    count: int = 1
    on_source: int = 0
    on_target: int = 0
    learnt: BaseRow | None = None
    hinders_deletes: bool = False


Step = Action | Settled


class Planner:
    """Turns pairs into steps, in key order.

    Args:
        source: the side read.
        target: the side written.
        comparator: tells whether the objects of a pair are the same.
        delete: whether what is only on the target is deleted.
        workers: pairs for which evidence is gathered at once.
        stop: ends the planning with `CancelledError`.
    """

    def __init__(
        self,
        source: Backend,
        target: Backend,
        comparator: Comparator,
        *,
        delete: bool,
        workers: int,
        stop: threading.Event,
    ) -> None:
        self._source = source
        self._target = target
        self._comparator = comparator
        self._delete = delete
        self._workers = workers
        self._stop = stop
        self._target_capabilities = target.capabilities
        self._source_hierarchical = source.capabilities.hierarchical

    def steps(self, items: Iterable[Pair | Unchanged | Met]) -> Iterator[Step]:
        """Yield one step for each item, in the order of the items."""
        window = self._workers * 4
        waiting: collections.deque[Step | Future[Step]] = collections.deque()
        pool = ThreadPoolExecutor(self._workers, thread_name_prefix="cloudsync-compare")
        try:
            for item in items:
                if self._stop.is_set():
                    raise CancelledError("interrupted")
                step = self._quick(item)
                if step is not None and not waiting:
                    yield step
                    continue
                # The rest is asked in parallel and answered in order.
                assert step is not None or isinstance(item, Pair)
                waiting.append(pool.submit(self._thorough, item) if step is None else step)  # type: ignore[arg-type]
                while waiting and (len(waiting) >= window or _ready(waiting[0])):
                    yield _result(waiting.popleft())
            while waiting:
                yield _result(waiting.popleft())
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _quick(self, item: Pair | Unchanged | Met) -> Step | None:
        if isinstance(item, Unchanged):
            return Settled("unchanged", "unchanged", count=item.count, on_source=item.count, on_target=item.count)
        if isinstance(item, Met):
            return Settled(
                "skipped" if item.gap.kind == "skipped" else "unknown",
                f"{item.gap.reason} ({item.side})",
                item.gap.key,
                hinders_deletes=item.gap.kind == "unknown",
            )
        if item.source is not None:
            return self._source_only(item) if item.target is None else self._both(item)
        return Settled("forgotten", "gone", item.key) if item.target is None else self._target_only(item)

    def _source_only(self, pair: Pair) -> Step | None:
        assert pair.source is not None
        if pair.target_gap is not None:
            return Settled("unknown", f"{pair.target_gap.reason} (target)", pair.key, on_source=1)
        if (why := self._unmappable(pair.key, pair.source.size)) is not None:
            return Settled("unknown", why, pair.key, on_source=1)
        if keys.is_marker(pair.key) and self._target_capabilities.hierarchical:
            # A folder that holds something is there without a marker; whether it is, only the store can tell.
            return _marker_of_a_folder(pair) if pair.target_folder else None
        return Action("add", pair.key, "not-on-target", pair.source, seen_at=pair.target_seen_at)

    def _unmappable(self, key: str, size: int) -> str | None:
        """Say why the target can hold no object of that name and size, or return `None` when it can (P10)."""
        try:
            self._target.check_key(key)
        except BackendError as error:
            return error.reason
        limit = self._target_capabilities.max_object_size
        if limit is not None and size > limit:
            return f"larger than the {limit} bytes that the target takes"
        if size and keys.is_marker(key) and self._target_capabilities.hierarchical:
            return "a folder of the target cannot hold bytes"
        return None

    def _target_only(self, pair: Pair) -> Step:
        assert pair.target is not None
        if pair.source_gap is not None:
            status: Literal["skipped", "unknown"] = "skipped" if pair.source_gap.kind == "skipped" else "unknown"
            return Settled(status, f"{pair.source_gap.reason} (source)", pair.key, on_target=1)
        if pair.source_folder and self._source_hierarchical:
            return Settled("unchanged", "folder-on-source", pair.key, on_target=1)
        if not self._delete:
            return Settled("unchanged", "only-on-target", pair.key, on_target=1)
        return Action("delete", pair.key, "not-on-source", target=pair.target)

    def _both(self, pair: Pair) -> Step | None:
        if pair.base is not None and pair.base.target == HEADERS_CHANGED and self._target_capabilities.user_metadata:
            return self._settle(pair, Verdict(same=False, reason="headers-changed"))
        verdict = self._comparator.quick(pair)
        return None if verdict is None else self._settle(pair, verdict)

    def _thorough(self, pair: Pair) -> Step:
        assert pair.source is not None
        try:
            if pair.target is not None:
                evidence = Evidence(pair, self._source, self._target, self._stop)
                return self._settle(pair, self._comparator.thorough(pair, evidence))
            self._target.stat(pair.key)
        except ObjectNotFoundError:
            if pair.target is None:
                return Action("add", pair.key, "not-on-target", pair.source, seen_at=pair.target_seen_at)
            return Settled("unknown", "it vanished while it was compared", pair.key, on_source=1, on_target=1)
        except BackendError as error:
            if error.disposition is Disposition.ABORT:
                raise
            return Settled("unknown", error.reason, pair.key, on_source=1, on_target=int(pair.target is not None))
        return _marker_of_a_folder(pair)

    def _settle(self, pair: Pair, verdict: Verdict) -> Step:
        assert pair.source is not None
        assert pair.target is not None
        if not verdict.same:
            if (why := self._unmappable(pair.key, pair.source.size)) is not None:
                return Settled("unknown", why, pair.key, on_source=1, on_target=1)
            return Action("update", pair.key, verdict.reason, pair.source, pair.target)
        learnt = None
        if verdict.learnt:
            learnt = BaseRow(pair.source.fingerprint or None, pair.target.fingerprint or None, verdict.digest)
        return Settled("unchanged", verdict.reason, pair.key, on_source=1, on_target=1, learnt=learnt)


def _marker_of_a_folder(pair: Pair) -> Settled:
    return Settled("skipped", "the marker of a folder that holds objects is kept as the folder", pair.key, on_source=1)


def _ready(step: Step | Future[Step]) -> bool:
    return not isinstance(step, Future) or step.done()


def _result(step: Step | Future[Step]) -> Step:
    return step.result() if isinstance(step, Future) else step
