"""Announce: publish the objects of a location as updates of a channel, now or as they are written.

One look lists the source, compares it with what was published, and publishes what is new or has changed. A job that
follows looks at everything at its start, on a timer and whenever events were lost, and in between at what it hears of;
it publishes a file when it is quiet.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
import random
import time
from collections.abc import Callable
from typing import Final

from cloudsync_core.backend import Backend
from cloudsync_core.backends.file import FileOptions
from cloudsync_core.channels.publisher import Publisher
from cloudsync_core.channels.topic_template import TopicTemplate
from cloudsync_core.config.jobs.publish import PublishJob
from cloudsync_core.engine.bandwidth import Bandwidth
from cloudsync_core.engine.part import Part
from cloudsync_core.engine.probing import find_out
from cloudsync_core.engine.report import Tally
from cloudsync_core.errors import BackendError, CancelledError, ConfigError, ThrottledError, UnavailableError
from cloudsync_core.event_source import EventSource, Watched
from cloudsync_core.layers.readonly import ReadOnly
from cloudsync_core.layers.retry import Retry
from cloudsync_core.location import Location
from cloudsync_core.runs import RunReport
from cloudsync_core.workflows.announcer import READ_AT_ONCE, Rules
from cloudsync_core.workflows.announcing_looks import Looks
from cloudsync_core.workflows.context import Context
from cloudsync_core.workflows.sides import Sides, new_run, open_base, open_sides
from cloudsync_core.workflows.supervision import supervise
from cloudsync_core.workflows.unsettled import Unsettled

_LOG = logging.getLogger(__name__)

FULL_LOOK_SECONDS: Final = 3600.0
"""How often a job that follows looks at everything, about: what no event told of is found then."""

_JITTER: Final = 0.1

_RETRY_SECONDS: Final = 30.0
"""When an object that could not be published is tried again."""

_PAUSES: Final = (1.0, 60.0)
"""Seconds before a job goes on whose source or channel could not be reached: at first, and at most."""

_GLANCE: Final = 0.2
"""Seconds between two looks at whether the job is to end, which a signal handler says without waking anybody."""


def announce(name: str, job: PublishJob, context: Context) -> RunReport:
    """Publish what is new or has changed; a job that follows goes on until it is stopped.

    Args:
        name: the job's name.
        job: what to do.
        context: with what.

    Returns:
        The report: updates that were published are counted as added. What ended the run early is in its `error`.

    Raises:
        ConfigError, PluginError, StateError, OverlappingLocationsError: the run cannot start.
    """
    template = TopicTemplate(job.topic)
    asking = _Asking(READ_AT_ONCE, job.tpslimit, job.retries)
    with open_sides(asking, context) as sides, open_base(name, sides, context) as base:
        run = new_run(name, sides, context, "publish")
        work = _Announcing(job, context, sides, functools.partial(Looks, run, job, context, base=base), template)
        return supervise(run, context, work.do, requests=sides.requests)


@dataclasses.dataclass(frozen=True, slots=True)
class _Asking:
    """How the sides of a job are asked."""

    transfers: int
    tpslimit: float | None
    retries: int


class _Announcing:
    """One run of a job."""

    def __init__(
        self, job: PublishJob, context: Context, sides: Sides, looks: Callable[..., Looks], template: TopicTemplate
    ) -> None:
        self._job = job
        self._context = context
        self._sides = sides
        self._follows = job.follow and not context.dry_run
        bandwidth = Bandwidth(job.bwlimit, context.stop) if job.bwlimit.limits else None
        rules = Rules(
            topic=template,
            metadata=job.metadata,
            content_type=job.content_type,
            same_version=self._follows,
            paced=(lambda _: None) if bandwidth is None else bandwidth.take,
        )
        self._looks = functools.partial(looks, publishers=self._publisher, rules=rules)

    def do(self, tally: Tally) -> str | None:
        """Publish; return `None`."""
        looks = self._looks(tally=tally)
        if self._follows:
            _Live(self._job, self._context, self._sides, looks).go()
        else:
            looks.at_everything(self._sides.source)
        return None

    @functools.lru_cache(maxsize=8)  # noqa: B019 - as long-lived as the run
    def _publisher(self, name: str) -> Publisher:
        """Return the publisher of a name; the first one finds out what the channel's store can do."""
        find_out(self._sides.keeper, self._context.state)
        return Publisher(self._sides.target, name, policy=self._sides.policy, stop=self._context.stop)


