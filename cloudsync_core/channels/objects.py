"""Writing objects of updates: once each, whatever becomes of answers, and in time or not at all."""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections.abc import Iterable

from cloudsync_core.backend import Backend
from cloudsync_core.body import Body
from cloudsync_core.channels import compression, envelope, names
from cloudsync_core.channels.clock import LATE_NS, IdSource
from cloudsync_core.channels.update import Update
from cloudsync_core.errors import BackendError, Disposition, IntegrityError, ObjectExistsError, UnavailableError
from cloudsync_core.layers.retry import RetryPolicy
from cloudsync_core.models import ALWAYS, IF_ABSENT, Attributes

_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Objects:
    """Writes the objects of updates of one publisher.

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

    def put(self, key: str, data: bytes, object_id: str) -> int:
        """Put an object of updates; return when the store got it, by the store's clock.

        Args:
            key: of the object.
            data: its content.
            object_id: its id, in time of which it has to be there.

        Raises:
            ObjectExistsError: somebody else's object has that name.
            UnavailableError: it could not be written in time.
            BackendError: it could not be written. Whether it was is not known where the message says so.
        """
        media = "application/zstd" if key.endswith(names.COMPRESSED) else "application/x-ndjson"
        condition = IF_ABSENT if self.backend.capabilities.put_if_absent else ALWAYS
        attempts = 0

        def attempt() -> int:
            nonlocal attempts
            attempts += 1
            if attempts > 1 and self.ids.too_far(object_id):
                raise self._too_late(key)
            before_ns = self.ids.host_time()
            try:
                info = self.backend.put(key, Body(data), attributes=Attributes(content_type=media), condition=condition)
            except ObjectExistsError:
                # An attempt whose answer was lost, ours or a proxy's, has written just these bytes.
                if not self._holds(key, data):
                    raise
                info = self.backend.stat(key)
            except IntegrityError as error:
                if error.written is not None:
                    self.backend.delete(key)
                raise
            self.ids.learn(before_ns, info.modified_ns)
            return info.modified_ns

        try:
            return self.policy.call(attempt, self.stop)
        except BackendError as error:
            if error.disposition is Disposition.RETRY:
                error.reason = f"{error.reason}; whether the update is in the channel is not known"
            raise

    def withdraw(self, key: str, skew_ns: int) -> None:
        """Remove an object whose id is too far from the store's clock, and say so.

        Args:
            key: of the object.
            skew_ns: nanoseconds by which the id is behind the store's clock, or ahead, if negative.
        """
        _LOG.warning(
            "%s: the clock of this host differs from that of %s, or the put took too long: the update was stamped %.0f "
            "seconds %s the time at which the store got it, and is taken back and published under another id",
            self.publisher,
            self.backend.location,
            abs(skew_ns) / 1e9,
            "before" if skew_ns > 0 else "after",
        )
        try:
            self.backend.delete(key)
        except BackendError as error:
            # Rather twice than never: not every publisher may delete.
            _LOG.warning("%s stays in the channel beside its successor: %s", key, error)

    def _holds(self, key: str, data: bytes) -> bool:
        reader = self.backend.read(key, len(data))
        return reader is not None and reader.read() == data

    def _too_late(self, key: str) -> UnavailableError:
        return UnavailableError(
            f"the update could not be written within {LATE_NS // 10**9} seconds; "
            "whether it is in the channel is not known",
            operation="put",
            location=self.backend.location,
            key=key,
            disposition=Disposition.SKIP,
        )


def encoded(updates: Iterable[Update], compress_above: int) -> tuple[bytes, bool]:
    """Return the content of an object of updates, and whether it is compressed.

    Args:
    updates: in order.
    compress_above: bytes above which it is compressed where that makes it smaller.
    """
    data = b"".join(map(envelope.encode, updates))
    if len(data) > compress_above and len(packed := compression.compressed(data)) < len(data):
        return packed, True
    return data, False
