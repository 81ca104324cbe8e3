"""Runs jobs one after another, shows how they go, and keeps what became of each."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from cloudsync_core.cli.chronicle import log_error, log_event
from cloudsync_core.cli.console import Console, JobOutput
from cloudsync_core.cli.display import shown, told
from cloudsync_core.cli.narration import Narrator
from cloudsync_core.cli.summary import print_summary
from cloudsync_core.config.loaded import LoadedConfig
from cloudsync_core.config.secrets import Resolver
from cloudsync_core.engine.events import Event, Listener, nobody
from cloudsync_core.engine.executor import Stop
from cloudsync_core.engine.state import State
from cloudsync_core.errors import CancelledError, CloudSyncError
from cloudsync_core.plugins.facade import Plugins
from cloudsync_core.runs import RunReport
from cloudsync_core.workflows.context import Context

if TYPE_CHECKING:
    # `cloudsync mirror` has no use for the other kinds of jobs.
    from cloudsync_core.config.model import Job


class Beside(Protocol):
    """What a job that runs beside others is part of."""

    @property
    def continuous(self) -> bool:
        """Whether the job goes on until it is stopped."""

    def joined(self, stop: Stop) -> None:
        """Let the job be ended together with the others."""


Workflow = Callable[[str, Any, Context], RunReport]
"""Runs a job of a name, of a kind that it is for."""


def select(loaded: LoadedConfig, names: Sequence[str]) -> dict[str, Job]:
    """Return the jobs of a file, all or those that are named, in the order of the file.

    Raises:
        ConfigError: there is no job of such a name.
    """
    wanted = loaded.jobs(names)
    return {name: job for name, job in loaded.config.jobs.items() if name in wanted}


@contextlib.contextmanager
def jobs_of(console: Console, loaded: LoadedConfig, *, dry_run: bool) -> Iterator[Jobs]:
    """Open what the jobs of a file need, for the length of the block; the summary is printed at its end.

    Raises:
        StateError, ConfigError: the state database cannot be used.
    """
    plugins = Plugins.load(loaded.config.plugins.allow, loaded.config.plugins.deny)
    resolver = Resolver(directory=loaded.directory, hook=plugins.resolve_secret, where=loaded.where)
    console.hide(resolver.values)
    with State(loaded.state_path, read_only=dry_run, redact=console.redact) as state:
        yield from _summarised(Jobs(console, plugins, resolver, state, loaded, dry_run))


@contextlib.contextmanager
def jobs_without_file(console: Console, state: Path | None, *, dry_run: bool) -> Iterator[Jobs]:
    """Open what jobs need that are described on the command line, for the length of the block; likewise.

    Args:
        console: where everything is told.
        state: the state database; `None` remembers nothing.
        dry_run: plan, and write nothing.

    Raises:
        StateError: the state database cannot be used.
    """
    plugins = Plugins.load()
    resolver = Resolver(directory=Path.cwd(), hook=plugins.resolve_secret)
    console.hide(resolver.values)
    with State(state, read_only=dry_run, redact=console.redact) as database:
        yield from _summarised(Jobs(console, plugins, resolver, database, dry_run=dry_run))


@dataclasses.dataclass(slots=True)
class Jobs:
    """The jobs of one invocation.

    Attributes:
        console: where everything is told.
        plugins: of all of them.
        resolver: looks up references to secrets.
        state: the open state database.
        loaded: the file that the jobs come from, if they do.
        dry_run: plan, and write nothing.
        once: of a job that goes on until it is stopped, do what there is to do now.
        beside: tells how a job is stopped that runs beside others; by default jobs run one after the other, and the
            one that is under way is what the user interrupts.
        exit_code: of the invocation so far: the most serious of the jobs', which is the highest.
        interrupted: the user wants no more of them.
        reports: of the runs that began.
        told: the ids of those whose errors were told when they ended.
    """

    console: Console
    plugins: Plugins
    resolver: Resolver
    state: State
    loaded: LoadedConfig | None = None
    dry_run: bool = False
    once: bool = False
    beside: Beside | None = None
    exit_code: int = 0
    interrupted: bool = False
    reports: list[RunReport] = dataclasses.field(default_factory=list)
    told: set[str] = dataclasses.field(default_factory=set)

    def run(self, name: str, job: Job, workflow: Workflow, listener: Listener = nobody) -> None:
        """Run one job; what ends it ends none of the others.

        Args:
            name: the job's name.
            job: the job.
            workflow: what to do with it.
            listener: is told the events, too.
        """
        try:
            context = self.context(name, job, listener)
            with self._display(name, context):
                report = workflow(name, job, context)
        except CloudSyncError as error:
            log_error(error, job=name)
            self.console.error(error, job=None if self.loaded is None else name)
            self.interrupted = isinstance(error, CancelledError)
            self.exit_code = max(self.exit_code, error.exit_code)
            return
        self.reports.append(report)
        self.interrupted = context.stop.interrupted
        if self.beside is not None and report.error is not None and not context.stop.is_set():
            self.told.add(report.run.id)
            self.console.error(report.error, job=name)
        # A job that goes on has ended well if it was ended; what failed meanwhile it has told of, and will try again.
        ended_well = context.stop.ended and report.error is None
        self.exit_code = max(self.exit_code, 0 if ended_well else report.exit_code)

    def _display(self, name: str, context: Context) -> contextlib.AbstractContextManager[None]:
        if self.beside is None:
            return shown(self.console, name, context.progress, context.stop)
        self.beside.joined(context.stop)
        if self.beside.continuous:
            return contextlib.nullcontext()
        return told(self.console, name, context.progress)

    def context(self, name: str, job: Job, listener: Listener = nobody) -> Context:
        """Return the surroundings of one run of a job, whose events are told on the console and to the listener."""
        continuous = self.beside is not None and self.beside.continuous
        narrator = Narrator(JobOutput(self.console, name, labelled=continuous), continuous=continuous)

        def listen(event: Event) -> None:
            listener(event)
            log_event(name, event)
            narrator(event)

        return Context.of(
            job,
            plugins=self.plugins,
            resolver=self.resolver,
            state=self.state,
            loaded=self.loaded,
            name=name,
            dry_run=self.dry_run,
            once=self.once,
            listener=listen,
        )

    def run_all(self, jobs: Mapping[str, Job], workflow: Workflow, listener: Listener = nobody) -> None:
        """Run jobs in their order, until the user interrupts one; see `run`."""
        names = list(jobs)
        for index, name in enumerate(names):
            self.run(name, jobs[name], workflow, listener)
            if self.interrupted:
                if left := names[index + 1 :]:
                    self.console.trouble(f"not started: {', '.join(left)}")
                return


def _summarised(jobs: Jobs) -> Iterator[Jobs]:
    """Yield the jobs, and print the summary however their block ends."""
    try:
        yield jobs
    finally:
        print_summary(jobs.console, jobs.reports, named=jobs.loaded is not None, told=jobs.told)