class _Live:
    """Publishes files as they are written, until the run is stopped."""

    def __init__(self, job: PublishJob, context: Context, sides: Sides, looks: Looks) -> None:
        self._job = job
        self._context = context
        self._sides = sides
        self._looks = looks
        identity = sides.source.identity
        if identity.namespace != "file":
            raise ConfigError(
                f"{sides.source.location} cannot be followed: only a directory of this machine can",
                hint="leave out follow: true, and run the job again and again",
            )
        self._path = identity.root
        self._looked = False
        self._pause = _PAUSES[0]

    def go(self) -> None:
        """Follow, and go on after whatever passes by itself.

        Raises:
            CancelledError: the user has interrupted it.
            BackendError: the first look failed, or what failed does not pass by itself.
        """
        stop, source = self._context.stop, self._sides.source
        with contextlib.ExitStack() as opened:
            while not stop.is_set():
                try:
                    self._follow(source)
                    break
                except CancelledError:
                    break
                except BackendError as error:
                    if stop.is_set():
                        break
                    if not self._passes(error):
                        raise
                    _LOG.warning("%s\n  going on in %.0f seconds", error, self._pause)
                stop.wait(self._pause)
                self._pause = min(self._pause * 2, _PAUSES[1])
                # By now the directory may be another one.
                opened.close()
                reader = opened.enter_context(self._context.open("source", False))
                source = ReadOnly(Retry(reader, self._sides.policy, stop=stop))
        if stop.interrupted:
            raise CancelledError("interrupted")

    def _passes(self, error: BackendError) -> bool:
        """Tell whether an error may be over in a while: it is no mistake of the configuration if it once went well."""
        of_source = error.location == self._sides.source.location
        return self._looked and (of_source or isinstance(error, UnavailableError | ThrottledError))

    def _follow(self, source: Backend) -> None:
        """Publish what is quiet, as it becomes so; return when there is nothing more to be done."""
        stop = self._context.stop
        options = FileOptions(symlinks=self._job.source.options.get("symlinks", "skip"))
        watched = Watched(Location("file", self._path), source, options, self._looks.scope.prunes)
        unsettled = Unsettled(self._job.settle)
        unsettled.everything_within(0)
        with self._context.plugins.event_source("local", watched) as events:
            while not stop.is_set():
                if unsettled.take_everything():
                    self._look(source, unsettled)
                    unsettled.everything_within(FULL_LOOK_SECONDS * random.uniform(1 - _JITTER, 1 + _JITTER))  # noqa: S311
                elif (part := unsettled.take()) is not None:
                    self._look(source, unsettled, part)
                elif self._is_done(unsettled):
                    return
                else:
                    self._listen(events, unsettled)

    def _look(self, source: Backend, unsettled: Unsettled, part: Part | None = None) -> None:
        left = self._looks.look(source, part, quiet=unsettled.settled, first=not self._looked)
        self._looked = True
        self._pause = _PAUSES[0]
        for result in left:
            seconds = self._job.settle if result.fate == "again" else _RETRY_SECONDS
            unsettled.again([result.candidate.info.key], seconds)

    def _listen(self, events: EventSource, unsettled: Unsettled) -> None:
        due = unsettled.due
        rest = _GLANCE if due is None else min(_GLANCE, max(0.0, due - time.monotonic()))
        hints = events.wait(rest)
        if hints is None:
            return
        if hints.everything is not None:
            _LOG.info("looking at everything: %s", hints.everything)
            unsettled.everything_within(0)
        # There is nothing to acknowledge: after a crash, the first look finds what no look came to.
        unsettled.hint(hints)

    def _is_done(self, unsettled: Unsettled) -> bool:
        return self._context.once and not len(unsettled)
