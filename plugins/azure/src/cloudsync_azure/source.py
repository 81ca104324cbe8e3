"""`azure-queue`: what Event Grid tells of a container, by way of a storage queue.

The queue belongs to one watch job: what it tells of other containers and other prefixes is deleted, too.
"""

from __future__ import annotations

import collections
import functools
import logging
import math
import threading
import time
from collections.abc import Sequence
from typing import Final

from pydantic import Field, SecretStr

from cloudsync_azure.config import AzureOptions
from cloudsync_azure.environment import Environment, shown
from cloudsync_azure.errors import FAILURES
from cloudsync_azure.events import Scope, Settled, UnreadableError, parse
from cloudsync_azure.keeping import Keeper
from cloudsync_azure.queue import Message, meaning_of, open_queue, queue_name
from cloudsync_core import keys
from cloudsync_core.errors import (
    AccessDeniedError,
    BackendError,
    ContainerNotFoundError,
    UnauthenticatedError,
)
from cloudsync_core.event_source import HINTED_AT_ONCE, EventSource, Hints, Watched
from cloudsync_core.options import BackendOptions

_LOG = logging.getLogger(__name__)

POISONED: Final = 3
"""How often a message is received that cannot be read before that is told: somebody else may have wanted it."""

_SLOWER: Final = 1.5
"""By how much the pause grows with each look at an empty queue, or at one that cannot be looked at."""

LONGEST_PAUSE: Final = 20.0
"""Seconds between two looks at a queue at most. One that was deleted cannot be made again for 30 seconds
(https://learn.microsoft.com/rest/api/storageservices/delete-queue3), so that none is missed."""

_FULL_SECONDS: Final = 30.0
"""For which there may be no room for more events before everything is looked at."""

_CLOSE_SECONDS: Final = 0.5
"""For a `wait` that is under way to hand over what it has received."""

_LOSING = (ContainerNotFoundError, AccessDeniedError, UnauthenticatedError)
"""Errors by which events may be lost, because the queue is gone or somebody has to see to it."""


class AzureQueueOptions(BackendOptions):
    """Options of the event source `azure-queue`."""

    queue: str | None = Field(
        None,
        pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$",
        min_length=3,
        max_length=63,
        description="Name of the queue. Default: the name that `cloudsync azure setup` gives it.",
    )
    endpoint_url: str | None = Field(
        None,
        pattern=r"^https?://[^/]",
        description="URL of the queue service. Default: that of the location's account, if its host or its connection "
        "string tells.",
    )
    connection_string: SecretStr | None = Field(
        None, min_length=1, description="Account and credentials of the queue, where they are not the location's."
    )
    sas_token: SecretStr | None = Field(
        None,
        min_length=1,
        description="Shared access signature for the queue, where the location's is for a container.",
    )
    interval: float = Field(0.5, gt=0, le=LONGEST_PAUSE, description="Seconds between two looks after an event.")
    slowest: float = Field(
        3.0, gt=0, le=LONGEST_PAUSE, description="Seconds between two looks at most, however long nothing happens."
    )
    visibility: int = Field(
        120,
        ge=2,
        le=7 * 24 * 3600,
        description="Seconds after which an event that was received comes again if this machine goes down.",
    )


