"""The backend for `az://`: what it can do, and the room in which each verb lives.

Requests go over the wire, or the exact way where that cannot take them; see `cloudsync_azure.connection`. adlfs's own
verbs are not used, because they read globs and `?versionid=` into names.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager

from cloudsync_azure import leftovers, lookup
from cloudsync_azure.config import LARGEST_BLOCK, AzureOptions
from cloudsync_azure.copies import Copier
from cloudsync_azure.deletes import Deleter
from cloudsync_azure.operations import MOST_IN_BATCH
from cloudsync_azure.place import Place
from cloudsync_azure.puts import Putter
from cloudsync_azure.reading import Reader
from cloudsync_azure.uploads import MOST_BLOCKS
from cloudsync_core.backend import NO_ATTRIBUTES, Backend, Prune
from cloudsync_core.body import Body, ObjectReader
from cloudsync_core.capabilities import Capabilities
from cloudsync_core.errors import InvalidKeyError, UnsupportedOperationError
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

LARGEST_OBJECT = MOST_BLOCKS * LARGEST_BLOCK
"""Bytes of an object (https://learn.microsoft.com/azure/storage/blobs/scalability-targets)."""


class AzureBackend(Backend):
    """Objects under a prefix of a container of Azure Blob Storage.

    Opening it asks nothing of the server.

    Args:
        location: `az://container/prefix`, taken literally: nothing in it is decoded.
        options: how to reach the account.

    Raises:
        ConfigError: the location names no container, or the connection cannot be set up.

    Attributes:
        place: the container and the prefix, in the connected account.
    """

    def __init__(self, location: Location, options: AzureOptions) -> None:
        self.place = Place.open(location, options)
        self.location = self.place.location
        threshold, part = int(options.multipart_threshold), int(options.part_size)
        self._boundaries = (threshold, (threshold // part + 1) * part)
        self._putter = Putter(self.place, threshold=options.multipart_threshold, part=options.part_size)
        self._copier = Copier(self.place, self._putter)
        self._reader = Reader(self.place)
        self._deleter = Deleter(self.place)
        self._capabilities = Capabilities(
            ordered_listing=options.ordered_listing,
            put_if_absent=True,
            put_if_match=True,
            delete_if_match=True,
            range_get=True,
            server_copy=True,
            user_metadata=True,
            stores_mtime=True,
            bulk_delete_max=MOST_IN_BATCH,
            max_object_size=LARGEST_OBJECT,
            put_memory=self._putter.memory,
        )

    @property
    def capabilities(self) -> Capabilities:
        """What the service can do."""
        return self._capabilities

    @property
    def identity(self) -> Identity:
        """The account and the root, whichever way both are written."""
        return self.place.identity

    @property
    def boundaries(self) -> Sequence[int]:
        """Where a put goes another way: from one request to blocks, and from so many blocks to one more."""
        return self._boundaries

    def list(self, prefix: str = "", *, start_after: str | None = None, prune: Prune | None = None) -> Iterator[Page]:
        """Yield the pages of the listing; see `Backend.list`."""
        del prune
        ordered = self._capabilities.ordered_listing
        if start_after is not None and not ordered:
            raise UnsupportedOperationError(
                "a listing without order cannot start after a key", operation="list", location=self.location
            )
        return lookup.pages(self.place, prefix, start_after, ordered=ordered)

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
        """Remove one object; see `Backend.delete`. Where the account keeps what is deleted, it can be restored."""
        self._deleter.delete(key, if_match)

    def delete_many(self, items: Sequence[tuple[str, Version | None]]) -> Iterator[DeleteResult]:
        """Remove objects and report every one; see `Backend.delete_many`."""
        return self._deleter.delete_many(items)

    def can_copy_from(self, source: Backend) -> bool:
        """Tell whether `source` is in the same account and is reached with the same credentials."""
        return (
            isinstance(source, AzureBackend)
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
        """Copy an object inside the account; see `Backend.copy`."""
        if not isinstance(source, AzureBackend) or not self.can_copy_from(source):
            raise UnsupportedOperationError(
                "the source is not in this account, or is reached with other credentials",
                operation="copy",
                location=self.location,
                key=key,
            )
        return self._copier.copy(source.place, info, key, attributes, condition)

    def leftovers(self, recorded: Sequence[tuple[str, str]] = ()) -> Iterator[Leftover]:
        """Yield what was begun in blocks and is not finished; it expires, so that `discard` does nothing."""
        return leftovers.find(self.place, recorded)

    def check_key(self, key: str) -> None:
        """Raise `InvalidKeyError` for what the service cannot hold exactly; see `Backend.check_key`."""
        why = self.place.problem(key)
        if why is not None:
            raise InvalidKeyError(why, operation="put", location=self.location, key=key)

    def close(self) -> None:
        """Close the connections."""
        self.place.connection.close()
