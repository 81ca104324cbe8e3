"""What a channel offers to those who read it from Python: subscribing, looking into it, keeping it small."""

from __future__ import annotations

import abc
import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from cloudsync_core.api.subscribing import Subscription, Wanted, subscriber_state
from cloudsync_core.backend import Backend
from cloudsync_core.channels import events, ids, pruning
from cloudsync_core.channels import stats as statistics
from cloudsync_core.channels.ahead import Ahead
from cloudsync_core.channels.pruning import PruneReport
from cloudsync_core.channels.scan import Listed, scan
from cloudsync_core.channels.starting import Start
from cloudsync_core.channels.stats import ChannelStats
from cloudsync_core.channels.update import Update
from cloudsync_core.errors import (
    CloudSyncError,
    ConfigError,
    DamagedUpdateError,
    ObjectNotFoundError,
    UnsupportedFormatError,
    printable,
)

_LOG = logging.getLogger(__name__)


class Readable(abc.ABC):
    """The half of a `Channel` that reads.

    Attributes:
        url: the location, as the user wrote it.
        publisher: the name under which this program publishes.
    """

    url: str
    publisher: str

    @abc.abstractmethod
    def _opened(self) -> Backend:
        """Return the channel's backend, which retries what fails in passing."""

    def subscribe(
        self,
        callback: Callable[[Update], object] | None = None,
        *,
        name: str,
        topics: Sequence[str] = (),
        interval: float = 30.0,
        cursor: Start = "earliest",
        skip_own: bool = False,
        state: str | Path | None = "auto",
        attempts: int = 5,
        register: bool = True,
        once: bool = False,
        listener: events.Listener = events.nobody,
    ) -> Subscription:
        """Receive the updates, from now on in a thread of its own; see `Subscription` for the two ways to use it.

        What is promised, and what it costs, is in docs/subscribing.md. It has begun when this returns: what is
        published from then on is received.

        Args:
            callback: is called with each update, one after the other; without it the subscription is an iterator.
            name: of the subscriber; each has one of its own.
            topics: patterns: `*` is any part of a segment, `**` any number of segments. Without any, all are wanted.
            interval: seconds from one look at the channel to the next.
            cursor: where a new subscription begins: "earliest", "latest", or a time: seconds since the epoch, UTC.
            skip_own: leave out what `publisher` has published.
            state: the state database, which knows what was received: a path; "auto" for one in the user's state
                directory, chosen by channel and name; `None` to remember nothing.
            attempts: how often an update is delivered before it is parked.
            register: tell the channel how far the subscriber is, so that nothing is pruned that it has not seen.
            once: end when what is there is delivered.
            listener: is told what happens, in the subscription's thread; see `cloudsync_core.channels.events`.

        Raises:
            StateError: another process of this machine has the subscription, or the state database cannot be used.
            ChannelError: another subscriber has the name.
            BackendError: the channel cannot be used.
            ConfigError: an argument is wrong.
        """
        wanted = Wanted(
            name,
            topics,
            interval,
            cursor,
            self.publisher if skip_own else None,
            subscriber_state(self.url, name) if state == "auto" else None if state is None else Path(state),
            attempts,
            register,
            once,
            listener,
        )
        return Subscription(self._opened(), callback, wanted)

    def updates(self, after: str | None = None) -> Iterator[Update]:
        """Yield the updates that are there, in the order of their ids; nothing is remembered.

        What is damaged, or of a newer format, is left out and logged.

        Args:
            after: the id of an update; only those that follow it.

        Raises:
            ConfigError: `after` is no id.
            BackendError: the channel cannot be read.
        """
        if after is not None and not ids.is_update_id(after):
            raise ConfigError(f"{printable(after)!r} is no id of an update")
        return self._updates(after)

    def stats(self) -> ChannelStats:
        """Return what the channel holds, and how far its subscribers are.

        Raises:
            BackendError: it cannot be read.
        """
        return statistics.stats(self._opened())

    def prune(
        self,
        *,
        max_age: float | None = None,
        max_count: int | None = None,
        keep_latest: int | None = None,
        force: bool = False,
        dry_run: bool = False,
    ) -> PruneReport:
        """Remove old updates, and never what a registered subscriber has not seen; see docs/subscribing.md.

        Args:
            max_age: seconds; what is older is removed.
            max_count: so many objects of updates stay, the newest.
            keep_latest: so many updates of each topic stay in any case, the latest.
            force: remove what subscribers have not seen, too.
            dry_run: remove nothing, and tell what would be.

        Raises:
            ConfigError: no rule is given, or one makes no sense.
            BackendError: the channel cannot be read.
        """
        return pruning.prune(
            self._opened(),
            max_age=max_age,
            max_count=max_count,
            keep_latest=keep_latest,
            force=force,
            dry_run=dry_run,
        )

    def _updates(self, after: str | None) -> Iterator[Update]:
        backend = self._opened()
        floor = None if after is None else ids.object_of(after)
        with (
            contextlib.closing(Ahead(backend)) as ahead,
            contextlib.closing(ahead.fetched(_listed(backend, floor))) as found,
        ):
            for listed, updates in found:
                if isinstance(updates, CloudSyncError):
                    if not isinstance(updates, DamagedUpdateError | UnsupportedFormatError | ObjectNotFoundError):
                        raise updates
                    _LOG.warning("%s is left out: %s", listed.key, updates)
                else:
                    yield from (update for update in updates if after is None or update.id > after)


def _listed(backend: Backend, floor: str | None) -> Iterator[Listed]:
    for page, _ in scan(backend, floor):
        yield from page