class AzureQueueEvents(EventSource):
    """Tells of changes in a container, as Event Grid has put them into a storage queue.

    Args:
        watched: the container and a prefix.
        options: see `AzureQueueOptions`.

    Raises:
        ConfigError: it cannot be told where the queue is, or by what to be let in.
    """

    def __init__(self, watched: Watched, options: AzureQueueOptions) -> None:
        assert isinstance(watched.options, AzureOptions), "the core checks the options of a location by its scheme"
        prefix = keys.folder(watched.location.prefix)
        blobs = Environment(watched.location, watched.options).address
        name = options.queue or queue_name(blobs.container, prefix)
        self._queue = open_queue(
            watched.location,
            watched.options,
            name,
            options.endpoint_url,
            connection_string=options.connection_string,
            sas_token=options.sas_token,
        )
        self._shown = f"{shown(watched.location)}: the queue {name}"
        self._scope = Scope(blobs.account, blobs.container, prefix, watched.prune)
        self._options = options
        self._keeper = Keeper(self._queue, options.visibility, self._tell_not_hidden)
        self._pause = options.interval
        self._next = 0.0
        self._trouble: BackendError | None = None
        self._has_lost = False
        self._unreadable: collections.Counter[str] = collections.Counter()
        self._told: set[str] = set()
        self._settled = Settled(HINTED_AT_ONCE)
        self._full_since: float | None = None
        self._closed = threading.Event()
        self._waiting = threading.Lock()

    def wait(self, timeout: float) -> Hints | None:
        """Return hints. See `EventSource.wait`."""
        until = time.monotonic() + timeout
        with self._waiting:
            look_now = timeout <= 0
            while not self._closed.is_set():
                pause = 0.0 if look_now else min(self._next, until) - time.monotonic()
                if pause > 0 and self._closed.wait(pause):
                    break
                if not look_now and self._next > until:
                    return None
                hints = self._look()
                if hints is not None or time.monotonic() >= until:
                    return hints
        return None

    def close(self) -> None:
        """Stop watching: what was hinted at and not settled comes again, to whoever asks next."""
        self._closed.set()
        is_idle = self._waiting.acquire(timeout=_CLOSE_SECONDS)
        try:
            self._keeper.close()
        finally:
            if is_idle:
                self._waiting.release()

    @property
    def unreadable(self) -> int:
        """How many messages were received that nobody can read, each as often as it was."""
        return self._unreadable.total()

    def _look(self) -> Hints | None:
        """Receive what there is, and say what it means."""
        if len(self._keeper) >= HINTED_AT_ONCE:
            # Nobody's backlog is held here: it waits in the queue.
            self._put_off(self._options.interval)
            return self._doubt_when_full()
        self._full_since = None
        asked = time.monotonic()
        try:
            messages = self._queue.receive(self._options.visibility)
        except FAILURES as failure:
            self._complain(failure)
            return None
        everything = self._recovered()
        if messages:
            self._pause, self._next = self._options.interval, 0.0
        else:
            self._put_off(self._options.slowest)
        hints = self._hints(messages, asked, everything)
        return hints if hints.keys or hints.folders or hints.everything is not None else None

    def _doubt_when_full(self) -> Hints | None:
        """Let everything be looked at, once, if what is not settled leaves no room for more."""
        now = time.monotonic()
        if self._full_since is None:
            self._full_since = now
        if now - self._full_since < _FULL_SECONDS:
            return None
        self._full_since = math.inf
        return Hints(everything=f"{len(self._keeper)} events wait to be settled, and no more are received meanwhile")

    def _hints(self, messages: Sequence[Message], asked: float, everything: str | None) -> Hints:
        names: dict[str, None] = {}
        folders: dict[str, None] = {}
        wanted: list[str] = []
        sequencers: dict[str, str] = {}
        readable: list[Message] = []
        unwanted: list[str] = []
        for message in messages:
            try:
                changes = parse(message.text)
            except UnreadableError as reason:
                self._leave(message, str(reason))
                continue
            readable.append(message)
            found = [change for change in self._scope.within(changes) if change not in self._settled]
            for change in found:
                (folders if change.is_folder else names)[change.name] = None
            sequencers.update({change.name: change.sequencer for change in found if change.sequencer})
            (wanted if found else unwanted).append(message.identifier)
        self._keeper.hold(readable, asked)
        self._keeper.settle(unwanted)
        if "" in folders:
            del folders[""]
            everything = everything or "a folder that it lies in was moved or removed, or an event names no object"
        return Hints(
            keys=tuple(names),
            folders=tuple(folders),
            everything=everything,
            done=functools.partial(self._settle, wanted, sequencers),
        )

    def _settle(self, identifiers: Sequence[str], sequencers: dict[str, str]) -> None:
        self._settled.add(sequencers)
        self._keeper.settle(identifiers)

    def _leave(self, message: Message, reason: str) -> None:
        self._unreadable[reason] += 1
        if message.received >= POISONED and reason not in self._told:
            self._told.add(reason)
            _LOG.warning(
                "%s has a message that was received %d times and cannot be read: %s. It and its like are left there "
                "until they expire or somebody deletes them; the queue should get the events of one subscription only",
                self._shown, message.received, reason,
            )  # fmt: skip

    def _complain(self, failure: BaseException) -> None:
        """Say that the queue cannot be looked at, once, and look again later."""
        error = meaning_of(failure)
        if error is None or self._closed.is_set():
            return
        self._put_off(LONGEST_PAUSE)
        losing = isinstance(error, _LOSING)
        if self._trouble is None or (losing and not self._has_lost):
            self._trouble = error
            _LOG.warning(
                "%s cannot be read: %s. Events are missing until it can; the target follows by looks at everything",
                self._shown, error,
            )  # fmt: skip
        self._has_lost |= losing

    def _recovered(self) -> str | None:
        """Return why everything has to be looked at, if the queue was not there for a while."""
        if self._trouble is None:
            return None
        _LOG.info("%s can be read again", self._shown)
        has_lost, self._trouble, self._has_lost = self._has_lost, None, False
        return "the queue of the events could not be read for a while" if has_lost else None

    def _put_off(self, longest: float) -> None:
        self._pause = min(self._pause * _SLOWER, max(longest, self._options.interval))
        self._next = time.monotonic() + self._pause

    def _tell_not_hidden(self, error: BackendError) -> None:
        _LOG.warning(
            "%s: its messages cannot be hidden for longer: %s. What takes more than %d s is heard of again meanwhile",
            self._shown, error, self._options.visibility,
        )  # fmt: skip
