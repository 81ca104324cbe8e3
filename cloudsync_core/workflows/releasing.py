"""Release: publish a location's objects as an immutable tree, then make it live by moving a pointer.

What an earlier release has already is not sent again. Everything else goes the way of every transfer; once all of it is
seen to be there the manifest is written, and only then the pointer moves, if nobody else has moved it meanwhile. A run
that ends before that, however it ends, leaves the pointer where it was.
"""

from __future__ import annotations

import logging
import time
from typing import Final

from cloudsync_core.config.jobs.release import ReleaseJob
from cloudsync_core.crashpoints import hit
from cloudsync_core.engine.attributes import AttributeRules
from cloudsync_core.engine.bandwidth import Bandwidth
from cloudsync_core.engine.base import JobState
from cloudsync_core.engine.events import ActionPlanned
from cloudsync_core.engine.lease import Lease
from cloudsync_core.engine.report import Tally
from cloudsync_core.errors import BackendError, CancelledError, ManifestError, RunError
from cloudsync_core.layers.below import Below
from cloudsync_core.releases import manifest, moving, pointer, publishing
from cloudsync_core.releases.creating import Choice
from cloudsync_core.releases.draft import Draft
from cloudsync_core.releases.header import Header
from cloudsync_core.releases.looking import check_written, find_earlier
from cloudsync_core.releases.names import LIVE, host, new_id, tree
from cloudsync_core.releases.pruning import prune
from cloudsync_core.runs import RunInfo, RunReport
from cloudsync_core.workflows.context import Context
from cloudsync_core.workflows.intake import Intake
from cloudsync_core.workflows.sending import Sending, additions
from cloudsync_core.workflows.sides import Sides, lease, new_run, open_base, open_sides
from cloudsync_core.workflows.supervision import supervise

_LOG: Final = logging.getLogger(__name__)


def release(name: str, job: ReleaseJob, context: Context) -> RunReport:
    """Publish a release once; nothing is published where the pointer names the very same tree already.

    Args:
        name: the job's name.
        job: what to do.
        context: with what.

    Returns:
        The report. Files that were sent are counted as added, those that an earlier release has as unchanged; `release`
        is what the pointer names then. What refused, aborted or interrupted the run is in its `error`.

    Raises:
        ConfigError, PluginError, StateError, OverlappingLocationsError: the run cannot start.
    """
    with open_sides(job, context) as sides, open_base(name, sides, context) as base:
        run = new_run(name, sides, context, "publish")
        with lease(run, job, sides, context) as held:
            return supervise(
                run, context, _Release(run, job, context, sides=sides, base=base, held=held).do, requests=sides.requests
            )


