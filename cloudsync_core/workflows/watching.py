"""Watch: keep a target in step with a source, for as long as the job runs.

Events are hints that a key may have changed, never instructions. A key that was heard of is looked at on both sides
once it is quiet, and what follows from that is done by the code that mirrors: the same comparison, plan, conditions and
limits, over a part of the keys. What no event has told of, a look at everything finds: at the start, from time to time,
and whenever the source of the events has a doubt.
"""

from __future__ import annotations

import logging
import os
import random
import time
from typing import Final

from cloudsync_core.config.model import WatchJob
from cloudsync_core.engine.dirty import Dirty, Due, Pace
from cloudsync_core.engine.events import LookFinished
from cloudsync_core.engine.filters import Filter
from cloudsync_core.engine.report import Tally
from cloudsync_core.engine.vigil import Vigil
from cloudsync_core.errors import (
    BackendError,
    CancelledError,
    CloudSyncError,
    ConfigError,
    DeleteLimitExceededError,
    Disposition,
    EmptySourceError,
    PluginError,
    StateError,
)
from cloudsync_core.event_source import EventSource
from cloudsync_core.runs import RunReport
from cloudsync_core.workflows.backup import open_backup
from cloudsync_core.workflows.context import Context
from cloudsync_core.workflows.listening import Heard, Listening
from cloudsync_core.workflows.looks import Look, Looker
from cloudsync_core.workflows.sides import open_base, open_sides
from cloudsync_core.workflows.supervision import run_of, supervise

_LOG = logging.getLogger(__name__)

_ALIVE_EVERY: Final = 5.0
"""Seconds between two signs of life in the state database."""

_AGAIN: Final = 60.0
"""Seconds until what was looked at is looked at again where deletes were held back, or too much could not be settled;
a part of the keys, sooner at first."""

_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 60.0

_HALTING = (DeleteLimitExceededError, EmptySourceError)
_ENDING = (ConfigError, PluginError, StateError)


def watch(name: str, job: WatchJob, context: Context) -> RunReport:
    """Keep the target of a job in step with its source until the context is stopped.

    With `context.once`, everything is looked at once, and what is heard of meanwhile.

    Args:
        name: the job's name.
        job: what to do.
        context: with what.

    Returns:
        The report of all that was done; what ended the job, if not its user, is in its `error`.

    Raises:
        ConfigError, PluginError, StateError, OverlappingLocationsError: the job cannot start.
    """
    with open_sides(job, context) as sides, open_base(name, sides, context) as base:
        # The job that goes the other way hears of what this one writes, and has to know whose it is by then.
        base.prompt = bool(context.opposites)
        run = run_of(name, "watch", context, source=sides.source.location, target=sides.target.location)
        with open_backup(run, job, sides, context) as backup:
            scope = Filter(job.include, job.exclude, job.exclude_regex, apart=backup.apart)
            dirty, vigil = Dirty(base, Pace(job.settle, job.longest)), Vigil(base)
            looker = Looker(run, job, context, sides, base, backup=backup, scope=scope, vigil=vigil)
            # Opened before the first look at everything: what changes from here on is heard of.
            with context.open_events(sides.source, scope.prunes) as source:
                watching = _Watching(job, context, looker, scope=scope, dirty=dirty, vigil=vigil, source=source)
                return backup.finished(supervise(run, context, watching.do, requests=sides.requests))


