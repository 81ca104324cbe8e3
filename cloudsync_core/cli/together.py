"""Runs jobs that go on until they are stopped beside each other, and beside those that end by themselves."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from cloudsync_core.cli.chronicle import log_error
from cloudsync_core.cli.formats import plural
from cloudsync_core.cli.interrupts import hangups, signals
from cloudsync_core.cli.jobs import Jobs
from cloudsync_core.cli.logs import TOLD
from cloudsync_core.cli.reloading import Read, change_of, lasting_of
from cloudsync_core.cli.runners import Group, Runner
from cloudsync_core.config.service_manager import ServiceManager
from cloudsync_core.errors import CloudSyncError
from cloudsync_core.workflows.table import run_job

if TYPE_CHECKING:
    # Commands that read no file need not know all that one can say.
    from cloudsync_core.config.model import Job

_INTERRUPTED: Final = 130

_GLANCE: Final = 0.2
"""Seconds between two looks at what signal handlers have noted."""

_SHARE: Final = 4
"""How many signs of life are due within the time after which a service manager takes the process for hung."""


def run_together(jobs: Jobs, selected: Mapping[str, Job], read: Read | None = None) -> None:
    """Run jobs: those that go on from the start and all at once, the others meanwhile, one after the other.

    It returns when all have ended: the first SIGTERM or Ctrl-C ends them, each with what it has in hand. An error that
    ends one of them is told at once, and ends no other. SIGHUP has the configuration read again.

    Args:
        jobs: of the file; a dry run, or one in which each is done once, has no job that goes on.
        selected: the jobs, in their order.
        read: reads the configuration again; `None` when there is no file.
    """
    lasting = {} if jobs.once or jobs.dry_run else lasting_of(selected)
    manager = ServiceManager()
    if not lasting:
        manager.ready("jobs run that end by themselves")
        jobs.run_all(selected, run_job)
        return
    together = _Together(jobs, lasting, manager, list(selected))
    others = {name: job for name, job in selected.items() if name not in lasting}
    try:
        together.run(others, read)
    finally:
        together.gather()


class _Together:
    """The jobs of one invocation that go on, from their start to the end of the last of them.

    Args:
        jobs: of the file.
        lasting: the jobs that go on.
        manager: is told how they are.
        order: the names of all jobs, as the summary shows them.
    """

    def __init__(self, jobs: Jobs, lasting: Mapping[str, Job], manager: ServiceManager, order: list[str]) -> None:
        self._jobs = jobs
        self._now = jobs
        self._lasting = lasting
        self._manager = manager
        self._order = order
        self._group = Group(manager.stopping)
        self._taken_out: list[Runner] = []

    def run(self, others: Mapping[str, Job], read: Read | None) -> None:
        """Run the jobs, and those that end by themselves, until all have ended."""
        group = self._group
        reloading = contextlib.nullcontext() if read is None else hangups(self._wants_reload)
        self._jobs.console.on_lost = group.interrupt
        with signals(group.signalled), reloading, self._watched():
            self._start(self._lasting)
            if others:
                Runner(self._jobs, None, lambda jobs: jobs.run_all(others, run_job), group).start()
            self._wait_for(lambda runner: runner.has_begun)
            self._tell_ready()
            while not self._wait_for(lambda runner: not runner.runs):
                assert read is not None, "only then is there anything that ends the waiting"
                self._reload(read)

    def gather(self) -> None:
        """Add up what became of all."""
        jobs = self._jobs
        jobs.console.on_lost = None
        for runner in (*self._taken_out, *self._group.runners):
            jobs.reports += runner.jobs.reports
            jobs.told |= runner.jobs.told
            jobs.exit_code = max(jobs.exit_code, runner.jobs.exit_code)
        jobs.reports.sort(key=lambda report: self._order.index(report.run.job))
        if self._group.interrupted:
            jobs.interrupted = True
            jobs.exit_code = max(jobs.exit_code, _INTERRUPTED)

    def _start(self, names: Iterable[str]) -> None:
        for name in names:
            work = functools.partial(Jobs.run, name=name, job=self._lasting[name], workflow=run_job)
            Runner(self._now, name, work, self._group).start()

    def _wait_for(self, holds: Callable[[Runner], bool]) -> bool:
        """Wait until something holds of every runner, and return `True`; or `False` when a reload is wanted first."""
        for runner in list(self._group.runners):
            while not holds(runner):
                if self._group.reload and not self._group.ends:
                    return False
                runner.join(_GLANCE)
        return True

    def _tell_ready(self) -> None:
        self._manager.ready(f"{plural(len(self._lasting), 'job')} until stopped")

    def _wants_reload(self) -> None:
        self._group.reload = True

    def _reload(self, read: Read) -> None:
        """Read the configuration again, and end, start and start anew what has changed."""
        group, console = self._group, self._now.console
        group.reload = False
        self._manager.reloading()
        continuous = {runner.name: runner for runner in group.runners if runner.name is not None}
        running = frozenset(name for name, runner in continuous.items() if runner.runs)
        try:
            change = change_of(self._now, self._lasting, running, read)
        except CloudSyncError as error:
            told = "the configuration was not taken in: all jobs go on as before"
            log_error(error)
            console.error(error)
            TOLD.warning("%s", told)
            console.trouble(told)
        else:
            self._replace([continuous[name] for name in change.ended])
            self._now, self._lasting = change.jobs, change.selected
            self._order += [name for name in change.selected if name not in self._order]
            if not group.ends:
                self._start(change.started)
            told = f"the configuration was taken in: {change}"
            TOLD.info("%s", told)
            console.note(told)
        self._tell_ready()

    def _replace(self, runners: list[Runner]) -> None:
        for runner in runners:
            runner.end()
        for runner in runners:
            runner.join()
            self._group.runners.remove(runner)
            self._taken_out.append(runner)

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        """Show a service manager that all jobs go on, for the length of the block, as long as they do."""
        patience = self._manager.patience
        if patience is None:
            yield
            return
        over = threading.Event()

        def show() -> None:
            while not over.wait(patience / _SHARE):
                lasting = [runner for runner in self._group.runners if runner.name is not None and runner.runs]
                if all(runner.silence < patience / 2 for runner in lasting):
                    self._manager.alive()

        thread = threading.Thread(target=show, name="cloudsync-watchdog", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
