"""`sqs`: what a bucket tells of its objects through a queue of SQS."""

from __future__ import annotations

import collections
import functools
import hashlib
import logging
import math
import random
import threading
import time
from collections.abc import Iterable
from typing import Final

from pydantic import Field, field_validator

from cloudsync_core import keys
from cloudsync_core.errors import BackendError, ConfigError, Disposition, printable
from cloudsync_core.event_source import EventSource, Hints, Watched
from cloudsync_core.options import BackendOptions
from cloudsync_s3.config import S3Options
from cloudsync_s3.events import Event, UnreadableError, read
from cloudsync_s3.keeping import Keeper
from cloudsync_s3.queue import LONGEST_WAIT, Message, Name, Queue

_LOG = logging.getLogger(__name__)

MOST_UNSETTLED: Final = 10_000
"""Messages that may be received and not settled: beyond it none is received. SQS itself allows 120,000."""

_FULL_SECONDS: Final = 30.0
"""When no message could be received for so long because too many are unsettled, everything is to be looked at."""

_REMEMBERED: Final = 10_000
"""Objects at most whose last settled event is remembered."""

_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 60.0

_LONGEST_BUCKET: Final = 56
"""Characters of a bucket's name in the name of a queue, which has 80 at most and more to say."""


class SqsOptions(BackendOptions):
    """Options of `sqs`."""

    queue: str | None = Field(
        None,
        min_length=1,
        description="Name, URL or ARN of the queue. Default: the name that `cloudsync s3 setup` gives it.",
    )
    visibility: int = Field(
        300,
        ge=2,
        le=12 * 60 * 60,
        description="Seconds after which a message comes again when the process that had it has died. While it lives, "
        "it keeps the message for as long as it needs it.",
    )
    wait: int = Field(
        LONGEST_WAIT,
        ge=1,
        le=LONGEST_WAIT,
        description="Seconds for which one request waits for messages. Fewer cost more requests, and find out sooner "
        "that the queue is gone.",
    )
    endpoint_url: str | None = Field(
        None,
        description="URL of the server of the queue. Default: that of the queue's URL, AWS_ENDPOINT_URL_SQS, the "
        "location's `endpoint_url`, AWS_ENDPOINT_URL, the profile, else Amazon SQS.",
    )
    bucket: str | None = Field(
        None,
        min_length=1,
        description="What the events call the bucket, where the location names an alias or an access point.",
    )

    @field_validator("queue", "endpoint_url")
    @classmethod
    def _is_usable(cls, text: str | None) -> str | None:
        if text is not None:
            Name.parse(text)
        return text


def default_queue(bucket: str, prefix: str) -> str:
    """Return the name of the queue for a bucket and a prefix, where nobody has given another one.

    >>> default_queue("my.bucket", "")
    'cloudsync-my_bucket'
    """
    name = f"cloudsync-{bucket.replace('.', '_')}"
    if not prefix and len(bucket) <= _LONGEST_BUCKET:
        return name
    digest = hashlib.sha256(f"{bucket}/{keys.folder(prefix)}".encode()).hexdigest()[:8]
    return f"{name[: len('cloudsync-') + _LONGEST_BUCKET]}-{digest}"


