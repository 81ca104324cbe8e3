"""copy: inside the account, in one request where that is possible, else in blocks that the service brings itself."""

from __future__ import annotations

import dataclasses

from cloudsync_azure import attributes as carrying
from cloudsync_azure import conditions, lookup, operations, versions
from cloudsync_azure.config import MIB
from cloudsync_azure.place import Place
from cloudsync_azure.puts import CONTENT_MD5, Putter, md5_header, request_headers, written
from cloudsync_azure.signing import Bearer, SharedAccess, SharedKey
from cloudsync_azure.uploads import MOST_BLOCKS, BlockUpload
from cloudsync_core.backend import NO_ATTRIBUTES
from cloudsync_core.backends.objectstore.parts import part_size
from cloudsync_core.body import Body
from cloudsync_core.errors import PreconditionFailedError
from cloudsync_core.models import Attributes, Digest, ObjectInfo, PutCondition

SECONDS_TO_READ = 3600
"""How long the signature holds by which the service reads the source of a copy."""


class Copier:
    """Copies objects to one place from places in the same account; safe to use from many threads.

    Args:
        place: where to.
        putter: writes what has no bytes to copy.
    """

    largest_copy = 256 * MIB
    """Bytes that Copy Blob From URL takes (https://learn.microsoft.com/rest/api/storageservices/copy-blob-from-url)."""

    copied_block = 64 * MIB
    """Bytes of a block that the service brings itself."""

    def __init__(self, place: Place, putter: Putter) -> None:
        self._place = place
        self._putter = putter

    def copy(
        self, source: Place, info: ObjectInfo, key: str, attributes: Attributes | None, condition: PutCondition
    ) -> ObjectInfo:
        """Copy an object inside the account; see `Backend.copy`.

        A copy in one request carries the headers of its source. One that is to carry others, or no metadata where the
        source has some, is made of blocks.
        """
        with self._place.errors("copy", key):
            self._place.path(key)
            conditions.headers(condition)
            origin = _origin(source, info)
        if info.size <= self.largest_copy and attributes is None:
            return self._copy_whole(info, key, origin, None, condition)
        found = _still(source, info)
        there = found.attributes or NO_ATTRIBUTES
        if attributes is None:
            attributes = there
        elif info.size <= self.largest_copy and _carries_over(there, attributes):
            return self._copy_whole(found, key, origin, attributes, condition)
        return self._copy_blocks(found, key, origin, attributes, condition)

    def _copy_whole(
        self, info: ObjectInfo, key: str, origin: dict[str, str], attributes: Attributes | None, condition: PutCondition
    ) -> ObjectInfo:
        md5 = next((digest for digest in info.digests if digest.algorithm == "md5"), None)
        if md5 is not None:
            # The service refuses what has another one when it has arrived.
            origin = {**origin, "x-ms-source-content-md5": md5_header(md5)}
        with conditions.refusals(condition), self._place.errors("copy", key):
            headers = conditions.headers(condition)
            if attributes is not None:
                said = carrying.to_headers(attributes)
                headers |= {name: value for name, value in said.items() if name.startswith(carrying.METADATA)}
            answer = self._place.connection.call(operations.copy_blob(self._place.path(key), origin, headers))
            digests: tuple[Digest, ...] = () if md5 is None else (md5,)
            if md5 is not None:
                versions.check(answer.headers.get("content-md5"), md5, "the copy")
            return written(key, info.size, answer, digests, attributes or info.attributes)

    def _copy_blocks(
        self, info: ObjectInfo, key: str, origin: dict[str, str], attributes: Attributes, condition: PutCondition
    ) -> ObjectInfo:
        if info.size == 0:
            return self._putter.put(key, Body(b""), attributes, condition)
        with self._place.errors("copy", key):
            headers = request_headers(attributes, condition)
        for digest in info.digests:
            if digest.algorithm == "md5":
                headers[CONTENT_MD5] = md5_header(digest)
        size = part_size(info.size, self.copied_block, MOST_BLOCKS)
        with BlockUpload(self._place, key, "copy", part=size, sender=self._putter.sender) as upload:
            upload.copy(origin, info.size)
            with conditions.refusals(condition):
                answer = upload.complete(headers)
        # What it carries is what was told of the source; nobody has compared it with what came.
        with self._place.errors("copy", key):
            return written(key, info.size, answer, (), attributes)


def _origin(source: Place, info: ObjectInfo) -> dict[str, str]:
    """Return the headers that name an object as the source of a copy, its version, and by what it may be read."""
    path = source.path(info.key)
    authorise = source.connection.authorise
    url = f"{source.address.server.url}{path}"
    origin = {"x-ms-source-if-match": conditions.if_match(info.version)}
    if isinstance(authorise, SharedKey):
        token = authorise.read_token(source.address.container, source.root + info.key, SECONDS_TO_READ)
        url = f"{url}?{token}"
    elif isinstance(authorise, SharedAccess):
        url = f"{url}?{authorise.token}"
    elif isinstance(authorise, Bearer):
        origin["x-ms-copy-source-authorization"] = f"Bearer {authorise.token()}"
    return {**origin, "x-ms-copy-source": url}


def _carries_over(there: Attributes, wanted: Attributes) -> bool:
    """Tell whether a copy in one request can carry what is wanted: it replaces metadata by some other alone."""
    stays = dataclasses.replace(wanted, metadata=there.metadata, mtime_ns=there.mtime_ns) == there
    return stays and bool(wanted.metadata or wanted.mtime_ns is not None)


def _still(source: Place, info: ObjectInfo) -> ObjectInfo:
    """Return the object as it is now, with what it carries.

    Raises:
        PreconditionFailedError: it is not the version that was to be copied.
    """
    found = lookup.stat(source, info.key)
    if found.version.etag != info.version.etag:
        raise PreconditionFailedError(
            "the object changed after it was listed", operation="copy", location=source.location, key=info.key
        )
    return found
