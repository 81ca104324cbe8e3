"""Check: compare two locations by content, and change nothing."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Generator
from typing import Any

from cloudsync_core.backend import Backend
from cloudsync_core.config.jobs.mirror import MirrorJob
from cloudsync_core.engine.compare import Evidence, Verdict
from cloudsync_core.engine.diff import Pair, diff
from cloudsync_core.engine.events import DifferenceFound
from cloudsync_core.engine.filters import Filter
from cloudsync_core.engine.listing import list_side
from cloudsync_core.engine.plan import LOOKS_AT_ONCE, Planner, Settled, Step
from cloudsync_core.engine.spool import Spool
from cloudsync_core.errors import CancelledError, CloudSyncError, ListingOrderError
from cloudsync_core.models import Page
from cloudsync_core.runs import Side
from cloudsync_core.workflows.context import Context
from cloudsync_core.workflows.sides import Sides, open_sides

_NO_DIGEST = "no-digest"


@dataclasses.dataclass(slots=True)
class CheckReport:
    """What a check found.

    Attributes:
        same: objects that are on both sides with equal content.
        differ: objects whose content differs.
        only_on_source: objects that the target lacks.
        only_on_target: objects that the source lacks.
        unknown: objects that cannot be compared without reading them, or at all.
        skipped: what the rules leave out, such as symlinks.
        message: why the check could not be completed; `None` otherwise.
        error: likewise, as the exception.
    """

    same: int = 0
    differ: int = 0
    only_on_source: int = 0
    only_on_target: int = 0
    unknown: int = 0
    skipped: int = 0
    message: str | None = None
    error: CloudSyncError | None = dataclasses.field(default=None, repr=False, compare=False)

    @property
    def equal(self) -> bool:
        """Whether both sides are proven equal, within the scope of the check."""
        return self.error is None and not (self.differ or self.only_on_source or self.only_on_target or self.unknown)

    @property
    def exit_code(self) -> int:
        """0 when equal, 1 when not, and that of the error when the check could not be completed."""
        return self.error.exit_code if self.error is not None else int(not self.equal)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        values = dataclasses.asdict(dataclasses.replace(self, error=None))
        del values["error"]
        return {**values, "equal": self.equal, "exit_code": self.exit_code}


class ByContent:
    """The comparator of a check: digests, and with `download` the content itself where there are none."""

    trusts_base = False

    def __init__(self, *, download: bool) -> None:
        self._download = download

    def quick(self, pair: Pair) -> Verdict | None:
        """See `Comparator.quick`."""
        assert pair.source is not None
        assert pair.target is not None
        if pair.source.size != pair.target.size:
            return Verdict(False, "size")
        return Verdict(True, "empty") if pair.source.size == 0 else None

    def thorough(self, pair: Pair, evidence: Evidence) -> Verdict:
        """See `Comparator.thorough`."""
        del pair
        digests = evidence.downloaded_digests() if self._download else evidence.common_digest()
        if digests is None:
            return Verdict(False, _NO_DIGEST)
        same = digests[0] == digests[1]
        return Verdict(same, "same-digest" if same else "digest")


def check(job: MirrorJob, context: Context, *, download: bool) -> CheckReport:
    """Compare the source and the target of a job, in its scope; tells the listener each `DifferenceFound` at the end.

    Args:
        job: both locations, the filters and the number of objects compared at a time.
        context: the surroundings; a dry run's, since nothing is written.
        download: read and compare the content of every object, whatever digests the stores report.

    Raises:
        ConfigError, PluginError, OverlappingLocationsError: the check cannot start.
    """
    with open_sides(job, context, create_target=False) as sides:
        unordered: set[Side] = set()
        while True:
            try:
                return _check(job, context, sides, ByContent(download=download), unordered)
            except ListingOrderError as error:
                # The server does not keep its promise of order: begin again, and sort that side ourselves.
                if error.side in unordered:
                    return CheckReport(message=str(error), error=error)
                unordered.add(error.side)
            except CloudSyncError as caught:
                cause = CancelledError("interrupted") if context.stop.interrupted else caught
                return CheckReport(message=str(cause), error=cause)


def _check(job: MirrorJob, context: Context, sides: Sides, comparator: ByContent, unordered: set[Side]) -> CheckReport:
    report = CheckReport()
    scope = Filter(job.include, job.exclude, job.exclude_regex)
    backends: dict[Side, Backend] = {"source": sides.source, "target": sides.target}
    workers = min(LOOKS_AT_ONCE, job.transfers)
    planner = Planner(sides.source, sides.target, comparator, delete=True, workers=workers, stop=context.stop)

    def listing(side: Side) -> contextlib.closing[Generator[Page]]:
        return contextlib.closing(
            list_side(
                backends[side],
                side,
                scope,
                sort=side in unordered,
                include=None,
                stop=context.stop,
                progress=context.progress,
            )
        )

    with (
        Spool[DifferenceFound](dataclasses.astuple, lambda value: DifferenceFound(*value)) as differences,
        listing("source") as source,
        listing("target") as target,
    ):
        for step in planner.steps(diff(source, target, ())):
            difference = _judge(step, report)
            if difference is not None:
                differences.append(difference)
        for difference in differences:
            context.listener(difference)
    return report


def _judge(step: Step, report: CheckReport) -> DifferenceFound | None:
    """Count a step, and return the difference that it is."""
    if isinstance(step, Settled):
        if step.status == "unchanged":
            report.same += step.count
        elif step.status == "skipped":
            report.skipped += 1
        elif step.status == "unknown":
            report.unknown += 1
            return DifferenceFound(step.key or "", "unknown", step.reason)
        return None
    if step.kind == "add":
        report.only_on_source += 1
        return DifferenceFound(step.key, "only-on-source", step.reason)
    if step.kind == "delete":
        report.only_on_target += 1
        return DifferenceFound(step.key, "only-on-target", step.reason)
    if step.reason == _NO_DIGEST:
        report.unknown += 1
        return DifferenceFound(step.key, "unknown", "no digest is common to both stores; --download compares the bytes")
    report.differ += 1
    return DifferenceFound(step.key, "differs", step.reason)
