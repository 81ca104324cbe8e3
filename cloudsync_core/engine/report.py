"""Counting what a run does, in a report whose size does not depend on the number of objects."""

from __future__ import annotations

import collections
import dataclasses
import threading
import time
from collections.abc import Mapping

from cloudsync_core.engine.plan import Settled
from cloudsync_core.errors import printable
from cloudsync_core.runs import Action, Counts, FailureGroup, Outcome, RunInfo, RunReport, RunStatus, Side

GROUPS = 50
"""Causes that a report tells apart; what comes after them is counted together."""

EXAMPLES = 10
"""Messages that a report keeps of each cause."""

OTHER_CAUSES = "other causes"

_COUNTED_AS = {"add": "added", "update": "updated", "delete": "deleted"}


class Tally:
    """Adds up what happens in one run.

    Args:
        run: the run.

    Attributes:
        release: see `RunReport`.
    """

    def __init__(self, run: RunInfo) -> None:
        self._run = run
        self._started = time.monotonic()
        self._bytes = 0
        self._bytes_resumed = 0
        self._verified: collections.Counter[str] = collections.Counter()
        self._earlier = Counts()
        self._kept = 0
        self._bytes_kept = 0
        self.release: str | None = None
        self._lock = threading.Lock()
        self._begin()

    def restart(self) -> None:
        """Count the keys anew: the listings are read again, and will show what has been written by now."""
        counts = self._counts_of_all()
        self._earlier = Counts(added=counts.added, updated=counts.updated)
        self._begin()
        # The limit of deletes is a share of what was there before the run.
        self.target_objects = -counts.added

    def settled(self, step: Settled) -> None:
        """Count keys about which nothing is to be done."""
        self.source_objects += step.on_source
        self.target_objects += step.on_target
        self.hinders_deletes |= step.hinders_deletes
        if step.status == "forgotten":
            return
        setattr(self.counts, step.status, getattr(self.counts, step.status) + step.count)
        if step.status != "unchanged":
            self._note(step.reason, f"{printable(step.key or '')}: {step.reason}")

    def planned(self, action: Action) -> None:
        """Count an action, and its objects on the side where they are."""
        self.source_objects += action.source is not None
        self.target_objects += action.target is not None
        self._deletes_left += action.kind == "delete"

    def would(self, action: Action) -> None:
        """Count what a dry run would do."""
        self._deletes_left -= action.kind == "delete"
        self._count(action)

    def kept_aside(self, size: int) -> None:
        """Count an object of so many bytes that is kept aside, or in a dry run would be; called in any thread."""
        with self._lock:
            self._kept += 1
            self._bytes_kept += size

    def finished(self, outcome: Outcome) -> None:
        """Count what happened to an action."""
        self._bytes += outcome.bytes
        self._bytes_resumed += outcome.bytes_resumed
        self._deletes_left -= outcome.action.kind == "delete"
        if outcome.status == "done":
            self._count(outcome.action)
            if outcome.action.kind != "delete":
                self._verified[outcome.verified or "not"] += 1
            return
        if outcome.status == "failed":
            self.counts.failed += 1
        else:
            self.counts.skipped += 1
        self._note(outcome.cause or outcome.status, outcome.error or "")

    def include(self, other: Tally) -> None:
        """Add what another tally has counted of the same run; what it found unchanged stands for what was before."""
        counts = other._counts_of_all()
        for name in ("added", "updated", "deleted", "skipped", "failed"):
            setattr(self.counts, name, getattr(self.counts, name) + getattr(counts, name))
        self.counts.unchanged, self.counts.unknown = counts.unchanged, counts.unknown
        self.target_objects = other.target_objects
        self._bytes += other._bytes
        self._bytes_resumed += other._bytes_resumed
        self._kept += other._kept
        self._bytes_kept += other._bytes_kept
        self._verified.update(other._verified)
        for group in other._groups.values():
            for example in group.examples:
                self._note(group.cause, example)
            self._note_more(group.cause, group.count - len(group.examples))

    @property
    def partial(self) -> bool:
        """Whether some object is not on the target as it is on the source, for a reason that is no rule of the job."""
        return bool(self.counts.failed or self.counts.unknown)

    def report(
        self,
        status: RunStatus,
        *,
        requests: Mapping[Side, Mapping[str, int]],
        message: str | None = None,
    ) -> RunReport:
        """Return the report as it stands now."""
        groups = sorted(self._groups.values(), key=lambda group: (-group.count, group.cause))
        return RunReport(
            run=self._run,
            status=status,
            counts=self._counts_of_all(),
            bytes_transferred=self._bytes,
            bytes_resumed=self._bytes_resumed,
            requests={side: dict(verbs) for side, verbs in requests.items()},
            verified=dict(self._verified.most_common()),
            seconds=round(time.monotonic() - self._started, 3),
            failures=groups,
            message=message,
            deletes_withheld=self._deletes_left,
            target_objects=max(self.target_objects, 0),
            kept=self._kept,
            bytes_kept=self._bytes_kept,
            release=self.release,
        )

    def _begin(self) -> None:
        self.counts = Counts()
        self.source_objects = 0
        self.target_objects = 0
        self.hinders_deletes = False
        self._deletes_left = 0
        self._groups: dict[str, FailureGroup] = {}

    def _counts_of_all(self) -> Counts:
        """Return the counts with what was written before a restart, each object once: it was met again since then."""
        again = self._earlier.added + self._earlier.updated
        unchanged = max(self.counts.unchanged - again, 0)
        updated = max(self.counts.updated - max(again - self.counts.unchanged, 0), 0)
        return dataclasses.replace(
            self.counts,
            added=self.counts.added + self._earlier.added,
            updated=updated + self._earlier.updated,
            unchanged=unchanged,
        )

    def _count(self, action: Action) -> None:
        name = _COUNTED_AS[action.kind]
        setattr(self.counts, name, getattr(self.counts, name) + 1)

    def _note(self, cause: str, message: str) -> None:
        group = self._group(cause)
        group.count += 1
        if len(group.examples) < EXAMPLES:
            group.examples.append(message)

    def _note_more(self, cause: str, count: int) -> None:
        self._group(cause).count += count

    def _group(self, cause: str) -> FailureGroup:
        if cause not in self._groups and len(self._groups) >= GROUPS:
            cause = OTHER_CAUSES
        return self._groups.setdefault(cause, FailureGroup(cause))
