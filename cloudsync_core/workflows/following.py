"""Follow: keep a local directory at the release that a pointer names.

Each look is one request as long as the pointer stays where it is. When it has moved the release is fetched, and that is
a run of its own, with its report. Whatever goes wrong leaves the directory at the release that it was.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cloudsync_core.backend import Backend
from cloudsync_core.config.environment import local_path
from cloudsync_core.config.jobs.fetch import FetchJob
from cloudsync_core.engine.bandwidth import Bandwidth
from cloudsync_core.engine.concurrency import Concurrency
from cloudsync_core.engine.events import ActionFinished
from cloudsync_core.engine.report import Tally
from cloudsync_core.errors import (
    BackendError,
    CancelledError,
    CloudSyncError,
    ConfigError,
    Disposition,
    ManifestError,
    printable,
)
from cloudsync_core.layers.readonly import ReadOnly
from cloudsync_core.layers.retry import Retry, RetryPolicy
from cloudsync_core.layers.throttle import Throttle
from cloudsync_core.layers.trace import RequestCounts, Trace
from cloudsync_core.location import Location
from cloudsync_core.releases import pointer
from cloudsync_core.releases.fetching import Fetched, fetch
from cloudsync_core.releases.filling import Means
from cloudsync_core.releases.swapping import Place
from cloudsync_core.runs import Outcome, RunInfo, RunReport, Side
from cloudsync_core.workflows.context import Context
from cloudsync_core.workflows.execution import OUTCOMES_TOLD
from cloudsync_core.workflows.supervision import run_of, supervise

_LOG: Final = logging.getLogger(__name__)

_LONGEST_PAUSE: Final = 300.0
"""Seconds between two looks at most while something is wrong, unless the job's own interval is longer."""

_JITTER: Final = 0.1
"""The share by which a pause is longer or shorter, so that a thousand readers do not ask at the same moment."""

_GLANCE: Final = 0.2
"""Seconds between two looks at whether the job is to end: the signal handler that says so wakes nobody."""


def follow(name: str, job: FetchJob, context: Context, *, release: str | None = None, check: bool = False) -> RunReport:
    """Keep a directory at the release that a pointer names, until the job is stopped.

    With `context.once` it is fetched once, as far as it is not there.

    Args:
        name: the job's name.
        job: what to do.
        context: with what.
        release: fetch this one, in place of the one that the pointer names; for once.
        check: read every file that is there, and mend what is wrong; likewise.

    Returns:
        The report of the last fetch. Files that were fetched are counted as added or updated, those that were there
        already as unchanged; `release` is what the directory is. What refused, aborted or interrupted it is in its
        `error`.

    Raises:
        ConfigError, PluginError: the job cannot start.
    """
    directory = local_directory(job, context.directory)
    with _opened(job, context) as store:
        follower = _Follower(name, job, context, store, directory)
        if context.once or context.dry_run:
            return follower.run(release=release, check=check)
        return follower.go_on()


def local_directory(job: FetchJob, base: Path) -> Path:
    """Return the directory that follows the release; it need not be there.

    Args:
        job: what names it.
        base: what relative paths are relative to.

    Raises:
        ConfigError: it is somewhere else than on this machine.
    """
    place = Location.parse(job.target.url)
    if place.scheme != "file":
        raise ConfigError(
            f"{printable(job.target.url)} cannot follow a release: only a directory of this machine can be replaced "
            "in one step",
            hint="Name a local path. To have the objects elsewhere, mirror the directory there.",
        )
    return local_path(place.rest, base)


@dataclasses.dataclass(frozen=True, slots=True)
class _Store:
    """The location of the releases, protected and counted."""

    source: Backend
    policy: RetryPolicy
    concurrency: Concurrency
    _counts: RequestCounts

    def requests(self) -> dict[Side, dict[str, int]]:
        """Return the operations so far."""
        return {"source": self._counts.as_dict()}


@contextlib.contextmanager
def _opened(job: FetchJob, context: Context) -> Iterator[_Store]:
    concurrency = Concurrency(job.transfers, passed=lambda: context.progress.done_bytes)
    policy = RetryPolicy(attempts=job.retries, told=concurrency.hear)
    counts = RequestCounts()
    with context.open("source", False) as backend:
        traced = Trace(backend, counts)
        paced = traced if job.tpslimit is None else Throttle(traced, job.tpslimit, context.stop)
        yield _Store(ReadOnly(Retry(paced, policy, stop=context.stop)), policy, concurrency, counts)


