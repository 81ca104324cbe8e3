"""Writing content beside its update: an object of its own, in the channel before the update that names it."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import threading
from collections.abc import Sequence
from typing import Final

from cloudsync_core.backend import Backend
from cloudsync_core.body import Body
from cloudsync_core.channels import compression, ids, names
from cloudsync_core.channels.clock import IdSource
from cloudsync_core.channels.drafts import Draft, Large
from cloudsync_core.channels.payloads import DIGEST, Payload
from cloudsync_core.crashpoints import hit
from cloudsync_core.errors import ObjectExistsError, UnavailableError
from cloudsync_core.layers.retry import RetryPolicy
from cloudsync_core.models import ALWAYS, IF_ABSENT, Attributes, ObjectInfo, PutCondition

AT_ONCE: Final = 4
"""Payloads of one object of updates that are sent at a time; each may hold `Capabilities.put_memory` bytes."""


@dataclasses.dataclass(frozen=True)
class Uploads:
    """Sends the payloads of one publisher.

    Attributes:
        backend: the channel.
        publisher: the name.
        ids: hears what the store's clock says.
        policy: when a put is tried again.
        stop: ends waits.
    """

    backend: Backend
    publisher: str
    ids: IdSource
    policy: RetryPolicy
    stop: threading.Event | None

    def send(self, drafts: Sequence[Draft], object_id: str) -> list[Payload | None]:
        """Send the content that goes beside the updates of one object; several at a time.

        Args:
            drafts: the updates, in order.
            object_id: of the object that they will be in.

        Returns:
            The payload of each, `None` where everything is inside.

        Raises:
            BackendError: one could not be written; what others of them wrote belongs to no update.
        """
        large = [(index, draft.large) for index, draft in enumerate(drafts) if draft.large is not None]
        found: list[Payload | None] = [None] * len(drafts)
        if len(large) == 1:
            index, content = large[0]
            found[index] = self._send(ids.nth(object_id, index), content)
        elif large:
            with concurrent.futures.ThreadPoolExecutor(AT_ONCE, "cloudsync-payload") as pool:
                asked = {pool.submit(self._send, ids.nth(object_id, index), content): index for index, content in large}
                try:
                    for future in concurrent.futures.as_completed(asked):
                        found[asked[future]] = future.result()
                except BaseException:
                    pool.shutdown(cancel_futures=True)
                    raise
        return found

    def move(self, payloads: Sequence[Payload | None], object_id: str) -> list[Payload | None]:
        """Give payloads that were sent the names that belong to another id; only where `can_move`.

        Raises:
            BackendError: one could not be copied.
        """
        return [
            None if payload is None else self._move(payload, ids.nth(object_id, index))
            for index, payload in enumerate(payloads)
        ]

    @property
    def can_move(self) -> bool:
        """Whether the store can copy its own objects."""
        return self.backend.can_copy_from(self.backend)

    def discard(self, payloads: Sequence[Payload | None]) -> None:
        """Remove payloads that no update will name.

        Raises:
            BackendError: one could not be removed.
        """
        for payload in payloads:
            if payload is not None:
                self.backend.delete(payload.key)

    def _send(self, update_id: str, content: Large) -> Payload:
        key = names.payload_key(update_id, self.publisher, compressed=content.compress)

        def attempt() -> Payload:
            before_ns = self.ids.host_time()
            with content.open() as body:
                body.require(DIGEST)
                sent = Body(compression.compressed_chunks(body.chunks())) if content.compress else body
                info = self._put(key, sent)
                self.ids.learn(before_ns, info.modified_ns)
                return Payload(key, body.bytes_passed, str(body.digest(DIGEST)), content.compress)

        payload = self.policy.call(attempt, self.stop)
        hit("channel.payload.put")
        return payload

    def _put(self, key: str, body: Body) -> ObjectInfo:
        try:
            return self.backend.put(key, body, attributes=Attributes(), condition=self._condition(body))
        except ObjectExistsError as error:
            # The id is ours alone: this is what an earlier attempt has written, whose answer was lost. Its digest is
            # not known, since the content may not have been read to its end this time.
            self.backend.delete(key)
            raise UnavailableError(
                "an earlier attempt has left it there", operation="put", location=self.backend.location, key=key
            ) from error

    def _condition(self, body: Body) -> PutCondition:
        caps = self.backend.capabilities
        limit = caps.conditional_put_max
        fits = limit is None or (body.size is not None and body.size <= limit)
        return IF_ABSENT if caps.put_if_absent and fits else ALWAYS

    def _move(self, payload: Payload, update_id: str) -> Payload:
        key = names.payload_key(update_id, self.publisher, compressed=payload.compressed)
        self.backend.copy(self.backend, self.backend.stat(payload.key), key)
        self.backend.delete(payload.key)
        return dataclasses.replace(payload, key=key)
