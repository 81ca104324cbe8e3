"""Whether the target holds what was sent to it, and how that is known."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Callable, Iterator

from cloudsync_core.backend import Backend
from cloudsync_core.engine.digests import alike
from cloudsync_core.engine.recheck import change_since
from cloudsync_core.errors import CancelledError, IntegrityError, PreconditionFailedError
from cloudsync_core.models import Digest, ObjectInfo


@dataclasses.dataclass(frozen=True, slots=True)
class Sent:
    """Content that went to the target, whole.

    Attributes:
        source: the source's object that it is the content of.
        size: bytes.
        digests: of the content; where any is known.
        vouched: the one of them that the source's store reported, or `None`.
        copied: the provider copied it, so that no byte of it passed through this machine.
        kept: bytes that the target had already from an earlier attempt, found right and not sent again.
    """

    source: ObjectInfo
    size: int
    digests: tuple[Digest, ...]
    vouched: Digest | None = None
    copied: bool = False
    kept: int = 0


class Verification:
    """Compares what the target holds with what was sent.

    Args:
        target: the side written.
        read_back: whether objects of which neither store knows a digest are read, whatever that costs.
        stop: ends the reading with `CancelledError`.
        paced: called with the bytes that are about to be read; it waits until they may.
    """

    def __init__(
        self,
        target: Backend,
        *,
        read_back: bool,
        stop: threading.Event,
        paced: Callable[[int], None] | None = None,
    ) -> None:
        self._target = target
        self._read_back = read_back
        self._stop = stop
        self._paced = paced

    def proof(self, key: str, sent: Sent, found: ObjectInfo, *, acknowledged: bool) -> str | None:
        """Return how the target's object is known to hold what was sent, for the report's `verified`.

        Args:
            key: the object.
            sent: the content.
            found: the object as the target describes it.
            acknowledged: it is the target's answer to the put: what the source vouches for, or the length where the
                job wants no more, is then enough.

        Returns:
            An algorithm, "readback" or "size"; `None` when it holds something else, or that cannot be told.

        Raises:
            BackendError: the object cannot be read back.
        """
        if found.size != sent.size:
            return None
        told = [alike(digest, stored, sent.size) for digest in sent.digests for stored in found.digests]
        shared = [pair for pair in told if pair is not None]
        if shared:
            return _kind(shared[0][0]) if all(digest == stored for digest, stored in shared) else None
        if acknowledged and sent.vouched is not None:
            return _kind(sent.vouched)
        if sent.size == 0 or (acknowledged and not self._read_back):
            return "size"
        if not self._read_back or not sent.digests:
            return None
        return "readback" if self._read(key, sent.digests[0].algorithm) == sent.digests[0] else None

    def withdraw(self, key: str, written: ObjectInfo) -> None:
        """Remove an object of ours that holds other bytes than were sent, unless somebody has replaced it since.

        Raises:
            BackendError: it may still be there.
        """
        conditional = bool(written.version) and self._target.capabilities.delete_if_match
        with contextlib.suppress(PreconditionFailedError):
            if not conditional and (changed := change_since(self._target, key, written, operation="withdraw")):
                raise changed
            self._target.delete(key, if_match=written.version if conditional else None)

    def _read(self, key: str, algorithm: str) -> Digest:
        with self._target.get(key) as reader, named(self._target, key):
            body = reader.body(on_chunk=self._on_chunk)
            body.require(algorithm)
            for _ in body.chunks():
                pass
            return body.digest(algorithm)

    def _on_chunk(self, size: int) -> None:
        if self._stop.is_set():
            raise CancelledError("interrupted")
        if self._paced is not None:
            self._paced(size)


@contextlib.contextmanager
def named(side: Backend, key: str) -> Iterator[None]:
    """Let errors of the content, which know no name, say which object was read."""
    try:
        yield
    except IntegrityError as error:
        if not error.operation:
            error.operation, error.location, error.key = "get", side.location, key
        raise


def _kind(digest: Digest) -> str:
    return digest.algorithm.partition("/")[0]