class SqsEvents(EventSource):
    """Tells of the objects that the messages in a queue name; each message is deleted when it is settled.

    Messages that nobody can read stay in the queue, which puts them aside if it has a queue for such.

    Args:
        watched: the location.
        options: see `SqsOptions`.

    Raises:
        ConfigError: the location names no bucket, or the AWS environment cannot be used.

    Attributes:
        unreadable: messages that could not be read, by their kind.
    """

    def __init__(self, watched: Watched, options: SqsOptions) -> None:
        assert isinstance(watched.options, S3Options), "the record says which locations it can watch"
        place = watched.location
        self._location = str(place).removesuffix("/")
        if not place.container:
            raise ConfigError(f"{self._location}: the location names no bucket")
        self._bucket = options.bucket or place.container
        self._root = keys.folder(place.prefix)
        self._longest = options.wait
        name = Name.parse(options.queue or default_queue(place.container, place.prefix))
        self._name = name.queue
        prefix = f" --prefix {place.prefix}" if place.prefix else ""
        self._hint = f"To make the queue: cloudsync s3 setup {place.container}{prefix}" if not options.queue else ""
        self._queue = Queue(
            name, watched.options, self._location, url=options.endpoint_url, visibility=options.visibility
        )
        self._keeper = Keeper(self._queue, visibility=options.visibility, most=MOST_UNSETTLED)
        self.unreadable: collections.Counter[str] = collections.Counter()
        self._told_of_key = False
        self._settled = _Settled()
        self._doubt: str | None = None
        self._trouble: BackendError | None = None
        self._pause = 0.0
        self._not_before = 0.0
        self._full_since: float | None = None
        self._waiting = threading.Lock()
        self._closed = threading.Event()

    def wait(self, timeout: float) -> Hints | None:
        """Return hints. See `EventSource.wait`."""
        with self._waiting:
            return self._wait(time.monotonic() + timeout)

    def close(self) -> None:
        """Receive no more, and let others have what is not settled. See `EventSource.close`."""
        self._closed.set()
        self._keeper.shut()
        # Over and over: a request may begin in this moment.
        self._queue.interrupt()
        while not self._waiting.acquire(timeout=0.05):
            self._queue.interrupt()
        try:
            self._keeper.close()
            self._queue.close()
        finally:
            self._waiting.release()

    def _wait(self, until: float) -> Hints | None:
        asked = False
        while not self._closed.is_set():
            left = until - time.monotonic()
            if asked and left <= 0:
                return None
            asked = True
            if (rest := self._not_before - time.monotonic()) > 0:
                self._closed.wait(max(0.0, min(rest, left)))
                if rest > left:
                    return None
                continue
            if not self._keeper.has_room(min(max(0.0, left), _FULL_SECONDS)):
                if (hints := self._full()) is not None:
                    return hints
                continue
            self._full_since = None
            if (hints := self._receive(max(0.0, until - time.monotonic()))) is not None:
                return hints
        return None

    def _receive(self, timeout: float) -> Hints | None:
        try:
            messages = self._queue.receive(min(self._longest, math.ceil(timeout)))
        except BackendError as error:
            if not self._closed.is_set():
                self._failed(error)
            return None
        hints = self._understood(messages)
        doubt = self._recovered()
        if doubt is None:
            return hints
        return Hints(everything=doubt) if hints is None else Hints(hints.keys, everything=doubt, done=hints.done)

    def _understood(self, messages: Iterable[Message]) -> Hints | None:
        """Return hints at what messages tell of; what they tell of others, or is over, is settled."""
        held: list[str] = []
        nothing: list[str] = []
        names: dict[str, str] = {}
        for message in messages:
            try:
                found = self._ours(read(message.text))
            except UnreadableError as error:
                self._left(error.kind)
                continue
            names.update(found)
            (held if found else nothing).append(message.receipt)
        self._keeper.hold(held)
        self._keeper.settle(nothing)
        return Hints(tuple(names), done=functools.partial(self._done, held, names)) if held else None

    def _ours(self, events: Iterable[Event]) -> dict[str, str]:
        """Return the keys that events tell of, and when each was: of this place, and not older than what is settled."""
        found: dict[str, str] = {}
        for event in events:
            if event.bucket != self._bucket or not event.key.startswith(self._root) or event.key == self._root:
                continue
            key = event.key.removeprefix(self._root)
            if not event.valid:
                self._no_key(event.key)
            elif not self._settled.covers(key, event):
                found[key] = event.sequencer
        return found

    def _done(self, receipts: list[str], names: dict[str, str]) -> None:
        self._settled.add(names)
        self._keeper.settle(receipts)

    def _full(self) -> Hints | None:
        """Ask, now and then, for a look at everything where one object that cannot be settled holds up all others."""
        now = time.monotonic()
        if self._full_since is None:
            self._full_since = now
        if now - self._full_since < _FULL_SECONDS or self._closed.is_set():
            return None
        self._full_since = now
        return Hints(everything="more messages are in hand than can be looked at one by one")

    def _failed(self, error: BackendError) -> None:
        """Say once that no events come, and wait a while."""
        self._queue.forget()
        lasting = error.disposition is not Disposition.RETRY
        if self._trouble is None or (lasting and self._doubt is None):
            hint = f"\n  {self._hint}" if lasting and self._hint else ""
            _LOG.warning(
                "%s\n  No events come from the queue until this is mended. What changes is found when everything is "
                "looked at.%s", error, hint,
            )  # fmt: skip
        self._trouble = error
        if lasting:
            self._doubt = f"no events came from the queue {self._name} for a while"
        self._pause = min(max(self._pause * 2, _FIRST_PAUSE), _LONGEST_PAUSE)
        # Not all watchers of all machines at the same moment.
        wait = error.retry_after or self._pause * random.uniform(0.75, 1.0)  # noqa: S311 - no secret
        self._not_before = time.monotonic() + wait

    def _recovered(self) -> str | None:
        """Say that events come again, if they did not; return why everything is to be looked at, or `None`."""
        self._pause = 0.0
        if self._trouble is None:
            return None
        _LOG.info("%s: events come from the queue %s again", self._location, self._name)
        self._trouble = None
        doubt, self._doubt = self._doubt, None
        return doubt

    def _left(self, kind: str) -> None:
        self.unreadable[kind] += 1
        if self.unreadable[kind] == 1:
            _LOG.warning(
                "%s: a message in the queue %s cannot be read: %s. It is left there, and so are others like it.",
                self._location, self._name, kind,
            )  # fmt: skip

    def _no_key(self, name: str) -> None:
        if not self._told_of_key:
            self._told_of_key = True
            _LOG.warning("%s: an event names what is no key: %s", self._location, printable(name))


class _Settled:
    """The last event of each object that is settled, as far as they are remembered; safe to use from two threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sequencers: collections.OrderedDict[str, str] = collections.OrderedDict()

    def add(self, names: dict[str, str]) -> None:
        """Take events for settled: keys, each with its sequencer."""
        with self._lock:
            for key, sequencer in names.items():
                if sequencer:
                    self._sequencers[key] = sequencer
                    self._sequencers.move_to_end(key)
            while len(self._sequencers) > _REMEMBERED:
                self._sequencers.popitem(last=False)

    def covers(self, key: str, event: Event) -> bool:
        """Tell whether an event was before one that is settled: whoever looked then has seen what it tells."""
        with self._lock:
            return bool(event.sequencer) and event.is_older(self._sequencers.get(key, ""))
