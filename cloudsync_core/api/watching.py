"""Watching from Python: a target follows a source in a thread of its own."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cloudsync_core.config.environment import default_state_path
from cloudsync_core.config.jobs.watch import WatchJob
from cloudsync_core.config.locations import LocationConfig
from cloudsync_core.config.secrets import Resolver
from cloudsync_core.engine import vigil
from cloudsync_core.engine.events import ActionFinished, Event, Listener, RunStarted, nobody
from cloudsync_core.engine.executor import Stop
from cloudsync_core.engine.state import State
from cloudsync_core.engine.vigil import VigilStatus
from cloudsync_core.plugins.facade import Plugins
from cloudsync_core.runs import Outcome, RunReport
from cloudsync_core.workflows import watching
from cloudsync_core.workflows.context import Context

OutcomeCallback = Callable[[Outcome], object]
"""Is told what happened to one key, in the thread that watches; what it raises ends the watching."""


class Watch:
    """A target that follows a source, in a thread of its own, until it is stopped; made by `watch`.

    As a context it is stopped at the end of the block, and what had ended it before raises there.

    Args:
        job: what to do.
        name: of the job in the state database.
        state: the state database; `None` remembers nothing.
        once: look at everything once, and end.
        on_outcome: is told every outcome.
        listener: is told everything.

    Attributes:
        report: what was done, once it has ended; `None` before, and when it ended by an error that nobody expected.
    """

    def __init__(
        self,
        job: WatchJob,
        *,
        name: str = "watch",
        state: Path | None = None,
        once: bool = False,
        on_outcome: OutcomeCallback | None = None,
        listener: Listener = nobody,
    ) -> None:
        self.report: RunReport | None = None
        self._job = job
        self._name = name
        self._once = once
        self._on_outcome = on_outcome
        self._listener = listener
        self._stop = Stop()
        self._changed = threading.Condition()
        self._begun = self._ended = False
        self._place = state
        self._status: VigilStatus | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name=f"cloudsync-{name}", daemon=True)
        self._thread.start()
        try:
            self._until(lambda: self._begun or self._ended)
        except BaseException:
            # Nobody else is left who could stop it.
            self._stop.end()
            raise
        if not self._begun:
            self.wait()

    @property
    def status(self) -> VigilStatus | None:
        """How it is, as it last wrote it down itself, which it does every few seconds; after its end, how it was then.

        It is `None` in the moment before it has written anything.

        Raises:
            StateError: the state database cannot be read.
        """
        with self._changed:
            # It ends, and takes a temporary database with it, only after this.
            return self._status if self._ended else self._look_up()

    def resume(self) -> bool:
        """Let it go on where it stands still (`status.halted`), and delete what it was halted for.

        Returns:
            Whether it did stand still.

        Raises:
            StateError: the state database cannot be written.
        """
        with self._changed:
            if self._ended or self._place is None:
                return False
            with State(self._place) as database:
                return vigil.resume(database, self._name)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it ends, and return whether it has.

        Args:
            timeout: seconds; by default it waits for as long as it takes.

        Raises:
            CloudSyncError: what has ended it, once; its `report` is what was done until then.
            Exception: likewise what a callback has raised.
        """
        if not self._until(lambda: self._ended, timeout):
            return False
        self._thread.join()
        error, self._error = self._error, None
        if error is not None:
            raise error
        return True

    def stop(self) -> None:
        """End it, with what it has in hand; what had ended it before, `wait` and the end of a block raise."""
        self._stop.end()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if error is None:
            self.wait()

    def _until(self, holds: Callable[[], bool], timeout: float | None = None) -> bool:
        with self._changed:
            return self._changed.wait_for(holds, timeout)

    def _work(self) -> None:
        """Be the thread."""
        try:
            plugins = Plugins.load()
            resolver = Resolver(directory=Path.cwd(), hook=plugins.resolve_secret)
            with State(self._place, redact=resolver.values.redact) as state:
                self._place = state.path
                context = Context.of(
                    self._job, plugins=plugins, resolver=resolver, state=state, once=self._once, listener=self._hear
                )
                report = watching.watch(self._name, self._job, dataclasses.replace(context, stop=self._stop))
                self._end(report)
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            self._error = self._error or error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _end(self, report: RunReport) -> None:
        with self._changed:
            self.report = report
            self._status = self._look_up()
            self._ended = True
        if report.error is not None:
            report.error.report = report
            raise report.error

    def _look_up(self) -> VigilStatus | None:
        assert self._place is not None, "it has begun, and so its database is open"
        with State(self._place, read_only=True) as database:
            found = [status for name, status in vigil.vigils(database) if name == self._name]
        # A job whose locations were changed has left how it was, too.
        return max(found, key=lambda status: status.started, default=None)

    def _hear(self, event: Event) -> None:
        try:
            self._listener(event)
            if isinstance(event, ActionFinished) and self._on_outcome is not None:
                self._on_outcome(event.outcome)
        except BaseException as error:
            # An error of cloudsync's own kind would be taken for trouble with a store, and be tried again.
            self._error = self._error or error
            self._stop.end()
            raise
        if isinstance(event, RunStarted):
            with self._changed:
                self._begun = True
                self._changed.notify_all()


def watch(
    source: str | LocationConfig,
    target: str | LocationConfig,
    *,
    on_outcome: OutcomeCallback | None = None,
    listener: Listener = nobody,
    state: str | Path | None = "auto",
    name: str = "watch",
    once: bool = False,
    **rules: Any,
) -> Watch:
    """Keep the target in step with the source from now on, in a thread of its own; see `Watch`, which is a context.

    When this returns both locations are open, and what changes on the source from then on is heard of; what was
    different before is found by a look at everything, which begins at once.

    Args:
        source: the location that is read: a URL, a path, or a `LocationConfig` with options.
        target: the location that is written.
        on_outcome: is told what happened to each key, in the thread that watches; what it raises ends the watching.
        listener: is told everything else, too, likewise; see `cloudsync_core.engine.events`.
        state: the state database: a path; "auto" for one in the user's state directory, chosen by both locations;
            `None` to remember nothing from one call to the next.
        name: of the job in the state database; jobs that share a database need names of their own.
        once: look at everything once, and end.
        **rules: the other fields of `WatchJob`: `delete=True`, `events="poll"`, `interval=5`, `settle=0.1`, …

    Raises:
        BackendError: a location cannot be used at all.
        ConfigError, PluginError: a location, an option or the event source is wrong.
        StateError: another process has the job, or the state database cannot be used.
        RunError: one location lies in the other.
        pydantic.ValidationError: a rule is wrong; each problem names its field.
    """
    job = WatchJob(source=source, target=target, **rules)
    place = default_state_path(job.source.url, job.target.url) if state == "auto" else state
    return Watch(
        job,
        name=name,
        state=None if place is None else Path(place),
        once=once,
        on_outcome=on_outcome,
        listener=listener,
    )
