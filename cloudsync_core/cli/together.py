"""Runs jobs that go on until they are stopped, each in a thread of its own, beside those that end by themselves."""

from __future__ import annotations

import dataclasses
import signal
import threading
from collections.abc import Mapping, Sequence

from cloudsync_core.cli.display import say_stopping
from cloudsync_core.cli.endings import crashed
from cloudsync_core.cli.interrupts import signals
from cloudsync_core.cli.jobs import Jobs
from cloudsync_core.config.model import Job
from cloudsync_core.engine.executor import Stop
from cloudsync_core.engine.state import State
from cloudsync_core.errors import CloudSyncError
from cloudsync_core.workflows.table import is_continuous, run_job

_INTERRUPTED = 130


def run_together(jobs: Jobs, selected: Mapping[str, Job]) -> None:
    """Run jobs: those that go on from the start and all at once, the others meanwhile, one after the other.

    It returns when all have ended: the first SIGTERM or Ctrl-C ends them, each with what it has in hand. An error that
    ends one of them is told at once, and ends no other.

    Args:
        jobs: of the file; a dry run, or one in which each is done once, has no job that goes on.
        selected: the jobs, in their order.
    """
    lasting = {} if jobs.once or jobs.dry_run else {name: job for name, job in selected.items() if is_continuous(job)}
    if not lasting:
        jobs.run_all(selected, run_job)
        return
    others = {name: job for name, job in selected.items() if name not in lasting}
    group = _Group()
    runners = [_Runner(jobs, name, job, group) for name, job in lasting.items()]
    jobs.console.on_lost = group.interrupt
    jobs.beside = _Member(group, continuous=False)
    try:
        with signals(group.signalled):
            for runner in runners:
                runner.start()
            if others:
                jobs.run_all(others, run_job)
            for runner in runners:
                runner.join()
    finally:
        jobs.console.on_lost = None
        _gather(jobs, runners, list(selected))
    if group.interrupted:
        jobs.interrupted = True
        jobs.exit_code = max(jobs.exit_code, _INTERRUPTED)


def _gather(jobs: Jobs, runners: Sequence[_Runner], order: Sequence[str]) -> None:
    for runner in runners:
        jobs.reports += runner.jobs.reports
        jobs.told |= runner.jobs.told
        jobs.exit_code = max(jobs.exit_code, runner.jobs.exit_code)
    jobs.reports.sort(key=lambda report: order.index(report.run.job))


class _Group:
    """The jobs that are ended together; signal handlers call it, so it waits for nothing."""

    def __init__(self) -> None:
        self.interrupted = False
        self._ended = False
        self._lasting: list[Stop] = []
        self._others: list[Stop] = []

    def joined(self, stop: Stop, *, continuous: bool) -> None:
        """Have a job ended with the others, at once if they are being ended already."""
        (self._lasting if continuous else self._others).append(stop)
        # Noted before it is asked: a signal that comes in between finds one or the other.
        self._tell()

    def signalled(self, number: int) -> None:
        """End all: in order as it is meant for SIGTERM, as an interruption for Ctrl-C."""
        if number == signal.SIGTERM:
            self._ended = True
            self._tell()
        else:
            self.interrupt()
        say_stopping()

    def interrupt(self) -> None:
        """End all, on behalf of the user."""
        self.interrupted = True
        self._tell()

    def _tell(self) -> None:
        for stop in self._others:
            if self._ended or self.interrupted:
                # One that would have ended by itself has not done what it was to do.
                stop.interrupt()
        for stop in self._lasting:
            if self.interrupted:
                stop.interrupt()
            elif self._ended:
                stop.end()


@dataclasses.dataclass(frozen=True, slots=True)
class _Member:
    """See `Beside`."""

    group: _Group
    continuous: bool

    def joined(self, stop: Stop) -> None:
        """Let the job be ended together with the others."""
        self.group.joined(stop, continuous=self.continuous)


class _Runner:
    """One job that goes on, in its thread.

    Attributes:
        jobs: of this job alone: connections to SQLite, and what is secret, belong to one thread.
    """

    def __init__(self, jobs: Jobs, name: str, job: Job, group: _Group) -> None:
        resolver = jobs.resolver.another()
        jobs.console.hide(resolver.values)
        member = _Member(group, continuous=True)
        self.jobs = dataclasses.replace(jobs, resolver=resolver, beside=member, reports=[], told=set(), exit_code=0)
        self._name = name
        self._job = job
        # Not waited for when the user aborts.
        self._thread = threading.Thread(target=self._run, name=f"cloudsync-job-{name}", daemon=True)

    def start(self) -> None:
        """Start the job."""
        self._thread.start()

    def join(self) -> None:
        """Wait until it has ended; signal handlers run meanwhile."""
        self._thread.join()

    def _run(self) -> None:
        console = self.jobs.console
        try:
            with State(self.jobs.state.path, redact=console.redact) as state:
                self.jobs.state = state
                self.jobs.run(self._name, self._job, run_job)
        except CloudSyncError as error:
            console.error(error, job=self._name)
            self.jobs.exit_code = error.exit_code
        except Exception as error:  # noqa: BLE001 - it must not end the others, and nobody else would hear of it
            self.jobs.exit_code = crashed(error, console, job=self._name)
