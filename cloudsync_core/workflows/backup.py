"""Where a run keeps aside what it overwrites or deletes: a folder of the job's backup, named after the run."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import re
from collections.abc import Iterator
from typing import Final

from cloudsync_core.backend import Backend
from cloudsync_core.body import Body
from cloudsync_core.config.jobs.mirror import Mirroring
from cloudsync_core.engine.keeping import cannot_keep
from cloudsync_core.errors import BackendError, OverlappingLocationsError
from cloudsync_core.layers.readonly import ReadOnly
from cloudsync_core.layers.retry import Retry
from cloudsync_core.layers.throttle import Throttle
from cloudsync_core.runs import Action, Outcome, RunInfo, RunReport
from cloudsync_core.workflows.context import Context
from cloudsync_core.workflows.sides import Sides

MANIFEST: Final = ".json"
"""What the name of a run's manifest ends in, which lies beside the run's folder."""

_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Backup:
    """Where one run keeps objects aside.

    Attributes:
        root: the job's backup; `None` where the job has none.
        place: the run's folder in it; likewise.
        apart: the backup's prefix in the target, ended by a slash, when it lies inside; otherwise "".
    """

    root: Backend | None = None
    place: Backend | None = None
    apart: str = ""

    @property
    def excluded(self) -> tuple[str, ...]:
        """What is out of the job's scope because of the backup, as regular expressions."""
        return (rf"\A{re.escape(self.apart)}",) if self.apart else ()

    def keeps(self, action: Action) -> bool:
        """Tell whether the target's object is kept aside before an action."""
        return self.place is not None and action.target is not None

    def refusal(self, action: Action) -> Outcome | None:
        """Return how an action fails because the backup cannot hold its object's name, else `None`."""
        if self.place is None or action.target is None:
            return None
        return cannot_keep(self.place, action)

    def finished(self, report: RunReport) -> RunReport:
        """Leave word beside the run's folder of what is in it, and return the report.

        It is for people and listings: the objects alone are enough to bring them back, so a run whose manifest cannot
        be written has not failed.
        """
        if self.root is None or report.run.dry_run or not report.kept:
            return report
        run = report.run
        values = {
            "format": 1,
            **{name: getattr(run, name) for name in ("id", "job", "source", "target", "started")},
            "objects": report.kept,
            "bytes": report.bytes_kept,
        }
        try:
            self.root.put(run.id + MANIFEST, Body(json.dumps(values, indent=1).encode() + b"\n"))
        except BackendError as error:
            _LOG.warning("the manifest of what was kept aside cannot be written: %s", error)
        return report


@contextlib.contextmanager
def open_backup(run: RunInfo, job: Mirroring, sides: Sides, context: Context) -> Iterator[Backup]:
    """Open the backup of a job for one run, and close it at the end; without one, nothing is kept.

    Raises:
        OverlappingLocationsError: it overlaps with the source, or is, or lies around, the target.
        ConfigError, PluginError: it cannot be opened.
    """
    if job.backup is None or context.open_backup is None:
        yield Backup()
        return
    with contextlib.ExitStack() as stack:
        root = stack.enter_context(context.open_backup("", True))
        place = stack.enter_context(context.open_backup(run.id, True))
        apart = _apart(root, sides)

        def layered(backend: Backend) -> Backend:
            limited = backend if job.tpslimit is None else Throttle(backend, job.tpslimit, context.stop)
            retried = Retry(limited, sides.policy, stop=context.stop)
            return ReadOnly(retried) if context.dry_run else retried

        # The manifest is written also when the run was stopped.
        yield Backup(ReadOnly(root) if context.dry_run else Retry(root, sides.policy), layered(place), apart)


def inside(inner: Backend, outer: Backend) -> str | None:
    """Return the prefix of `inner` in `outer`, ended by a slash; "" if they are one, `None` if it lies elsewhere."""
    one, other = inner.identity, outer.identity
    if one.namespace != other.namespace or not one.root.startswith(other.root):
        return None
    return one.root[len(other.root) :]


def _apart(root: Backend, sides: Sides) -> str:
    if root.identity.overlaps(sides.source.identity):
        raise OverlappingLocationsError(
            f"the backup {root.location} and the source {sides.source.location} overlap",
            hint="Choose a backup that is neither the source, nor inside it, nor around it.",
        )
    prefix = inside(root, sides.target)
    if prefix == "" or (prefix is None and root.identity.overlaps(sides.target.identity)):
        raise OverlappingLocationsError(
            f"the backup {root.location} is, or lies around, the target {sides.target.location}",
            hint="Choose a backup inside the target, which is then left alone there, or elsewhere.",
        )
    return prefix or ""
