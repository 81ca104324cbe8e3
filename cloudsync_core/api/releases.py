"""Releases from Python: publish one, look at what there is, go back, verify and prune."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from cloudsync_core.backend import Backend
from cloudsync_core.config.environment import default_state_path
from cloudsync_core.config.jobs.release import ReleaseJob
from cloudsync_core.config.locations import LocationConfig
from cloudsync_core.config.opening import open_location
from cloudsync_core.config.secrets import Resolver
from cloudsync_core.engine.events import Listener, nobody
from cloudsync_core.engine.lease import Lease
from cloudsync_core.engine.state import State
from cloudsync_core.errors import BackendError
from cloudsync_core.layers.retry import Retry, RetryPolicy
from cloudsync_core.plugins.facade import Plugins
from cloudsync_core.releases import history
from cloudsync_core.releases.history import Difference, Listed
from cloudsync_core.releases.manifest import Manifest
from cloudsync_core.releases.names import LIVE, check_name, host
from cloudsync_core.releases.pointer import Pointer
from cloudsync_core.releases.pruning import Pruned, prune
from cloudsync_core.releases.verifying import Fault, verify
from cloudsync_core.runs import RunInfo, RunReport
from cloudsync_core.workflows import releasing
from cloudsync_core.workflows.context import Context

_LOG = logging.getLogger(__name__)


def release(
    source: str | LocationConfig,
    location: str | LocationConfig,
    *,
    pointer: str = LIVE,
    tree: Literal["shared", "whole"] = "shared",
    state: str | Path | None = "auto",
    dry_run: bool = False,
    listener: Listener = nobody,
    **rules: Any,
) -> RunReport:
    """Publish what is at a location as a release, make it live, and return the report.

    Nothing is published where the pointer names the very same tree already. Objects that failed are in the report
    (`report.counts.failed`, `report.failures`): there is no new release then, and the pointer is where it was.

    Args:
        source: the location that is read: a URL, a path, or a `LocationConfig` with options.
        location: where the releases are: likewise.
        pointer: what is moved to the new release.
        tree: "shared" refers to what earlier releases have already, "whole" has the provider copy it.
        state: the state database, which remembers digests: a path; "auto" for one in the user's state directory, chosen
            by both locations; `None` to remember nothing.
        dry_run: plan, count what would be sent, and write nothing.
        listener: is told what happens; see `cloudsync_core.engine.events`.
        **rules: the other fields of `ReleaseJob`: `exclude=["*.tmp"]`, `headers=[…]`, `keep=10`, …

    Returns:
        The report: `counts.added` files were sent, `counts.unchanged` are those of earlier releases, `release` is what
        the pointer names now.

    Raises:
        ReleaseConflictError: somebody else has moved the pointer meanwhile; the new release is complete, and not live.
        RunError: the run was refused or aborted; what it did until then is in the error's `report`.
        BackendError: a location could not be read or written at all; likewise.
        ConfigError, PluginError: a location or a rule is wrong.
        pydantic.ValidationError: a rule is wrong; each problem names its field.
    """
    job = ReleaseJob(source=source, target=location, pointer=pointer, tree=tree, **rules)
    plugins = Plugins.load()
    resolver = Resolver(directory=Path.cwd(), hook=plugins.resolve_secret)
    with State(_state_path(state, job), read_only=dry_run, redact=resolver.values.redact) as database:
        context = Context.of(
            job, plugins=plugins, resolver=resolver, state=database, dry_run=dry_run, listener=listener
        )
        report = releasing.release("release", job, context)
    if report.error is not None:
        report.error.report = report
        raise report.error
    return report


class Releases:
    """The releases of a location; a context that closes it.

    Args:
        location: where they are: a URL, a path, a `LocationConfig` with options, or an open backend, which is closed
            with it.
        publisher: the name under which pointers are moved; by default that of this machine.
        lease: keep other runs from the location while something changes there, where the store can do that.
        wait: seconds to wait for another run that does.
        stop: ends what takes long, with `CancelledError`.
        **options: options of the backend.

    Raises:
        ConfigError: the location, an option or the publisher's name is wrong.
        PluginError: the backend's plugin cannot be used.
    """

    def __init__(
        self,
        location: str | LocationConfig | Backend,
        *,
        publisher: str | None = None,
        lease: bool = True,
        wait: float = 0,
        stop: threading.Event | None = None,
        **options: Any,
    ) -> None:
        self._publisher = check_name(publisher or host(), "publisher")
        self._wanted = lease
        self._wait = wait
        self._stop = threading.Event() if stop is None else stop
        backend = location if isinstance(location, Backend) else _opened(location, options)
        self._backend = Retry(backend, RetryPolicy(), stop=self._stop)

    def ls(self) -> Iterator[Listed]:
        """Yield every release, the oldest first, with the pointers that name it.

        Raises:
            ManifestError, UnsupportedFormatError: one cannot be read.
            BackendError: the store cannot be asked.
        """
        return history.releases(self._backend)

    def pointer(self, name: str = LIVE) -> Pointer:
        """Return what a pointer says.

        Raises:
            ManifestError: nothing was published by that name yet.
            ConfigError, UnsupportedFormatError, BackendError: it cannot be read.
        """
        return history.seen(self._backend, name).pointer

    def show(self, release: str = LIVE) -> Manifest:
        """Return the manifest of a release, verified: its `header`, and its files by `entries()`; close it.

        Args:
            release: its id, or a pointer.

        Raises:
            ManifestError: it is missing, or is refused.
            ConfigError, UnsupportedFormatError, BackendError: it cannot be read.
        """
        return history.opened(self._backend, release)

    def diff(self, before: str, after: str = LIVE) -> Iterator[Difference]:
        """Yield the paths by which two releases differ.

        Args:
            before: an id, or a pointer.
            after: likewise.

        Raises:
            ManifestError, ConfigError, UnsupportedFormatError, BackendError: as of `show`.
        """
        with self.show(before) as first, self.show(after) as second:
            yield from history.diff(first, second)

    def verify(self, release: str = LIVE, *, content: bool = False) -> Iterator[Fault]:
        """Yield what is wrong with the objects of a release; nothing for one that is complete.

        Args:
            release: its id, or a pointer.
            content: read every object, too, and compare its digest.

        Raises:
            ManifestError, ConfigError, UnsupportedFormatError, BackendError: as of `show`.
        """
        with self.show(release) as found:
            yield from verify(self._backend, found, content=content, stop=self._stop)

    def rollback(self, pointer: str = LIVE, *, to: str | None = None) -> Pointer:
        """Move a pointer back, and return what it says then.

        Args:
            pointer: which one.
            to: a release by its id; by default the one that was live before, of those that are older.

        Raises:
            ManifestError: there is nothing to go back to, or it is not complete; the pointer is where it was.
            ReleaseConflictError: somebody else has moved the pointer meanwhile.
            RunError: another run writes to the location, or the lease cannot be taken.
            ConfigError, BackendError: a name is wrong; the store cannot be asked.
        """
        with self._alone():
            return history.rollback(self._backend, pointer, by=self._publisher, to=to)

    def promote(self, release: str, to: str = LIVE) -> Pointer:
        """Let a pointer name the release that another one names, or a release by its id.

        Args:
            release: the other pointer, or the id.
            to: the pointer that is moved; it is made where there is none.

        Raises:
            ManifestError, ReleaseConflictError, RunError, ConfigError, BackendError: as of `rollback`.
        """
        with self._alone():
            return history.promote(self._backend, release, to, by=self._publisher)

    def prune(self, *, keep: int | None = None, max_age: float | None = None, dry_run: bool = False) -> Pruned:
        """Remove the releases that are neither wanted nor live, and what publishers that died have left.

        Args:
            keep: how many of the newest stay.
            max_age: seconds; younger ones stay.
            dry_run: only tell what would be removed.

        Raises:
            ValueError: neither rule is given.
            ManifestError, UnsupportedFormatError: what stays cannot be read; nothing was removed.
            ReleaseConflictError: a pointer was moved meanwhile; nothing was removed.
            RunError: an object cannot be removed, or another run writes to the location.
            BackendError: the store cannot be asked.
        """
        with contextlib.nullcontext() if dry_run else self._alone():
            return prune(self._backend, keep=keep, max_age=max_age, dry_run=dry_run, stop=self._stop)

    def close(self) -> None:
        """Close the location."""
        self._backend.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other runs from the location."""
        started = time.time()
        run = RunInfo(
            id=f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(started))}-{uuid.uuid4().hex[:8]}",
            job="release",
            workflow="publish",
            source=self._backend.location,
            target=self._backend.location,
            dry_run=False,
            started=started,
        )
        with self._lease(run) as held:
            held.hold()
            yield
            held.check()

    def _lease(self, run: RunInfo) -> AbstractContextManager[Lease]:
        return Lease(
            self._backend,
            run,
            wanted=self._wanted,
            first=self._find_out,
            wait=self._wait,
            stop=self._stop,
            retry=RetryPolicy(),
        )

    def _find_out(self) -> None:
        """Have the store found out which conditions it honours; where that fails, it does without."""
        try:
            self._backend.probe()
        except BackendError as error:
            _LOG.info("what %s can do was not found out: %s", self._backend.location, error)


def _opened(location: str | LocationConfig, options: dict[str, Any]) -> Backend:
    if isinstance(location, str):
        location = LocationConfig(url=location, options=options)
    plugins = Plugins.load()
    resolver = Resolver(directory=Path.cwd(), hook=plugins.resolve_secret)
    return open_location(location, plugins=plugins, loaded=None, resolver=resolver, create=False)


def _state_path(state: str | Path | None, job: ReleaseJob) -> Path | None:
    if state == "auto":
        return default_state_path(job.source.url, job.target.url)
    return None if state is None else Path(state)
