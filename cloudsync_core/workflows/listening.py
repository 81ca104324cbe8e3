"""Hears an event source in a thread of its own, and keeps what it says until the workflow has time for it."""

from __future__ import annotations

import dataclasses
import itertools
import threading
import time
from collections.abc import Callable
from typing import Final, Self

from cloudsync_core.engine.dirty import TOO_MANY
from cloudsync_core.engine.executor import Stop
from cloudsync_core.errors import CloudSyncError
from cloudsync_core.event_source import EventSource, Hints

_WAIT: Final = 20.0
"""Seconds for which a source is asked at a time: what queues offer at most."""

_GLANCE: Final = 0.2
"""Seconds between two looks at whether the job is to end, which a signal handler says without waking anybody."""


@dataclasses.dataclass(slots=True)
class Heard:
    """What was heard since it was last asked for.

    Attributes:
        keys: objects that may have changed.
        folders: folders of which everything may have.
        everything: why all has to be looked at, or `None`.
        done: says that the effect of acting on all of this is durable.
    """

    keys: set[str] = dataclasses.field(default_factory=set)
    folders: set[str] = dataclasses.field(default_factory=set)
    everything: str | None = None
    _done: list[Callable[[], None]] = dataclasses.field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.keys or self.folders or self.everything or self._done)

    def add(self, hints: Hints) -> None:
        """Take hints in; of too many keys only that there were too many is kept."""
        self.keys.update(hints.keys)
        self.folders.update(hints.folders)
        self.everything = self.everything or hints.everything
        self._done.append(hints.done)
        if len(self.keys) + len(self.folders) > TOO_MANY:
            self.everything = self.everything or "more has changed than is looked at one by one"
            self.keys.clear()
            self.folders.clear()

    def done(self) -> None:
        """Acknowledge the hints."""
        for acknowledge in self._done:
            acknowledge()


class Listening:
    """Hears a source until it is closed; a context.

    Args:
        source: the source; closed at the end.
        stop: ends every wait.
    """

    def __init__(self, source: EventSource, stop: Stop) -> None:
        self._source = source
        self._stop = stop
        self._lock = threading.Lock()
        self._news = threading.Event()
        self._over = threading.Event()
        self._heard = Heard()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._listen, name="cloudsync-events", daemon=True)

    def wait(self, seconds: float) -> Heard:
        """Return what was heard, as soon as there is something; nothing when the time is over, or the job is to end.

        Raises:
            CloudSyncError: the source cannot go on.
        """
        until = time.monotonic() + seconds
        while not self._stop.is_set() and not self._news.is_set():
            left = until - time.monotonic()
            if left <= 0 or self._news.wait(min(left, _GLANCE)):
                break
        with self._lock:
            self._news.clear()
            heard, self._heard = self._heard, Heard()
            failure = self._failure
        if failure is not None and not heard:
            raise failure
        return heard

    def has_heard(self, key: str) -> bool:
        """Tell whether a key, or a folder above it, was heard of since it was last asked for; from any thread."""
        with self._lock:
            heard = self._heard
            folders = itertools.accumulate(key.split("/")[:-1], lambda above, name: f"{above}/{name}")
            return key in heard.keys or any(f"{folder}/" in heard.folders for folder in folders)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._source.close()
        self._thread.join()

    def _listen(self) -> None:
        while not self._over.is_set():
            try:
                hints = self._source.wait(_WAIT)
            except BaseException as error:  # noqa: BLE001 - raised in the workflow's thread
                if not self._over.is_set() or not isinstance(error, CloudSyncError):
                    self._failure = error
                    self._news.set()
                return
            if hints is not None:
                with self._lock:
                    self._heard.add(hints)
                    self._news.set()
