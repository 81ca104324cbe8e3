"""What a run needs from its surroundings, whichever workflow it is."""

from __future__ import annotations

import dataclasses
import time
import uuid
from collections.abc import Callable

from cloudsync_core.backend import Backend
from cloudsync_core.config.model import LocationConfig
from cloudsync_core.engine.events import Listener, nobody
from cloudsync_core.engine.executor import Stop
from cloudsync_core.engine.progress import Progress
from cloudsync_core.engine.state import State
from cloudsync_core.plugins.facade import Plugins


@dataclasses.dataclass(frozen=True, slots=True)
class Context:
    """The surroundings of one run.

    Attributes:
        plugins: the plugins of this run.
        open: opens a location; the second argument tells whether it may be made when it does not exist.
        state: the open state database; read-only in a dry run.
        resolve: replaces references to secrets in a header's value.
        dry_run: plan, and write nothing.
        stop: ends the run early.
        progress: the numbers that a display reads.
        listener: is told the events.
    """

    plugins: Plugins
    open: Callable[[LocationConfig, bool], Backend]
    state: State
    resolve: Callable[[str], str] = str
    dry_run: bool = False
    stop: Stop = dataclasses.field(default_factory=Stop)
    progress: Progress = dataclasses.field(default_factory=Progress)
    listener: Listener = nobody


def new_run_id(started: float) -> str:
    """Return a unique identifier that sorts by time: `20261120T101500Z-1a2b3c4d`.

    Args:
        started: seconds since the epoch, UTC.
    """
    return f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(started))}-{uuid.uuid4().hex[:8]}"
