"""What a run needs from its surroundings, whichever workflow it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Self

from cloudsync_core.backend import Backend
from cloudsync_core.config.loader import LoadedConfig
from cloudsync_core.config.model import MirrorJob
from cloudsync_core.config.opening import header_rules, open_location
from cloudsync_core.config.secrets import Resolver
from cloudsync_core.engine.events import Listener, nobody
from cloudsync_core.engine.executor import Stop
from cloudsync_core.engine.policy import HeaderRule
from cloudsync_core.engine.progress import Progress
from cloudsync_core.engine.state import State
from cloudsync_core.plugins.facade import Plugins
from cloudsync_core.runs import Side


@dataclasses.dataclass(frozen=True, slots=True)
class Context:
    """The surroundings of one run of one job.

    Attributes:
        plugins: the plugins of this run.
        open: opens a side of the job; the second argument tells whether it may be made when it does not exist.
        open_backup: opens a folder of the job's backup, "" for the whole of it; likewise.
        headers: the job's header rules, references looked up.
        state: the open state database; read-only in a dry run.
        dry_run: plan, and write nothing.
        stop: ends the run early.
        progress: the numbers that a display reads.
        listener: is told the events.
    """

    plugins: Plugins
    open: Callable[[Side, bool], Backend]
    state: State
    open_backup: Callable[[str, bool], Backend] | None = None
    headers: tuple[HeaderRule, ...] = ()
    dry_run: bool = False
    stop: Stop = dataclasses.field(default_factory=Stop)
    progress: Progress = dataclasses.field(default_factory=Progress)
    listener: Listener = nobody

    @classmethod
    def of(
        cls,
        job: MirrorJob,
        *,
        plugins: Plugins,
        resolver: Resolver,
        state: State,
        loaded: LoadedConfig | None = None,
        name: str = "",
        dry_run: bool = False,
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
            listener: is told the events.

        Raises:
            SecretNotFoundError: a header refers to what does not exist.
        """
        at = ("jobs", name) if loaded is not None else ()

        def open_side(side: Side, create: bool) -> Backend:  # noqa: FBT001 - the signature of `open`
            return open_location(
                job.source if side == "source" else job.target,
                plugins=plugins,
                loaded=loaded,
                resolver=resolver,
                create=create,
                at=(*at, side),
            )

        def open_backup(folder: str, create: bool) -> Backend:  # noqa: FBT001 - likewise
            assert job.backup is not None
            return open_location(
                job.backup,
                plugins=plugins,
                loaded=loaded,
                resolver=resolver,
                create=create,
                at=(*at, "backup"),
                below=folder,
            )

        return cls(
            plugins=plugins,
            open=open_side,
            open_backup=open_backup,
            state=state,
            headers=header_rules(job, resolver=resolver, at=at),
            dry_run=dry_run,
            listener=listener,
        )
