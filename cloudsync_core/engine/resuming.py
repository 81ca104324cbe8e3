"""Reading large objects so that their puts can go on with what a crash has left (catalogue H01, H03)."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from typing import Final

from cloudsync_core.backend import Backend
from cloudsync_core.body import ObjectReader
from cloudsync_core.engine.unfinished import Recording, Unfinished
from cloudsync_core.errors import BackendError
from cloudsync_core.models import ByteRange, ObjectInfo

RESUMED_FROM: Final = 32 * 1024 * 1024
"""Bytes of an object from which on its put is recorded: what a record costs is nothing beside what they take."""


class Resuming:
    """Opens objects of a source whose puts on a target are recorded; may be used from many threads.

    Args:
        source: the side read.
        target: the side written.
        unfinished: the puts that have begun and not ended; `None` records nothing.
    """

    def __init__(self, source: Backend, target: Backend, unfinished: Unfinished | None) -> None:
        self._source = source
        self._target = target
        self._unfinished = unfinished

    @contextlib.contextmanager
    def opened(self, key: str, size: int) -> Iterator[ObjectReader]:
        """Open an object; what is left of an earlier put of the same version goes with its body, any other is removed.

        Args:
            key: the object.
            size: its bytes, as listed.
        """
        unfinished = self._unfinished if size >= RESUMED_FROM else None
        if unfinished is None:
            with self._source.get(key) as reader:
                yield reader
            return
        if unfinished.find(key) is None:
            with self._source.get(key) as reader:
                reader.resumption = unfinished.begin(key, reader.info.fingerprint)
                yield reader
            return
        # Somebody may want the end of it only, so that it is not opened before it is known what is wanted.
        info = self._source.stat(key)
        self._drop_others(unfinished, info)
        with contextlib.ExitStack() as stack:

            def from_byte(start: int) -> Iterator[bytes]:
                return stack.enter_context(contextlib.closing(self._chunks(info, start)))

            reader = ObjectReader(info, from_byte(0))
            reader.resumption = unfinished.begin(key, info.fingerprint)
            if self._source.capabilities.range_get:
                reader.starting_at = from_byte
            yield reader

    def _drop_others(self, unfinished: Unfinished, info: ObjectInfo) -> None:
        """Remove what is left of a put of another version: nothing of it can be used any more."""
        found = unfinished.find(info.key)
        if found is None or found.source == info.fingerprint:
            return
        with contextlib.suppress(BackendError):
            # What cannot be removed now stays on record: gc finds it, unless this put takes its place there.
            self._target.discard(info.key, found.token)
            unfinished.forget(found)

    def _chunks(self, info: ObjectInfo, start: int) -> Generator[bytes, None, None]:
        """Yield the content of that version from some byte on."""
        byte_range = ByteRange(start) if start else None
        with self._source.get(info.key, byte_range=byte_range, if_match=info.version or None) as reader:
            yield from reader.chunks()


def kept_bytes(reader: ObjectReader) -> int:
    """Return how many bytes the target had already, of the content that a body of the reader has brought."""
    return reader.resumption.bytes_kept if isinstance(reader.resumption, Recording) else 0
