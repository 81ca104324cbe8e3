"""The files of a release as a backend whose keys are their paths, so that a transfer can read them like any others."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from cloudsync_core.backend import Backend
from cloudsync_core.backends.file import FileBackend
from cloudsync_core.body import ObjectReader
from cloudsync_core.errors import BackendError, IntegrityError
from cloudsync_core.layers.layer import Layer
from cloudsync_core.models import ByteRange, ObjectInfo, Version
from cloudsync_core.releases.entries import Entry
from cloudsync_core.releases.names import made_at, parse_place


class Content(Layer):
    """Reads the files that are expected, each from where the manifest says, and holds it to what the manifest says.

    Args:
        inner: the location of the releases; it is somebody else's to close.
        before: the live tree, where there is one.
    """

    def __init__(self, inner: Backend, before: FileBackend | None) -> None:
        super().__init__(inner)
        self._before = before
        self._lock = threading.Lock()
        self._expected: dict[str, Entry] = {}
        self._local: dict[str, bool] = {}

    def expect(self, entry: Entry, *, local: bool) -> None:
        """Know a file until it is settled.

        Args:
            entry: the file.
            local: the live tree seems to have it: the first attempt reads it there.
        """
        with self._lock:
            self._expected[entry.path] = entry
            if local and self._before is not None:
                self._local[entry.path] = True

    def was_local(self, path: str) -> bool:
        """Tell whether the last attempt at a file has read it from the live tree."""
        with self._lock:
            return path in self._local and not self._local[path]

    def settle(self, path: str) -> bool:
        """Forget a file, and tell whether it was read from the live tree."""
        with self._lock:
            self._expected.pop(path, None)
            return self._local.pop(path, None) is False

    def stat(self, key: str) -> ObjectInfo:
        """Return what the manifest says."""
        return info_of(self._expected[key])

    @contextlib.contextmanager
    def get(
        self, key: str, *, byte_range: ByteRange | None = None, if_match: Version | None = None
    ) -> Iterator[ObjectReader]:
        """Open a file."""
        entry = self._expected[key]
        with contextlib.ExitStack() as stack:
            reader = self._opened_locally(stack, key)
            if reader is None:
                reader = stack.enter_context(self.inner.get(entry.key, byte_range=byte_range, if_match=if_match))
            yield self._held_to(reader, entry)

    def read(self, key: str, limit: int) -> ObjectReader | None:
        """Read a small file."""
        entry = self._expected[key]
        with contextlib.ExitStack() as stack:
            local = self._opened_locally(stack, key)
            if local is not None:
                return self._held_to(local, entry).held()
        reader = self.inner.read(entry.key, limit)
        return None if reader is None else self._held_to(reader, entry)

    def close(self) -> None:
        """Leave the location open."""

    def _opened_locally(self, stack: contextlib.ExitStack, key: str) -> ObjectReader | None:
        """Open a file of the live tree, once: who tries again reads what was published."""
        with self._lock:
            if not self._local.get(key):
                self._local.pop(key, None)
                return None
            self._local[key] = False
        assert self._before is not None
        try:
            return stack.enter_context(self._before.get(key))
        except BackendError:
            with self._lock:
                del self._local[key]
            return None

    def _held_to(self, reader: ObjectReader, entry: Entry) -> ObjectReader:
        if reader.size != entry.size:
            raise IntegrityError(
                f"it has {reader.size} bytes, and {entry.size} in the manifest",
                operation="get",
                location=self.location,
                key=entry.key,
            )
        reader.info = info_of(entry)
        return reader


def info_of(entry: Entry) -> ObjectInfo:
    """Return a file of a release as an object.

    One whose modification time nobody told was modified when the release was begun that holds it: every reader gives
    it the same one.
    """
    place = parse_place(entry.key)
    assert place is not None
    return ObjectInfo(
        key=entry.path,
        size=entry.size,
        fingerprint=str(entry.digest),
        modified_ns=int(made_at(place[0]) * 1_000_000) * 1_000,
        digests=(entry.digest,),
        attributes=entry.attributes,
    )
