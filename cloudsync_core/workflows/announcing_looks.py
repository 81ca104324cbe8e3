"""Looks at a source, or a part of it: what is new or has changed since it was published is published."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any, Final

from cloudsync_core import keys
from cloudsync_core.backend import Backend
from cloudsync_core.channels import names
from cloudsync_core.channels.publisher import Publisher
from cloudsync_core.config.jobs.publish import PublishJob
from cloudsync_core.engine.base import JobState
from cloudsync_core.engine.diff import Met, Pair, Unchanged, diff
from cloudsync_core.engine.events import ActionFinished, ActionPlanned, KeyLeftOut, LookFinished
from cloudsync_core.engine.filters import Filter
from cloudsync_core.engine.intents import published_size
from cloudsync_core.engine.listing import list_side
from cloudsync_core.engine.looking import look_at
from cloudsync_core.engine.part import Part
from cloudsync_core.engine.plan import Settled
from cloudsync_core.engine.report import Tally
from cloudsync_core.engine.transfer import failed
from cloudsync_core.errors import CancelledError, IntegrityError, ListingOrderError
from cloudsync_core.models import Gap, ObjectInfo, Page
from cloudsync_core.runs import Action, Outcome, RunInfo
from cloudsync_core.workflows.announcer import Announcer, Candidate, Result, Rules
from cloudsync_core.workflows.context import Context
from cloudsync_core.workflows.execution import OUTCOMES_TOLD

LOOKED_AGAIN: Final = 3
"""How often an object that changes while it is read is read again in one run, before it has failed."""

_PAUSE: Final = 0.5
"""Seconds before that."""

_FAILING_KNOWN: Final = 10_000
"""Objects that are known to fail, so that each is counted once, at most."""

_CHANGES: Final = "it changes again and again while it is read"

Quiet = Callable[[ObjectInfo], bool]
"""Tells whether a version may be published now."""


class Looks:
    """Looks at a source, as often as it is asked to, and publishes what is new there.

    Args:
        run: the run.
        job: its rules.
        context: its surroundings.
        base: what was published.
        publishers: returns the publisher of a name.
        tally: where everything is counted.
        rules: of the updates.

    Attributes:
        scope: the job's filter.
    """

    def __init__(
        self,
        run: RunInfo,
        job: PublishJob,
        context: Context,
        *,
        base: JobState,
        publishers: Callable[[str], Publisher],
        tally: Tally,
        rules: Rules,
    ) -> None:
        self._run = run
        self._context = context
        self._base = base
        self._publishers = publishers
        self._tally = tally
        self._rules = rules
        self._name = job.publisher or names.host_name()
        self.scope = Filter(job.include, job.exclude, job.exclude_regex)
        self._include = context.plugins.include_object(run)
        self._sort = False
        self._failing: set[str] = set()
        self._untold: list[Outcome] = []
        self._of_look = Tally(run)

    def at_everything(self, source: Backend) -> None:
        """Look at all objects once, and again at those that change meanwhile.

        Raises:
            BackendError: the source cannot be listed, or the channel cannot be written.
            CancelledError: the run was stopped.
        """
        again = _changing(self.look(source))
        for _ in range(LOOKED_AGAIN):
            if not again:
                return
            self._context.stop.wait(_PAUSE)
            again = _changing(self.look(source, Part([result.candidate.info.key for result in again]), first=False))
        for result in again:
            self._fail(result)
        self._tell()

    def look(
        self, source: Backend, part: Part | None = None, *, quiet: Quiet | None = None, first: bool = True
    ) -> list[Result]:
        """Publish what is new, and return what was not: it changed while it was read, or failed.

        An empty source forgets nothing: it may be a file system that is not mounted.

        Args:
            source: the source.
            part: what is looked at; everything by default.
            quiet: see there; by default everything may be published.
            first: whether what is as it was is counted, too.

        Raises:
            BackendError: the source cannot be listed, or the channel cannot be written.
            CancelledError: the run was stopped.
        """
        announcer = Announcer(source, self._publishers, self._name, self._base, self._rules)
        self._of_look = Tally(self._run)
        if not self._context.dry_run:
            announcer.recover()
        try:
            left = self._look(announcer, source, part, quiet, first=first)
        except ListingOrderError:
            # The server does not keep its promise of order: begin again, and sort it ourselves.
            if self._sort:
                raise
            self._sort = True
            left = self._look(announcer, source, part, quiet, first=False)
        finally:
            self._tell()
            self._base.save()
        counts = self._of_look.counts
        if self._rules.same_version and (counts.added or counts.failed or (first and part is None)):
            report = self._of_look.report("partial" if self._of_look.partial else "done", requests={})
            self._context.listener(LookFinished(report, everything=part is None))
        return left

    def _look(
        self, announcer: Announcer, source: Backend, part: Part | None, quiet: Quiet | None, *, first: bool
    ) -> list[Result]:
        left = []
        with contextlib.closing(self._pages(source, part)) as pages:
            any_there, pages_again = _peeked(pages)
            steps = diff(pages_again, (), self._base.pages(part))
            candidates = self._candidates(steps, quiet, forgets=any_there or part is not None, first=first)
            publish = announcer.would_publish if self._context.dry_run else announcer.publish
            for result in publish(candidates):
                self._take(result, first=first)
                if result.fate in {"again", "failed"} and not self._context.dry_run:
                    left.append(result)
        if self._context.stop.is_set():
            raise CancelledError("interrupted")
        return left

    def _pages(self, source: Backend, part: Part | None) -> Generator[Page]:
        how: dict[str, Any] = {
            "sort": self._sort,
            "include": self._include,
            "stop": self._context.stop,
            "progress": self._context.progress,
        }
        if part is None:
            return list_side(source, "source", self.scope, **how)
        return look_at(source, "source", part, self.scope, **how)

    def _candidates(
        self, steps: Iterable[Pair | Unchanged | Met], quiet: Quiet | None, *, forgets: bool, first: bool
    ) -> Iterator[Candidate]:
        """Yield what may have to be published; settle the rest."""
        for step in steps:
            if isinstance(step, Met):
                self._meet(step.gap, first=first)
            elif isinstance(step, Pair):
                candidate = self._candidate(step, forgets=forgets, first=first)
                if candidate is not None and (quiet is None or quiet(candidate.info)):
                    yield candidate

    def _candidate(self, pair: Pair, *, forgets: bool, first: bool) -> Candidate | None:
        info, row = pair.source, pair.base
        if info is None:
            # What is out of scope or cannot be told may still be there, just as it was published.
            if forgets and pair.source_gap is None and self.scope.wants(pair.key):
                self._base.forget(pair.key)
            return None
        if keys.is_marker(info.key) and not info.size:
            return None
        if row is not None and published_size(row) is None:
            row = None
        if row is not None and info.fingerprint and row.source == info.fingerprint:
            if first:
                self._settled(Settled("unchanged", "published", info.key, on_source=1))
            return None
        return Candidate(info, row)

    def _meet(self, gap: Gap, *, first: bool) -> None:
        if first:
            self._settled(Settled(gap.kind, gap.reason, gap.key, on_source=1))
        self._context.listener(KeyLeftOut(gap.kind, gap.key, gap.reason))

    def _take(self, result: Result, *, first: bool) -> None:
        info = result.candidate.info
        if result.fate == "published" or (result.fate == "again" and self._context.dry_run):
            self._published(result)
        elif result.fate == "failed":
            self._fail(result)
        elif result.fate == "unchanged":
            if result.row is not None:
                self._base.record(info.key, result.row)
            if first:
                self._settled(Settled("unchanged", "same-content", info.key, on_source=1))

    def _published(self, result: Result) -> None:
        action = _action(result)
        self._context.progress.planned_objects += 1
        self._planned(action)
        if self._context.dry_run:
            self._context.listener(ActionPlanned(action))
            self._tally.would(action)
            return
        if action.key in self._failing:
            self._failing.discard(action.key)
            self._tally.counts.failed -= 1
        self._context.progress.add_bytes(result.size)
        self._finish(Outcome(action, "done", bytes=result.size, verified="sha256", source=result.candidate.info))

    def _fail(self, result: Result) -> None:
        action = _action(result)
        if action.key in self._failing:
            return
        if len(self._failing) < _FAILING_KNOWN:
            self._failing.add(action.key)
        self._planned(action)
        self._finish(failed(action, result.error or IntegrityError(_CHANGES, key=action.key)))

    def _settled(self, step: Settled) -> None:
        for tally in (self._tally, self._of_look):
            tally.settled(step)

    def _planned(self, action: Action) -> None:
        for tally in (self._tally, self._of_look):
            tally.planned(action)

    def _finish(self, outcome: Outcome) -> None:
        for tally in (self._tally, self._of_look):
            tally.finished(outcome)
        self._context.progress.done_objects += 1
        self._context.listener(ActionFinished(outcome))
        self._untold.append(outcome)
        if len(self._untold) >= OUTCOMES_TOLD:
            self._tell()

    def _tell(self) -> None:
        if self._untold:
            told, self._untold = self._untold, []
            self._context.plugins.outcomes(self._run, told)


def _action(result: Result) -> Action:
    reason = "not-published" if result.candidate.base is None else "changed"
    return Action("add", result.candidate.info.key, reason, source=result.candidate.info)


def _peeked(pages: Iterator[Page]) -> tuple[bool, Iterator[Page]]:
    """Return whether there is any object, and the same pages."""
    seen = []
    for page in pages:
        seen.append(page)
        if page.keys:
            return True, itertools.chain(seen, pages)
    return False, iter(seen)


def _changing(results: Iterable[Result]) -> list[Result]:
    return [result for result in results if result.fate == "again"]
