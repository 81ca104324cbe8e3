"""`pubsub`: Cloud Storage's own notifications, as a subscription of Pub/Sub delivers them."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import threading
import time
from collections.abc import Sequence
from typing import ClassVar, Final

from pydantic import Field

from cloudsync_core import keys
from cloudsync_core.backends.objectstore.options import ServerOptions
from cloudsync_core.errors import BackendError, ConfigError, Disposition
from cloudsync_core.event_source import EventSource, Hints, Watched
from cloudsync_core.location import Location
from cloudsync_gcs import events
from cloudsync_gcs.config import GCSOptions, service_account
from cloudsync_gcs.keeping import Leases
from cloudsync_gcs.queue import Received, Subscription

_LOG = logging.getLogger(__name__)

_FULL_NAME: Final = re.compile(r"projects/[^/]+/subscriptions/[^/]+")
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 60.0
_SPACING: Final = 0.5
"""Seconds between two pulls at least, of a server that does not wait for messages."""


_GLANCE: Final = 0.2
"""Seconds between two looks at whether this is closed, where too much is held to pull more."""

_FULL_FOR_LONG: Final = 30.0
"""Seconds."""


class PubSubOptions(ServerOptions):
    """Options of `pubsub`."""

    endpoint_examples: ClassVar = "http://127.0.0.1:8085"

    subscription: str | None = Field(
        None,
        min_length=1,
        description="Name of the subscription, or `projects/PROJECT/subscriptions/NAME`. "
        "Default: the one that `cloudsync gcs setup` makes for the bucket and the prefix.",
    )
    project: str | None = Field(
        None,
        min_length=1,
        description="Project of the subscription. Default: `project` of the location, GOOGLE_CLOUD_PROJECT, or that of "
        "the service account's key.",
    )
    endpoint_url: str | None = Field(
        None, description="URL of the server. Default: PUBSUB_EMULATOR_HOST, else Google's Pub/Sub."
    )
    batch: int = Field(500, ge=1, le=1000, description="Messages that are pulled at once, at most.")
    ack_deadline: int = Field(
        60,
        ge=10,
        le=600,
        description="Seconds for which messages are held; it is extended while work is under way. After a crash they "
        "come again when it is over.",
    )


def default_name(bucket: str, prefix: str) -> str:
    """Return the name of the topic and the subscription of a place, unless a user gives another."""
    if not prefix:
        return f"cloudsync-{bucket}"
    return f"cloudsync-{bucket}-{hashlib.sha256(prefix.encode()).hexdigest()[:8]}"


def project_of(project: str | None, options: GCSOptions, what: str) -> str:
    """Return the project in which a topic or a subscription is looked for.

    Args:
        project: as a user has given it.
        options: of the location.
        what: for the message.

    Raises:
        ConfigError: nobody names one.
    """
    found = project or options.project or os.environ.get("GOOGLE_CLOUD_PROJECT")
    if not found and options.service_account_json is not None:
        found = str(service_account(options.service_account_json.get_secret_value()).get("project_id") or "")
    if not found and options.service_account_file is not None:
        try:
            text = options.service_account_file.read_text(encoding="utf-8")
            found = str(service_account(text).get("project_id") or "")
        except (OSError, ValueError):
            found = ""  # the connection, which needs the key, says what is wrong with the file
    if not found:
        raise ConfigError(f"{what}: nothing names its project", hint="Give the project, or set GOOGLE_CLOUD_PROJECT.")
    return found


def subscription_name(options: PubSubOptions, watched: Location, location: GCSOptions) -> str:
    """Return the full name of the subscription that is meant.

    Raises:
        ConfigError: nobody names its project, or it is no name.
    """
    name = options.subscription or default_name(watched.container, watched.prefix)
    if "/" in name:
        if _FULL_NAME.fullmatch(name) is None:
            hint = "Write its name, or projects/PROJECT/subscriptions/NAME."
            raise ConfigError(f"{name!r} is no name of a subscription", hint=hint)
        return name
    return f"projects/{project_of(options.project, location, f'the subscription {name}')}/subscriptions/{name}"


class PubSubEvents(EventSource):
    """Tells of changes in a bucket, as notifications say; nothing is acknowledged before it is settled.

    A thread pulls: one batch waits for `wait`, and the rest stays with the server.

    Args:
        watched: a place in a bucket.
        options: see `PubSubOptions`.

    Raises:
        ConfigError: nothing names the subscription's project, or the environment cannot be used.

    Attributes:
        unreadable: messages that could not be understood so far; they are left to the dead-letter topic.
    """

    def __init__(self, watched: Watched, options: PubSubOptions | None = None) -> None:
        self._options = options or PubSubOptions.model_validate({})
        self._bucket = watched.location.container
        self._root = keys.folder(watched.location.prefix)
        self._place = str(watched.location)
        place = watched.options
        assert isinstance(place, GCSOptions), "the schemes of this source are those of the backend"
        name = subscription_name(self._options, watched.location, place)
        self.unreadable = 0
        self._complained: set[str] = set()
        self._past = events.Settled()
        self._trouble: str | None = None
        self._missed = False
        self._pause = 0.0
        self._full_since: float | None = None
        self._found: Hints | None = None
        self._failure: BaseException | None = None
        self._news = threading.Condition()
        self._closed = threading.Event()
        self._closing = threading.Lock()
        self._subscription = Subscription(name, place, self._options.endpoint_url)
        self._leases = Leases(self._subscription, self._options.ack_deadline)
        self._thread = threading.Thread(target=self._listen, name="cloudsync-gcs-events", daemon=True)
        self._thread.start()

    def wait(self, timeout: float) -> Hints | None:
        """Return hints. See `EventSource.wait`."""
        with self._news:
            self._news.wait_for(lambda: self._found or self._failure or self._closed.is_set(), timeout)
            if self._closed.is_set():
                return None
            if self._found is None and self._failure is not None:
                raise self._failure
            found, self._found = self._found, None
            self._news.notify_all()
            return found

    def close(self) -> None:
        """Stop pulling; acknowledge what is settled, and give back the rest."""
        self._closed.set()
        with self._news:
            self._news.notify_all()
        with self._closing:
            while self._thread.is_alive():
                # Again and again: it may have been about to connect.
                self._subscription.interrupt()
                self._thread.join(0.05)
            self._leases.close()
            self._subscription.close()

    def _listen(self) -> None:
        try:
            while not self._closed.is_set():
                if self._leases.wait_for_room(_GLANCE):
                    self._full_since = None
                    self._pull()
                else:
                    self._see_to_room()
        except BaseException as error:  # noqa: BLE001 - raised from `wait`
            with self._news:
                self._failure = error
                self._news.notify_all()

    def _see_to_room(self) -> None:
        """Ask for a look at everything, once, where too much is held for long: it settles what stands in the way."""
        now = time.monotonic()
        if self._full_since is None:
            self._full_since = now
        elif now - self._full_since >= _FULL_FOR_LONG:
            self._full_since = float("inf")
            self._offer(Hints(everything="more messages wait to be settled than are held at once"))

    def _pull(self) -> None:
        began = time.monotonic()
        try:
            # After trouble nobody is to wait for the next message to learn that it is over.
            received = self._subscription.pull(self._options.batch, at_once=self._trouble is not None)
        except BackendError as error:
            if not self._closed.is_set():
                self._put_off(error)
            return
        self._recover()
        self._take(received)
        if not received:
            self._closed.wait(max(0.0, _SPACING - (time.monotonic() - began)))

    def _take(self, received: Sequence[Received]) -> None:
        """Offer what messages tell, and settle what tells nothing new of this place."""
        changes: dict[str, events.Change] = {}
        found: list[events.Change] = []
        nothing_new: list[str] = []
        leases: list[str] = []
        for lease, message in received:
            try:
                change = events.read(message, self._bucket, self._root)
            except events.UnreadableError as error:
                self._leave(str(error))
                continue
            if change is None or self._past.covers(change):
                nothing_new.append(lease)
            else:
                changes[change.key] = change
                found.append(change)
                leases.append(lease)
        self._leases.hold([*nothing_new, *leases])
        self._leases.settle(nothing_new)
        if leases:
            self._offer(Hints(keys=tuple(changes), done=lambda: self._settle(found, leases)))

    def _settle(self, changes: Sequence[events.Change], leases: Sequence[str]) -> None:
        for change in changes:
            self._past.add(change)
        self._leases.settle(leases)

    def _offer(self, hints: Hints) -> None:
        with self._news:
            self._news.wait_for(lambda: self._found is None or self._closed.is_set())
            self._found = hints
            self._news.notify_all()

    def _leave(self, reason: str) -> None:
        self.unreadable += 1
        if reason not in self._complained:
            self._complained.add(reason)
            _LOG.warning(
                "%s: a message of %s cannot be understood, and is left to its dead-letter topic: %s",
                self._place, self._subscription.name, reason,
            )  # fmt: skip

    def _put_off(self, error: BackendError) -> None:
        """Wait a while; what does not pass by itself may have cost events."""
        self._missed = self._missed or error.disposition is not Disposition.RETRY
        if self._trouble is None:
            _LOG.warning(
                "%s: no events come, so that changes are seen by looks at everything alone: %s", self._place, error
            )
        self._trouble = error.reason
        self._pause = min(max(self._pause * 2, _FIRST_PAUSE), _LONGEST_PAUSE)
        self._closed.wait(max(self._pause, min(error.retry_after or 0.0, _LONGEST_PAUSE)))

    def _recover(self) -> None:
        if self._trouble is None:
            return
        _LOG.warning("%s: events come again", self._place)
        trouble, missed = self._trouble, self._missed
        self._trouble, self._missed, self._pause = None, False, 0.0
        if missed:
            self._offer(Hints(everything=f"no events came for a while: {trouble}"))