class _Follower:
    """Fetches one release after the other."""

    def __init__(self, name: str, job: FetchJob, context: Context, store: _Store, directory: Path) -> None:
        self._name = name
        self._job = job
        self._context = context
        self._store = store
        self._directory = directory
        bandwidth = Bandwidth(job.bwlimit, context.stop) if job.bwlimit.limits else None
        self._means = Means(
            store.policy,
            store.concurrency,
            job.transfers,
            job.memory,
            context.stop,
            context.progress,
            None if bandwidth is None else bandwidth.take,
        )

    def go_on(self) -> RunReport:
        """Return the report of the last fetch when the job is stopped, or cannot go on."""
        report = self.run()
        if report.error is not None and not _passes(report.error):
            return report
        failures = self._warned(report)
        while self._waited(failures):
            try:
                if self._is_there():
                    failures = 0
                    continue
            except CancelledError:
                break
            except CloudSyncError as error:
                failures += 1
                self._warn(str(error))
                continue
            report = self.run()
            failures = (failures + 1) * self._warned(report)
        return report

    def _warned(self, report: RunReport) -> int:
        """Say that a fetch has failed, if it has; return 1 for one that has, else 0."""
        if report.status == "done" or self._context.stop.is_set():
            return 0
        self._warn(report.message or "the fetch has failed")
        return 1

    def _warn(self, why: str) -> None:
        _LOG.warning("job %s: %s; it looks again later", self._name, why.partition("\n")[0])

    def run(self, *, release: str | None = None, check: bool = False) -> RunReport:
        """Fetch the release, as far as it is not there."""
        run = run_of(
            self._name,
            "watch",
            self._context,
            source=self._store.source.location,
            target=f"file://{printable(str(self._directory.absolute()))}",
        )
        work = _Fetch(self, run, self._context, release=release, check=check)
        return supervise(run, self._context, work.do, requests=self._store.requests)

    def fetch(self, told: _Told, *, release: str | None, check: bool) -> Fetched:
        """Fetch, and tell the outcomes."""
        return fetch(
            self._store.source,
            self._directory,
            name=self._job.pointer,
            release=release,
            keep=self._job.keep,
            check=check,
            means=self._means,
            told=told.outcome,
        )

    def rehearse(self, release: str | None) -> str | None:
        """Return the release that would be fetched, or `None` where the pointer names none."""
        if release is not None:
            return release
        seen = pointer.read(self._store.source, self._job.pointer)
        return None if seen is None else seen.pointer.release

    def _is_there(self) -> bool:
        """Tell, by one request, whether the directory is what the pointer names."""
        seen = pointer.read(self._store.source, self._job.pointer)
        if seen is None:
            raise ManifestError(f"{self._store.source.location} has no pointer {self._job.pointer!r} yet")
        place = Place(self._directory)
        return place.live() == seen.pointer.release and place.is_whole(seen.pointer.release)

    def _waited(self, failures: int) -> bool:
        """Wait until the next look is due; tell whether there is to be one."""
        interval = self._job.interval
        pause = min(interval * 2.0 ** min(failures, 16), max(interval, _LONGEST_PAUSE))
        until = time.monotonic() + pause * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - spreads load
        stop = self._context.stop
        while not stop.is_set() and (rest := until - time.monotonic()) > 0:
            time.sleep(min(rest, _GLANCE))
        return not stop.is_set()


class _Told:
    """Hears what becomes of files, and tells everybody who wants to know."""

    def __init__(self, run: RunInfo, context: Context, tally: Tally) -> None:
        self._run = run
        self._context = context
        self._tally = tally
        self._untold: list[Outcome] = []

    def outcome(self, outcome: Outcome) -> None:
        self._tally.finished(outcome)
        self._context.listener(ActionFinished(outcome))
        self._untold.append(outcome)
        if len(self._untold) >= OUTCOMES_TOLD:
            self.end()

    def end(self) -> None:
        if self._untold:
            self._context.plugins.outcomes(self._run, self._untold)
            self._untold = []


class _Fetch:
    """One fetch, as a run."""

    def __init__(
        self, follower: _Follower, run: RunInfo, context: Context, *, release: str | None, check: bool
    ) -> None:
        self._follower = follower
        self._context = context
        self._run = run
        self._release = release
        self._check = check

    def do(self, tally: Tally) -> str | None:
        """Return why the directory is not the release that it should be, or `None`."""
        if self._run.dry_run:
            tally.release = self._follower.rehearse(self._release)
            return None
        told = _Told(self._run, self._context, tally)
        try:
            fetched = self._follower.fetch(told, release=self._release, check=self._check)
        finally:
            told.end()
        tally.release = fetched.live
        tally.counts.unchanged += fetched.present
        tally.counts.deleted += fetched.gone if fetched.moved else 0
        if not fetched.failed:
            return None
        stays = "does not exist yet" if fetched.live is None else f"stays at {fetched.live}"
        return f"release {fetched.release} is not complete here, and the directory {stays}; the next fetch goes on"


def _passes(error: CloudSyncError) -> bool:
    """Tell whether waiting may mend what ended the first fetch: a store out of reach, or nothing published yet."""
    if isinstance(error, BackendError):
        return error.disposition is Disposition.RETRY
    return isinstance(error, ManifestError)
