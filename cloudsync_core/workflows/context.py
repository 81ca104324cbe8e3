"""What a run needs from its surroundings, whichever workflow it is."""

from __future__ import annotations

import dataclasses
import functools
import importlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self, cast

from cloudsync_core.backend import Backend, Prune
from cloudsync_core.config.jobs.mirror import Equalising
from cloudsync_core.config.jobs.parts import OfWorkflow, WithHeaders
from cloudsync_core.config.jobs.watch import WatchJob
from cloudsync_core.config.loaded import LoadedConfig
from cloudsync_core.config.opening import header_rules, open_events, open_location
from cloudsync_core.config.secrets import Resolver
from cloudsync_core.engine.events import Listener, nobody
from cloudsync_core.engine.executor import Stop
from cloudsync_core.engine.policy import HeaderRule
from cloudsync_core.engine.progress import Progress
from cloudsync_core.engine.state import State
from cloudsync_core.event_source import EventSource
from cloudsync_core.plugins.facade import Plugins
from cloudsync_core.runs import Side

if TYPE_CHECKING:
    from cloudsync_core.channels.deliveries.deliverer import Deliverer
    from cloudsync_core.config.jobs.subscribe import SubscribeJob


def _no_events(backend: Backend, prune: Prune | None) -> EventSource:
    del prune
    raise NotImplementedError(f"nothing tells of changes at {backend.location}")


@dataclasses.dataclass(frozen=True, slots=True)
class Context:
    """The surroundings of one run of one job.

    Attributes:
        plugins: the plugins of this run.
        open: opens a side of the job; the second argument tells whether it may be made when it does not exist.
        open_backup: opens a folder of the job's backup, "" for the whole of it; likewise.
        open_deliverers: opens what the job delivers updates to; close each.
        open_events: opens what tells of changes at the job's source, which is open already; the second argument tells
            of a folder that nothing under it is wanted.
        opposites: the other jobs that watch in the same file, by name, each with whether it deletes.
        headers: the job's header rules, references looked up.
        state: the open state database; read-only in a dry run.
        dry_run: plan, and write nothing.
        once: of a job that goes on until it is stopped, do what there is to do now.
        directory: what relative paths of the job are relative to.
        stop: ends the run early.
        progress: the numbers that a display reads.
        listener: is told the events.
    """

    plugins: Plugins
    open: Callable[[Side, bool], Backend]
    state: State
    open_backup: Callable[[str, bool], Backend] | None = None
    open_deliverers: Callable[[], Sequence[Deliverer]] = tuple
    open_events: Callable[[Backend, Prune | None], EventSource] = _no_events
    opposites: Mapping[str, bool] = dataclasses.field(default_factory=dict)
    headers: tuple[HeaderRule, ...] = ()
    dry_run: bool = False
    once: bool = False
    directory: Path = dataclasses.field(default_factory=Path)
    stop: Stop = dataclasses.field(default_factory=Stop)
    progress: Progress = dataclasses.field(default_factory=Progress)
    listener: Listener = nobody

    @classmethod
    def of(
        cls,
        job: OfWorkflow,
        *,
        plugins: Plugins,
        resolver: Resolver,
        state: State,
        loaded: LoadedConfig | None = None,
        name: str = "",
        dry_run: bool = False,
        once: bool = False,
        listener: Listener = nobody,
    ) -> Self:
        """Return the surroundings of a job.

        Args:
            job: the job.
            plugins: the plugins of this run.
            resolver: looks up references to secrets.
            state: the open state database.
            loaded: the file that the job was read from, if it was.
            name: the job's name in that file.
            dry_run: plan, and write nothing.
            once: of a job that goes on until it is stopped, do what there is to do now.
            listener: is told the events.

        Raises:
            SecretNotFoundError: a header refers to what does not exist.
        """
        at = ("jobs", name) if loaded is not None else ()
        opened = functools.partial(open_location, plugins=plugins, loaded=loaded, resolver=resolver)

        def open_side(side: Side, create: bool) -> Backend:  # noqa: FBT001 - the signature of `open`
            location, path = job.location(side)
            return opened(location, create=create, at=(*at, *path))

        def open_backup(folder: str, create: bool) -> Backend:  # noqa: FBT001 - likewise
            assert isinstance(job, Equalising)
            assert job.backup is not None
            return opened(job.backup, create=create, at=(*at, "backup"), below=folder)

        def open_deliverers() -> Sequence[Deliverer]:
            # Imported here: it takes time, and only jobs that subscribe have a use for it.
            delivering = importlib.import_module("cloudsync_core.config.delivering")
            deliver = cast("SubscribeJob", job).deliver
            found: Sequence[Deliverer] = delivering.open_deliveries(
                deliver, resolver=resolver, loaded=loaded, at=(*at, "deliver")
            )
            return found

        def open_events_of(backend: Backend, prune: Prune | None) -> EventSource:
            assert isinstance(job, WatchJob)
            return open_events(
                job.events,
                job.location("source")[0],
                backend,
                interval=job.interval,
                plugins=plugins,
                loaded=loaded,
                resolver=resolver,
                prune=prune,
                at=at,
            )

        return cls(
            plugins=plugins,
            open=open_side,
            open_backup=open_backup,
            state=state,
            open_deliverers=open_deliverers,
            open_events=open_events_of,
            opposites=opposites_of(loaded, name),
            headers=header_rules(job, resolver=resolver, at=at) if isinstance(job, WithHeaders) else (),
            dry_run=dry_run,
            once=once,
            directory=loaded.directory if loaded is not None else Path(),
            listener=listener,
        )


def opposites_of(loaded: LoadedConfig | None, name: str) -> Mapping[str, bool]:
    """Return the other jobs that watch in the file of a job, by name, each with whether it deletes."""
    jobs = {} if loaded is None else loaded.config.jobs
    return {other: job.delete for other, job in jobs.items() if other != name and isinstance(job, WatchJob)}
