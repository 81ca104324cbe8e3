"""Tells whether changes of a source are heard of: `cloudsync watch --check`."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from cloudsync_core.cli.console import Console
from cloudsync_core.cli.interrupts import interruptible
from cloudsync_core.config.jobs.watch import WatchJob
from cloudsync_core.config.opening import event_source_name
from cloudsync_core.config.secrets import Resolver
from cloudsync_core.engine.executor import Stop
from cloudsync_core.engine.state import State
from cloudsync_core.errors import printable
from cloudsync_core.location import Location
from cloudsync_core.plugins.facade import Plugins
from cloudsync_core.workflows.context import Context
from cloudsync_core.workflows.hearing import Hearing, hear

_UNHEARD = 1

_LOOK_AT = """\
  Look at these, from the store to here:
  - the store sends events of new and of deleted objects, and its filters let those of this location pass
  - what it sends them to exists, and its policy lets the store send
  - nobody else takes them from there: a job that watches by the same queue has to be stopped for the test
  - the credentials of this machine may read there, and what is set up with --event-option is right
  The job follows all the same, by the looks at everything: every --reconcile seconds."""


def check_hearing(console: Console, job: WatchJob, name: str, *, timeout: float) -> int:
    """Test whether a job hears of changes, tell what came of it, and return the exit code.

    Args:
        console: where it is told.
        job: the job.
        name: its name.
        timeout: seconds to wait for the event of the probe.

    Raises:
        CloudSyncError: it cannot be tested; see `hear`.
    """
    plugins = Plugins.load()
    resolver = Resolver(directory=Path.cwd(), hook=plugins.resolve_secret)
    console.hide(resolver.values)
    events = event_source_name(job.events, Location.parse(job.source.url))
    stop = Stop()
    # A state of its own: the check leaves that of the job alone.
    with State(None, redact=console.redact) as state, interruptible(stop, lambda: None):
        context = Context.of(job, plugins=plugins, resolver=resolver, state=state, name=name)
        console.note(f"a probe is written to the source, and its event is waited for, {timeout:g} s at most")
        found = hear(job, dataclasses.replace(context, stop=stop), timeout=timeout)
    return _tell(console, found, events, timeout)


def _tell(console: Console, found: Hearing, events: str, timeout: float) -> int:
    exit_code = 0 if found.seconds is not None else _UNHEARD
    values = {"source": found.source, "events": events, "key": found.key, "seconds": found.seconds}
    console.event("report", {**values, "heard": found.seconds is not None, "exit_code": exit_code})
    if found.seconds is not None:
        console.result(f"{events} told of a change at {found.source} after {found.seconds:.1f} s")
        return exit_code
    console.trouble(f"{events} told of no change at {found.source} within {timeout:g} s", {"fg": "red"})
    if found.doubt is not None:
        console.trouble(f"  It said that it may have missed some: {printable(found.doubt)}")
    console.trouble(_LOOK_AT)
    return exit_code
