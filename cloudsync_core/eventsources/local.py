"""`local`: what the system tells of changes in a directory of this machine.

On Linux that is inotify, elsewhere what watchdog makes of the system's own. Where the system does not tell (a network
file system, the limit of watches, symbolic links that are followed out of sight), the directory is listed again and
again instead, and a warning says so, once.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cloudsync_core.errors import printable
from cloudsync_core.event_source import EventSource, Hints, Watched
from cloudsync_core.eventsources._tree import ROOT_GONE, LostTrackError, NotToldError, Tree
from cloudsync_core.eventsources.poll import PollEvents, PollOptions
from cloudsync_core.mounts import MOUNTS, without_events
from cloudsync_core.options import BackendOptions

_LOG = logging.getLogger(__name__)

_LOOK_AT_ROOT: Final = 1.0
"""Seconds between two looks at whether the directory is still the one that is watched: a mount is no event."""


class LocalOptions(BackendOptions):
    """Options of `local`.

    Attributes:
        interval: seconds between two listings where the system does not tell.
    """

    interval: float = 2.0


class LocalEvents(EventSource):
    """Tells of changes in a directory, and of the directory's own coming and going.

    Args:
        watched: the directory.
        options: see `LocalOptions`.
        mounts: the list of what is mounted.
        make: returns what watches the tree; the system's own way, unless given.
    """

    def __init__(
        self,
        watched: Watched,
        options: LocalOptions | None = None,
        *,
        mounts: Path = MOUNTS,
        make: Callable[[Watched], Tree] | None = None,
    ) -> None:
        self._watched = watched
        self._options = options or LocalOptions()
        self._path = watched.location.rest
        self._make = make or (_watches if sys.platform == "linux" else _observer)
        self._tree: Tree | None = None
        self._polling: PollEvents | None = None
        self._closed = threading.Event()
        self._waiting = threading.Lock()
        self._looked_at_root = time.monotonic()
        kind = without_events(Path(self._path), mounts)
        if kind is not None:
            self._poll(f"the system does not tell all changes on a file system of the kind {kind}")
        else:
            self._watch()

    @property
    def polls(self) -> bool:
        """Whether the directory is listed again and again, because the system does not tell what changes."""
        return self._polling is not None

    def wait(self, timeout: float) -> Hints | None:
        """Return hints. See `EventSource.wait`."""
        with self._waiting:
            return self._wait(time.monotonic() + timeout)

    def _wait(self, until: float) -> Hints | None:
        while not self._closed.is_set():
            left = max(0.0, until - time.monotonic())
            if self._polling is not None:
                return self._polling.wait(left)
            found = self._wait_for_root(left) if self._tree is None else self._wait_for_change(self._tree, left)
            if found is not None or time.monotonic() >= until:
                return found
        return None

    def close(self) -> None:
        """Stop watching."""
        self._closed.set()
        # What takes the place of these now sees by itself that it is over.
        if (tree := self._tree) is not None:
            tree.wake()
        if self._polling is not None:
            self._polling.close()
        with self._waiting:
            self._let_go()
            if self._polling is not None:
                self._polling.close()

    def _wait_for_change(self, tree: Tree, timeout: float) -> Hints | None:
        try:
            if time.monotonic() - self._looked_at_root >= _LOOK_AT_ROOT:
                self._looked_at_root = time.monotonic()
                if _identity(self._path) != tree.identity:
                    raise LostTrackError(ROOT_GONE)  # noqa: TRY301 - the same as where the system tells it
            return tree.wait(min(timeout, _LOOK_AT_ROOT))
        except LostTrackError as reason:
            self._let_go()
            # Watched first and looked at then: the other way round, what changes in between would be missed.
            self._watch()
            return Hints(everything=str(reason))
        except NotToldError as reason:
            self._let_go()
            self._poll(str(reason))
            return Hints(everything=str(reason))

    def _wait_for_root(self, timeout: float) -> Hints | None:
        """Wait for the directory to be made again."""
        self._closed.wait(min(timeout, _LOOK_AT_ROOT))
        self._watch()
        return (
            None if self._tree is None and self._polling is None else Hints(everything="the directory is there again")
        )

    def _watch(self) -> None:
        """Watch the directory if it is there, in the best way that there is."""
        try:
            self._tree = self._make(self._watched)
        except NotToldError as reason:
            self._poll(str(reason))
        except OSError as error:
            if isinstance(error, FileNotFoundError | NotADirectoryError):
                return
            self._poll(f"the directory cannot be watched: {error.strerror}")

    def _poll(self, reason: str) -> None:
        _LOG.warning(
            "%s: %s. It is listed every %g s and less often while nothing changes instead",
            printable(self._path), reason, self._options.interval,
        )  # fmt: skip
        self._polling = PollEvents(self._watched, PollOptions(interval=self._options.interval))

    def _let_go(self) -> None:
        if self._tree is not None:
            self._tree.close()
            self._tree = None


def _identity(path: str) -> tuple[int, int] | None:
    with contextlib.suppress(OSError):
        status = Path(path).stat()
        return status.st_dev, status.st_ino
    return None


def _watches(watched: Watched) -> Tree:
    from cloudsync_core.eventsources._watches import Watches  # noqa: PLC0415 - there is no inotify elsewhere

    follow = getattr(watched.options, "symlinks", "skip") == "follow"
    return Watches(os.path.realpath(watched.location.rest), prune=watched.prune, follow=follow)


def _observer(watched: Watched) -> Tree:
    from cloudsync_core.eventsources._observer import Observed  # noqa: PLC0415 - it takes a while to import

    follow = getattr(watched.options, "symlinks", "skip") == "follow"
    return Observed(os.path.realpath(watched.location.rest), follow=follow)
