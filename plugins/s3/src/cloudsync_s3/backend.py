"""The backend for `s3://`: what it can do, and the room in which each verb lives.

Requests go over the wire, or the exact way where that has no words for them; see `cloudsync_s3.connection`. s3fs's own
verbs are not used, because they read globs and `?versionId=` into names.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager

from cloudsync_core.backend import NO_ATTRIBUTES, Backend, Prune
from cloudsync_core.backends.objectstore.ranges import Cutting
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
    IfAbsent,
    IfMatch,
    ObjectInfo,
    Page,
    PutCondition,
    Version,
)
from cloudsync_core.unfinished import Leftover
from cloudsync_s3 import leftovers, lookup
from cloudsync_s3.conditions import said_of, unsaid_of
from cloudsync_s3.config import MIB, S3Options
from cloudsync_s3.copies import Copier
from cloudsync_s3.deletes import MOST_KEYS, Deleter
from cloudsync_s3.place import Place
from cloudsync_s3.probing import Prober
from cloudsync_s3.puts import Putter
from cloudsync_s3.reading import Reader

LARGEST_OBJECT = 5 * 1024 * 1024 * MIB
"""Bytes of an object (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html)."""


class S3Backend(Backend):
    """Objects under a prefix of a bucket, on Amazon S3 or a server that speaks its protocol.

    Opening it connects the client, which asks nothing of the server.

    Args:
        location: `s3://bucket/prefix`, taken literally: nothing in it is decoded.
        options: how to reach the server, and what it can do.

    Raises:
        ConfigError: the location names no bucket, or the connection cannot be set up.

    Attributes:
        place: the bucket and the prefix, on the connected server.
    """

    def __init__(self, location: Location, options: S3Options) -> None:
        self.place = Place.open(location, options)
        self.location = self.place.location
        amazon = self.place.connection.is_amazon
        self._honoured = honoured = said_of(options, is_amazon=amazon)
        self._putter = Putter(self.place, honoured, threshold=options.multipart_threshold, part=options.part_size)
        self._copier = Copier(self.place, honoured, is_amazon=amazon, putter=self._putter)
        self._reader = Reader(self.place)
        self._deleter = Deleter(self.place, honoured)
        self._prober = Prober(self.place, honoured, () if amazon else unsaid_of(options))
        self._threshold = int(options.multipart_threshold)
        self._cutting = Cutting(allowed=self.place.ordered)
        # The most that goes in one request, and the multiples of a part that follow.
        full = -(-options.multipart_threshold // options.part_size) * options.part_size
        self._boundaries = sorted({int(options.multipart_threshold), full, full + options.part_size})
        self._capabilities = self._found(
            Capabilities(
                ordered_listing=self.place.ordered,
                range_get=True,
                server_copy=True,
                user_metadata=True,
                stores_mtime=True,
                bulk_delete_max=MOST_KEYS,
                max_object_size=LARGEST_OBJECT,
                max_key_bytes=self.place.longest_name,
                put_memory=self._putter.memory,
            )
        )

    @property
    def capabilities(self) -> Capabilities:
        """What the server can do, as far as the options, its being Amazon's, and `probe` tell."""
        return self._capabilities

    @property
    def identity(self) -> Identity:
        """The server and the root, whichever way both are written."""
        return self.place.identity

    @property
    def boundaries(self) -> Sequence[int]:
        """Where uploads in parts begin, and where they have one part more."""
        return self._boundaries

    def list(self, prefix: str = "", *, start_after: str | None = None, prune: Prune | None = None) -> Iterator[Page]:
        """Yield the pages of the listing; see `Backend.list`."""
        del prune
        if start_after is not None and not self._capabilities.ordered_listing:
            raise UnsupportedOperationError(
                "a listing without order cannot start after a key", operation="list", location=self.location
            )
        return lookup.pages(self.place, prefix, start_after, self._cutting)

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
        """Remove one object; see `Backend.delete`. In a bucket with versions it leaves a delete marker."""
        self._deleter.delete(key, if_match)

    def delete_many(self, items: Sequence[tuple[str, Version | None]]) -> Iterator[DeleteResult]:
        """Remove objects and report every one; see `Backend.delete_many`."""
        return self._deleter.delete_many(items)

    def can_copy_from(self, source: Backend) -> bool:
        """Tell whether `source` is on the same server and is reached with the same credentials."""
        return (
            isinstance(source, S3Backend)
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
        if not isinstance(source, S3Backend) or not self.can_copy_from(source):
            raise UnsupportedOperationError(
                "the source is not on this server, or is reached with other credentials",
                operation="copy",
                location=self.location,
                key=key,
            )
        return self._copier.copy(source.place, info, key, attributes, condition)

    def probe(self, known: str | None = None) -> str | None:
        """Find out which conditions a server that is not Amazon's honours; see `Backend.probe`."""
        found = self._prober.probe(known)
        self._capabilities = self._found(self._capabilities)
        return found

    def leftovers(self, recorded: Sequence[tuple[str, str]] = ()) -> Iterator[Leftover]:
        """Yield the unfinished uploads under the root, whoever began them; see `Backend.leftovers`."""
        return leftovers.find(self.place, recorded)

    def discard(self, key: str, token: str) -> None:
        """Abort an unfinished upload; see `Backend.discard`."""
        leftovers.discard(self.place, key, token)

    def close(self) -> None:
        """Close the connections."""
        self._prober.close()
        self.place.connection.close()

    def _found(self, capabilities: Capabilities) -> Capabilities:
        """Return the capabilities with the conditions that the server honours."""
        honoured = self._honoured
        everywhere = set(honoured.puts) <= set(honoured.completions)
        return dataclasses.replace(
            capabilities,
            put_if_absent=IfAbsent in honoured.puts,
            put_if_match=IfMatch in honoured.puts,
            delete_if_match=honoured.deletes,
            conditional_put_max=None if everywhere else self._threshold,
            conditional_copy=everywhere,
        )
