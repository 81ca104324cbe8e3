"""The backend for `gs://`: what it can do, and the room in which each verb lives.

Requests go over the wire, or through gcsfs's session where that does not reach the server; see
`cloudsync_gcs.connection`. gcsfs's own verbs are not used, because they read globs and `#generation` into names.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager

from cloudsync_core.backend import NO_ATTRIBUTES, Backend, Prune
from cloudsync_core.backends.objectstore.ahead import RANGE
from cloudsync_core.body import Body, ObjectReader
from cloudsync_core.capabilities import Capabilities
from cloudsync_core.errors import UnsupportedOperationError
from cloudsync_core.location import Location
from cloudsync_core.models import (
    ALWAYS,
    Attributes,
    ByteRange,
    DeleteResult,
    Identity,
    ObjectInfo,
    Page,
    PutCondition,
    Version,
)
from cloudsync_core.unfinished import Leftover
from cloudsync_gcs import leftovers, lookup
from cloudsync_gcs.config import LARGEST_OBJECT, GCSOptions
from cloudsync_gcs.copies import Copier
from cloudsync_gcs.deletes import MOST_KEYS, Deleter
from cloudsync_gcs.place import Place
from cloudsync_gcs.puts import Putter
from cloudsync_gcs.reading import Reader


class GCSBackend(Backend):
    """Objects under a prefix of a bucket, on Google Cloud Storage or a server that speaks its JSON API.

    Opening it asks nothing of the server.

    Args:
        location: `gs://bucket/prefix`, taken literally: nothing in it is decoded.
        options: how to reach the server, and what it can do.

    Raises:
        ConfigError: the location names no bucket, or the options or the environment cannot be used.

    Attributes:
        place: the bucket and the prefix, on the connected server.
    """

    def __init__(self, location: Location, options: GCSOptions) -> None:
        self.place = Place.open(location, options)
        self._options = options
        self.location = self.place.location
        self._putter = Putter(self.place, threshold=options.resumable_threshold, chunk=options.chunk_size)
        self._copier = Copier(self.place)
        self._reader = Reader(self.place)
        self._deleter = Deleter(self.place)
        self._lister = lookup.Lister(self.place)
        self._capabilities = Capabilities(
            ordered_listing=True,
            put_if_absent=self.place.conditional,
            put_if_match=self.place.conditional,
            delete_if_match=self.place.conditional,
            range_get=True,
            server_copy=True,
            user_metadata=True,
            stores_mtime=True,
            bulk_delete_max=MOST_KEYS,
            max_object_size=LARGEST_OBJECT,
            max_key_bytes=self.place.longest_name,
            put_memory=self._putter.memory,
        )

    @property
    def capabilities(self) -> Capabilities:
        """What the server can do, as far as the options and its being Google's tell."""
        return self._capabilities

    @property
    def boundaries(self) -> Sequence[int]:
        """Sizes at which objects are read or written in another way; see `Backend.boundaries`."""
        chunks = self._options.resumable_threshold // self._options.chunk_size + 1
        return sorted({RANGE, self._options.resumable_threshold, chunks * self._options.chunk_size})

    @property
    def identity(self) -> Identity:
        """The server and the root, whichever way both are written."""
        return self.place.identity

    def list(self, prefix: str = "", *, start_after: str | None = None, prune: Prune | None = None) -> Iterator[Page]:
        """Yield the pages of the listing; see `Backend.list`."""
        del prune
        return self._lister.pages(prefix, start_after)

    def stat(self, key: str) -> ObjectInfo:
        """Return what the object is; see `Backend.stat`."""
        return lookup.stat(self.place, key)

    def get(
        self, key: str, *, byte_range: ByteRange | None = None, if_match: Version | None = None
    ) -> AbstractContextManager[ObjectReader]:
        """Open the object for reading; see `Backend.get`."""
        return self._reader.get(key, byte_range, if_match)

    def read(self, key: str, limit: int) -> ObjectReader | None:
        """Return a small object that is read already; see `Backend.read`."""
        return self._reader.read(key, limit)

    def put(
        self, key: str, body: Body, *, attributes: Attributes = NO_ATTRIBUTES, condition: PutCondition = ALWAYS
    ) -> ObjectInfo:
        """Write an object; see `Backend.put`."""
        return self._putter.put(key, body, attributes, condition)

    def delete(self, key: str, *, if_match: Version | None = None) -> None:
        """Remove one object; see `Backend.delete`. In a bucket with versions the content stays as a noncurrent one."""
        self._deleter.delete(key, if_match)

    def delete_many(self, items: Sequence[tuple[str, Version | None]]) -> Iterator[DeleteResult]:
        """Remove objects and report every one; see `Backend.delete_many`."""
        return self._deleter.delete_many(items)

    def can_copy_from(self, source: Backend) -> bool:
        """Tell whether `source` is on the same server and is reached with the same credentials."""
        return (
            isinstance(source, GCSBackend)
            and source.identity.namespace == self.identity.namespace
            and source.place.credentials == self.place.credentials
        )

    def copy(
        self,
        source: Backend,
        info: ObjectInfo,
        key: str,
        *,
        attributes: Attributes | None = None,
        condition: PutCondition = ALWAYS,
    ) -> ObjectInfo:
        """Copy an object inside the provider; see `Backend.copy`."""
        if not isinstance(source, GCSBackend) or not self.can_copy_from(source):
            raise UnsupportedOperationError(
                "the source is not on this server, or is reached with other credentials",
                operation="copy",
                location=self.location,
                key=key,
            )
        return self._copier.copy(source.place, info, key, attributes, condition)

    def leftovers(self, recorded: Sequence[tuple[str, str]] = ()) -> Iterator[Leftover]:
        """Yield the recorded uploads that are not finished; see `Backend.leftovers`."""
        return leftovers.find(self.place, recorded)

    def discard(self, key: str, token: str) -> None:
        """Cancel an unfinished upload; see `Backend.discard`."""
        leftovers.discard(self.place, key, token)

    def check_key(self, key: str) -> None:
        """Raise `InvalidKeyError` when there can be no object of that name; see `Backend.check_key`."""
        with self.place.errors("put", key):
            self.place.named(key)

    def close(self) -> None:
        """Close the connections."""
        self.place.connection.close()
