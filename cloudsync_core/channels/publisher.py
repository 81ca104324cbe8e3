"""Publishing: messages become updates, several of them in one object, and each is there as a whole or not at all."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from cloudsync_core.backend import Backend
from cloudsync_core.channels import ids, names, scan
from cloudsync_core.channels.clock import LATE_NS, IdSource
from cloudsync_core.channels.drafts import Draft, Drafter, Message, Opened
from cloudsync_core.channels.objects import Objects, encoded
from cloudsync_core.channels.payloads import Payload
from cloudsync_core.channels.update import Update
from cloudsync_core.channels.uploads import Uploads
from cloudsync_core.crashpoints import hit
from cloudsync_core.errors import (
    BackendError,
    Disposition,
    ObjectExistsError,
    ObjectNotFoundError,
    UnavailableError,
)
from cloudsync_core.layers.retry import RetryPolicy

__all__ = ["COMPRESS_ABOVE", "INLINE_MAX", "Message", "Opened", "Publisher", "StaleIdError"]

_LOG = logging.getLogger(__name__)

INLINE_MAX: Final = 64 * 1024
"""Bytes of content that go inside an update, unless somebody says otherwise."""

COMPRESS_ABOVE: Final = 1024
"""Bytes of an object above which it is worth compressing, unless somebody says otherwise."""

OBJECT_SIZE: Final = 1024 * 1024
"""Bytes of updates that go into one object, about, before compression."""

_TRIES: Final = 3
"""Ids under which an update is tried before its publisher gives up."""


class StaleIdError(UnavailableError):
    """The id is too far from the store's clock to publish under it; nothing is visible, and another id will do."""

    default_disposition = Disposition.SKIP