class _Watching:
    """One job that watches, from its start to its end: decides when to look, and at what."""

    def __init__(
        self,
        job: WatchJob,
        context: Context,
        looker: Looker,
        *,
        scope: Filter,
        dirty: Dirty,
        vigil: Vigil,
        source: EventSource,
    ) -> None:
        self._job = job
        self._context = context
        self._looker = looker
        self._scope = scope
        self._dirty = dirty
        self._vigil = vigil
        self._source = source
        self._doubt: str | None = "the job has started"
        self._looked_at_all = False
        self._next_at_all = 0.0
        self._not_before = 0.0
        self._pause = 0.0
        self._held_for = 0.0
        self._alive = float("-inf")

    def do(self, tally: Tally) -> str | None:
        """Watch until the end; return why deletes are held back then, or `None`."""
        self._vigil.start(os.getpid(), self._job.events.source, time.time())
        message: str | None = None
        with Listening(self._source, self._context.stop) as listening:
            self._looker.hears = listening.has_heard
            while not self._context.stop.is_set():
                self._hear(listening.wait(0))
                if self._vigil.read().halted is not None:
                    if self._context.once:
                        break
                    self._hear(listening.wait(_ALIVE_EVERY))
                elif (wait := self._not_before - time.monotonic()) > 0:
                    self._hear(listening.wait(wait))
                elif self._doubt is not None or time.monotonic() >= self._next_at_all:
                    message = self._look(None, tally)
                elif len((due := self._dirty.due(time.time())).part):
                    message = self._look(due, tally)
                elif self._context.once and not self._expects_more():
                    break
                else:
                    self._hear(listening.wait(self._quiet_for()))
                self._show_life()
        self._show_life(last=True)
        return message

    def _hear(self, heard: Heard) -> None:
        if not heard:
            return
        if heard.everything is not None:
            _LOG.info("%s: everything is looked at: %s", self._looker.job_name, heard.everything)
            self._doubt = heard.everything
        names = [key for key in heard.keys if self._scope.wants(key)]
        folders = [folder for folder in heard.folders if not self._scope.prunes(folder.removesuffix("/"))]
        if heard.everything is not None:
            # Settled, and so acknowledged, when everything was looked at.
            folders.append("")
        self._dirty.add(names, folders, now=time.time(), done=heard.done)

    def _quiet_for(self) -> float:
        """Return the seconds until there is something to do if nothing is heard."""
        due = self._dirty.wait(time.time())
        return max(0.0, min(self._next_at_all - time.monotonic(), _ALIVE_EVERY, _ALIVE_EVERY if due is None else due))

    def _expects_more(self) -> bool:
        """Tell whether something waits only to be quiet, and not for something else to pass."""
        due = self._dirty.wait(time.time())
        return due is not None and due <= max(self._job.settle, self._job.grace)

    def _look(self, due: Due | None, tally: Tally) -> str | None:
        serial, now = self._dirty.serial, time.time()
        try:
            look = self._looker.look(due)
        except _ENDING:
            raise
        except CancelledError:
            return None
        except CloudSyncError as error:
            if self._context.once or (not self._looked_at_all and _is_final(error)):
                raise
            self._trouble(error)
            return str(error)
        tally.include(look.tally)
        self._pause = 0.0
        self._context.listener(LookFinished(look.tally.report("done", requests={}), everything=due is None))
        if look.message is not None:
            _LOG.warning("%s: %s", self._looker.job_name, look.message)
        if due is None:
            self._settle_everything(look, serial, now)
        elif look.message is not None or look.left.too_many:
            # What was edited while it was moved holds deletes back as well, and may be well at the next look.
            self._held_for = min(max(self._held_for * 2, _FIRST_PAUSE), _AGAIN)
            self._dirty.again(due, now + self._held_for)
        else:
            self._held_for = 0.0
            self._dirty.settle(due, now=now, put_off=look.left.until)
        return look.message

    def _settle_everything(self, look: Look, serial: int, now: float) -> None:
        self._dirty.settle_everything(serial)
        self._doubt = None
        self._looked_at_all = True
        # Not all jobs of all machines at the same moment.
        pause = self._job.reconcile * random.uniform(0.9, 1.1)  # noqa: S311 - no secret
        if look.message is not None or look.left.too_many:
            pause = min(pause, _AGAIN)
        self._next_at_all = time.monotonic() + pause
        self._dirty.put_off(look.left.until, now=now)
        self._vigil.note(reconciled=now, permitted=0)

    def _trouble(self, error: CloudSyncError) -> None:
        """Stand still where somebody has to decide, and wait a while where it may pass."""
        now = time.time()
        self._vigil.note(error=str(error), error_at=now)
        if isinstance(error, _HALTING):
            self._vigil.note(halted=str(error), halted_at=now)
            self._doubt = "somebody has let the job go on"
            _LOG.error(
                "%s stands still: %s\n  To go on and delete them: cloudsync resume CONFIG %s",
                self._looker.job_name, error, self._looker.job_name,
            )  # fmt: skip
            return
        self._pause = min(max(self._pause * 2, _FIRST_PAUSE), _LONGEST_PAUSE)
        self._not_before = time.monotonic() + self._pause * random.uniform(0.75, 1.25)  # noqa: S311 - no secret
        _LOG.warning("%s: it is tried again in %.0f s: %s", self._looker.job_name, self._pause, error)

    def _show_life(self, *, last: bool = False) -> None:
        if last or time.monotonic() - self._alive >= _ALIVE_EVERY:
            self._alive = time.monotonic()
            number, since = self._dirty.count()
            self._vigil.note(alive=time.time(), dirty=number, dirty_since=since)


def _is_final(error: CloudSyncError) -> bool:
    """Tell whether waiting does not help a job that has only begun: its locations or its credentials are wrong."""
    return isinstance(error, BackendError) and error.disposition is Disposition.ABORT