class _Release:
    """One run of a release job, from the pointer as it was to the pointer as it will be."""

    def __init__(
        self, run: RunInfo, job: ReleaseJob, context: Context, *, sides: Sides, base: JobState, held: Lease
    ) -> None:
        self._run = run
        self._job = job
        self._context = context
        self._sides = sides
        self._base = base
        self._lease = held

    def do(self, tally: Tally) -> str | None:
        """Return why nothing was published, or `None`."""
        if not self._context.dry_run:
            # From here on nobody prunes what this release may refer to.
            self._lease.hold()
        seen = pointer.read(self._sides.target, self._job.pointer)
        tally.release = None if seen is None else seen.pointer.release
        with Draft() as draft:
            before = self._follow(draft, seen)
            hit("release.base.read")
            base = None if before is None else before.release
            new = new_id(time.time(), after=max(filter(None, (base, tally.release)), default=None))
            self._take_in(draft, new, tally)
            if not tally.partial:
                choice = self._choose(draft, base)
                hit("release.compared")
                if before is not None and base == tally.release and self._is_live(draft, before):
                    tally.counts.unchanged += draft.count()
                    return None
                self._prepare(draft, tally)
                if self._context.dry_run:
                    self._rehearse(draft, tally)
                    return None
                sending = Sending(
                    self._run,
                    self._job,
                    self._context,
                    sides=self._sides,
                    base=self._base,
                    lease=self._lease,
                    tally=tally,
                )
                sending.send(draft, new, choice)
            if tally.partial:
                return self._unpublished(tally)
            self._publish(draft, new, base, seen, tally)
        return self._prune(new, tally)

    def _follow(self, draft: Draft, seen: pointer.Seen | None) -> Header | None:
        """Take in the release that the new one is compared with, as far as its objects are there.

        That is the one that the pointer names; for a pointer that is new, the one that readers see otherwise.
        """
        target = self._sides.target
        if seen is None and self._job.pointer != LIVE:
            seen = pointer.read(target, LIVE)
        if seen is None:
            return None
        live = seen.pointer
        try:
            with manifest.read(target, live.release, key=live.manifest, expected=live.digest) as found:
                draft.follow(found.entries())
                header = found.header
        except ManifestError as error:
            # To publish is the way to mend it.
            _LOG.warning("everything is sent, as the release before cannot be used: %s", error)
            return None
        find_earlier(target, draft)
        return header

    def _take_in(self, draft: Draft, new: str, tally: Tally) -> None:
        own = Below(self._sides.target, tree(new))
        intake = Intake(self._run, self._job, self._context, sides=self._sides, base=self._base, tally=tally, own=own)
        intake.list(draft)
        bandwidth = Bandwidth(self._job.bwlimit, self._context.stop) if self._job.bwlimit.limits else None
        intake.read(draft, None if bandwidth is None else bandwidth.take)

    def _choose(self, draft: Draft, base: str | None) -> Choice:
        """Settle the files that an earlier release has."""
        choice = Choice(
            rules=AttributeRules(self._context.headers),
            keeps_headers=self._sides.source.capabilities.user_metadata,
            stores_headers=self._sides.target.capabilities.user_metadata,
            tree=self._job.tree,
            base=base,
        )
        for file in draft.files():
            if (entry := choice.earlier(file)) is not None:
                draft.keep(entry)
        return choice

    def _is_live(self, draft: Draft, before: Header) -> bool:
        """Tell whether the release that is live is just what would be published."""
        return before.tree == self._job.tree and draft.is_as_before()

    def _prepare(self, draft: Draft, tally: Tally) -> None:
        """Count what is to be done; where nothing can be copied, a whole tree is sent."""
        target, progress = self._sides.target, self._context.progress
        if self._job.tree == "whole" and not target.can_copy_from(target):
            draft.keep_nothing()
        tally.counts.unchanged += draft.count(kept=True) if self._job.tree == "shared" else 0
        for info in draft.unsettled():
            progress.planned_objects += 1
            progress.planned_bytes += info.size
        progress.phase = "transferring"

    def _rehearse(self, draft: Draft, tally: Tally) -> None:
        """Tell what a run would send, without doing it."""
        for action in additions(draft):
            tally.planned(action)
            self._context.listener(ActionPlanned(action))
            tally.would(action)

    def _publish(self, draft: Draft, new: str, base: str | None, seen: pointer.Seen | None, tally: Tally) -> None:
        """Make the new tree a release, and the release live."""
        target, policy, stop = self._sides.target, self._sides.policy, self._context.stop
        check_written(target, new, draft)
        hit("release.verified")
        publisher = self._job.publisher or host()
        written = publishing.write(
            target,
            draft.entries(),
            release=new,
            publisher=publisher,
            source=self._run.source,
            base=base,
            tree=self._job.tree,
            retry=policy,
            stop=stop,
        )
        hit("release.manifest.written")
        self._lease.check()
        if stop.is_set():
            raise CancelledError("interrupted")
        name = self._job.pointer
        moved = pointer.point(name, new, written.key, written.digest, before=seen, now=time.time(), by=publisher)
        moving.move(target, moved, seen, retry=policy, stop=stop)
        tally.release = new

    def _prune(self, new: str, tally: Tally) -> str | None:
        """Remove old releases, if the job says so; return why they are still there."""
        if self._job.keep is None:
            return None
        try:
            pruned = prune(self._sides.target, keep=self._job.keep, stop=self._context.stop)
        except (BackendError, RunError) as error:
            return f"release {new} is live, and older ones were not pruned: {error}"
        tally.counts.deleted += pruned.objects
        return None

    def _unpublished(self, tally: Tally) -> str:
        still = "nothing" if tally.release is None else tally.release
        return (
            f"no release was published: {tally.counts.failed + tally.counts.unknown} objects could not be read or sent "
            f"(see the failures); {self._job.pointer} still names {still}"
        )