class Publisher:
    """Publishes under one name; from many threads.

    What `publish` has returned is in the channel before anything that is published after it; in one topic, subscribers
    receive it first. Ids ascend. Where the clock of this host and the store's differ by more than half of
    `ids.OVERLAP_NS`, the first update is taken back and published again under an id by the store's clock.

    Args:
        backend: the channel; retried by its own layers, puts alone by this class.
        name: of the publisher.
        clock: tells nanoseconds since the epoch, UTC, by this host.
        inline_max: bytes of content that go inside an update, at most; more go beside, up to 1 MiB.
        compress_above: bytes above which content and updates are compressed where that makes them smaller.
        policy: when a put is tried again.
        stop: ends waits, and what is under way with them.

    Raises:
        ConfigError: `name` is none.
        ValueError: `inline_max` is below 0 or above 1 MiB.
    """

    def __init__(
        self,
        backend: Backend,
        name: str,
        *,
        clock: Callable[[], int] = time.time_ns,
        inline_max: int = INLINE_MAX,
        compress_above: int = COMPRESS_ABOVE,
        policy: RetryPolicy | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        if not 0 <= inline_max <= OBJECT_SIZE:
            raise ValueError(f"inline_max is between 0 and {OBJECT_SIZE} bytes")
        self.name = names.checked(name, "publisher")
        self._backend = backend
        self._drafter = Drafter(inline_max, compress_above)
        self._compress_above = compress_above
        policy = policy or RetryPolicy()
        self._ids = IdSource(clock)
        self._objects = Objects(backend, name, self._ids, policy, stop)
        self._uploads = Uploads(backend, name, self._ids, policy, stop)
        self._first = threading.Lock()
        self._knows_clock = False

    def publish(self, message: Message) -> Update:
        """Publish one update, and return it when it is in the channel.

        Raises:
            ConfigError: the message cannot be published: see `Message`.
            BackendError: it could not be written. Where the store did not answer, it may be in the channel all the
                same, and the message says so.
        """
        return self._publish([self._drafter.draft(message)])[0]

    def publish_many(self, messages: Iterable[Message]) -> list[Update]:
        """Publish updates in order, as few objects as hold them, and return them when all are in the channel.

        Up to 1,000 updates and about 1 MiB are in one object, which becomes visible as a whole. A list or a tuple is
        checked before anything is written; other iterables are read as they are published.

        Raises:
            ConfigError, BackendError: see `publish`; the message says how many were published before.
        """
        checked = (self._drafter.draft(message) for message in messages)
        drafts: Iterable[Draft] = list(checked) if isinstance(messages, list | tuple) else checked
        published: list[Update] = []
        try:
            for group in _groups(drafts):
                published += self._publish(group)
        except BackendError as error:
            if published:
                error.reason = f"{error.reason}; the {len(published)} updates before it were published"
            raise
        return published

    def reserve(self) -> str:
        """Return an id for `publish_as`, above all that this publisher has used."""
        return self._ids.reserve()

    def publish_as(self, messages: Sequence[Message], object_id: str) -> list[Update]:
        """Publish updates as the one object of an id, at most once: what is there already is returned as it is.

        For those who remember what they are about to publish: after a crash, `published` tells whether they did.

        Args:
            messages: at least one; all go into one object.
            object_id: from `reserve`, of this publisher or of an earlier one of the same name.

        Raises:
            ValueError: the messages do not fit into one object, or the id is none.
            StaleIdError: too much time has passed since the id was reserved, or a clock was wrong; nothing is visible.
            ConfigError, BackendError: see `publish`.
        """
        drafts = [self._drafter.draft(message) for message in messages]
        if not ids.is_object_id(object_id) or len(list(_groups(drafts))) != 1:
            raise ValueError("one to a thousand messages of about 1 MiB, and the id of an object, are asked for")
        if self._ids.too_far(object_id):
            raise self._stale(object_id)
        if any(draft.large for draft in drafts) and (found := self._find(object_id)) is not None:
            return scan.fetch(self._backend, found)
        with self._in_turn():
            payloads = self._uploads.send(drafts, object_id)
            if self._ids.too_far(object_id):
                self._uploads.discard(payloads)
                raise self._stale(object_id)
            try:
                return self._put(drafts, payloads, object_id)
            except StaleIdError:
                self._uploads.discard(payloads)
                raise
            except ObjectExistsError:
                found = self._find(object_id)
                if found is None:
                    raise
                return scan.fetch(self._backend, found)

    def published(self, object_id: str) -> bool:
        """Tell whether the object of an id is in the channel; two requests at most.

        Raises:
            BackendError: the store could not be asked.
        """
        return self._find(object_id) is not None

    def _publish(self, drafts: Sequence[Draft]) -> list[Update]:
        with self._in_turn():
            object_id = self._ids.reserve()
            payloads = self._uploads.send(drafts, object_id)
            for attempt in range(_TRIES):
                if attempt:
                    object_id = self._ids.reserve()
                    payloads = self._again(drafts, payloads, object_id)
                # A long upload, or a clock that turned out to be wrong: there must be time left for the put.
                if any(payloads) and self._ids.too_far(object_id, behind_ns=LATE_NS // 2):
                    self._ids.take_back()
                    continue
                with contextlib.suppress(StaleIdError, ObjectExistsError):
                    return self._put(drafts, payloads, object_id)
        raise UnavailableError(
            f"writing takes longer than the {LATE_NS // 10**9} seconds in which an update must be in the channel",
            operation="put",
            location=self._backend.location,
            key=names.update_key(object_id, self.name, compressed=False),
            disposition=Disposition.SKIP,
        )

    def _again(self, drafts: Sequence[Draft], payloads: list[Payload | None], object_id: str) -> list[Payload | None]:
        """Return the payloads under the names that belong to another id."""
        if self._uploads.can_move:
            return self._uploads.move(payloads, object_id)
        self._uploads.discard(payloads)
        return self._uploads.send(drafts, object_id)

    def _put(self, drafts: Sequence[Draft], payloads: Sequence[Payload | None], object_id: str) -> list[Update]:
        """Write the object of updates.

        Raises:
            StaleIdError: it came too late, or a clock is wrong; it was taken back.
            ObjectExistsError: somebody else's object has that id.
        """
        updates = [
            self._update(draft, payload, ids.nth(object_id, index))
            for index, (draft, payload) in enumerate(zip(drafts, payloads, strict=True))
        ]
        data, is_compressed = encoded(updates, self._compress_above)
        key = names.update_key(object_id, self.name, compressed=is_compressed)
        modified_ns = self._objects.put(key, data, object_id)
        hit("channel.update.put")
        if modified_ns > 0 and self._ids.too_far(object_id, modified_ns):
            self._ids.take_back()
            self._objects.withdraw(key, modified_ns - ids.time_ns(object_id))
            raise self._stale(object_id)
        self._ids.keep(object_id)
        return [dataclasses.replace(update, key=key) for update in updates]

    def _find(self, object_id: str) -> scan.Listed | None:
        for is_compressed in (False, True):
            key = names.update_key(object_id, self.name, compressed=is_compressed)
            with contextlib.suppress(ObjectNotFoundError):
                info = self._backend.stat(key)
                return scan.Listed(key, object_id, self.name, is_compressed, info.size, info.modified_ns)
        return None

    def _update(self, draft: Draft, payload: Payload | None, update_id: str) -> Update:
        return Update(
            id=update_id,
            topic=draft.topic,
            publisher=self.name,
            created=self._ids.now() // 1000 / 10**6,
            content_type=draft.content_type,
            metadata=draft.metadata,
            kind=draft.kind,
            size=draft.size if payload is None else payload.size,
            key="",
            inline=draft.inline,
            payload=payload,
            backend=self._backend,
        )

    @contextlib.contextmanager
    def _in_turn(self) -> Iterator[None]:
        """Let nobody else write before one update has told what the store's clock says."""
        if self._knows_clock:
            yield
            return
        with self._first:
            yield
            self._knows_clock = True

    def _stale(self, object_id: str) -> StaleIdError:
        return StaleIdError(
            f"the id {object_id} is more than {LATE_NS // 10**9} seconds from the time of the store",
            operation="put",
            location=self._backend.location,
        )


def _groups(drafts: Iterable[Draft]) -> Iterator[list[Draft]]:
    """Yield the drafts of one object after the other, in order."""
    group: list[Draft] = []
    weight = 0
    for draft in drafts:
        if group and (len(group) == ids.MAX_UPDATES or weight + draft.weight > OBJECT_SIZE):
            yield group
            group, weight = [], 0
        group.append(draft)
        weight += draft.weight
    if group:
        yield group
