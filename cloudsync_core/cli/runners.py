"""Jobs that run beside each other, each in a thread of its own, and what ends them together."""

from __future__ import annotations

import dataclasses
import signal
import threading
import time
from collections.abc import Callable

from cloudsync_core.cli.chronicle import log_error
from cloudsync_core.cli.display import say_stopping
from cloudsync_core.cli.endings import crashed
from cloudsync_core.cli.jobs import Jobs
from cloudsync_core.cli.logs import JOB_THREAD
from cloudsync_core.engine.executor import Stop
from cloudsync_core.engine.state import State
from cloudsync_core.errors import CloudSyncError

Work = Callable[[Jobs], None]
"""Runs one job, or some one after the other."""


class Group:
    """What runs beside each other; signal handlers call it, so it waits for nothing.

    Args:
        told: called when all are to end, likewise from signal handlers.

    Attributes:
        runners: of all that were started and not taken out.
        interrupted: the user wants no more.
        reload: the configuration is to be read again.
    """

    def __init__(self, told: Callable[[], None]) -> None:
        self.runners: list[Runner] = []
        self.interrupted = False
        self.reload = False
        self._ended = False
        self._told = told

    @property
    def ends(self) -> bool:
        """Whether all are to end."""
        return self._ended or self.interrupted

    def signalled(self, number: int) -> None:
        """End all: in order as it is meant for SIGTERM, as an interruption for Ctrl-C."""
        if number == signal.SIGTERM:
            self._ended = True
            self.tell()
        else:
            self.interrupt()
        self._told()
        say_stopping()

    def interrupt(self) -> None:
        """End all, on behalf of the user."""
        self.interrupted = True
        self.tell()

    def tell(self) -> None:
        """Let all that run know whether they are to end."""
        for runner in list(self.runners):
            runner.stop_if(ended=self._ended, interrupted=self.interrupted)


@dataclasses.dataclass(frozen=True, slots=True)
class _Member:
    """See `Beside`."""

    runner: Runner
    continuous: bool

    def joined(self, stop: Stop) -> None:
        """Let the job be ended together with the others."""
        self.runner.joined(stop)


class Runner:
    """What runs in one thread: a job that goes on, or those that end by themselves, one after the other.

    Args:
        jobs: of all that run beside each other.
        name: of the job, for errors; `None` for several.
        work: what is run.
        group: what it is ended with.

    Attributes:
        jobs: of this runner alone: connections to SQLite, and what is secret, belong to one thread.
        name: of the job.
    """

    def __init__(self, jobs: Jobs, name: str | None, work: Work, group: Group) -> None:
        resolver = jobs.resolver.another()
        jobs.console.hide(resolver.values)
        member = _Member(self, continuous=name is not None)
        self.jobs = dataclasses.replace(jobs, resolver=resolver, beside=member, reports=[], told=set(), exit_code=0)
        self.name = name
        self._work = work
        self._group = group
        self._stop: Stop | None = None
        self._ended = False
        self._started = time.monotonic()
        # Not waited for when the user aborts.
        thread = "cloudsync-jobs" if name is None else f"{JOB_THREAD}{name}"
        self._thread = threading.Thread(target=self._run, name=thread, daemon=True)

    @property
    def runs(self) -> bool:
        """Whether it has not come to its end."""
        return self._thread.is_alive()

    @property
    def has_begun(self) -> bool:
        """Whether the job has what it needs, or has ended already."""
        return self._stop is not None or not self.runs

    @property
    def silence(self) -> float:
        """The seconds for which nothing was seen of it."""
        return time.monotonic() - self._started if self._stop is None else self._stop.life.silence

    def start(self) -> None:
        """Start it, as one of its group."""
        self._started = time.monotonic()
        self._group.runners.append(self)
        self._thread.start()

    def end(self) -> None:
        """End the job in order, whatever becomes of the others."""
        self._ended = True
        self._group.tell()

    def join(self, timeout: float | None = None) -> None:
        """Wait until it has ended, `timeout` seconds at most; signal handlers run meanwhile."""
        self._thread.join(timeout)

    def joined(self, stop: Stop) -> None:
        """Take note of what ends the job that is run now, and end it at once if it is to end already."""
        self._stop = stop
        # Noted before it is asked: a signal that comes in between finds one or the other.
        self._group.tell()

    def stop_if(self, *, ended: bool, interrupted: bool) -> None:
        """End the job that is run now, if it is to end."""
        stop = self._stop
        if stop is None:
            return
        # One that would have ended by itself has not done what it was to do.
        if interrupted or (ended and self.name is None):
            stop.interrupt()
        elif ended or self._ended:
            stop.end()

    def _run(self) -> None:
        console, loaded = self.jobs.console, self.jobs.loaded
        path = self.jobs.state.path if loaded is None else loaded.state_path
        try:
            with State(path, redact=console.redact) as state:
                self.jobs.state = state
                self._work(self.jobs)
        except CloudSyncError as error:
            log_error(error, job=self.name)
            console.error(error, job=self.name)
            self.jobs.exit_code = max(self.jobs.exit_code, error.exit_code)
        except Exception as error:  # noqa: BLE001 - it must not end the others, and nobody else would hear of it
            self.jobs.exit_code = crashed(error, console, job=self.name)
