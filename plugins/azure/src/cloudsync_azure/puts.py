"""put: small content in one request, the rest in blocks."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Iterable

from cloudsync_azure import attributes as carrying
from cloudsync_azure import conditions, operations, versions
from cloudsync_azure.place import Place
from cloudsync_azure.uploads import MOST_BLOCKS, BlockUpload
from cloudsync_core.backends.objectstore.parts import LARGE_PART, Part, cut, memory, part_size_of, until
from cloudsync_core.backends.objectstore.sending import Sender
from cloudsync_core.backends.objectstore.transport import DamagedAnswerError
from cloudsync_core.backends.objectstore.visible import telling
from cloudsync_core.backends.objectstore.wire import Answer
from cloudsync_core.body import Body
from cloudsync_core.models import Attributes, Digest, ObjectInfo, PutCondition

CONTENT_MD5 = "x-ms-blob-content-md5"
"""The header by which a write says what the Content-MD5 of an object is to be."""


class Putter:
    """Writes objects of one place; safe to use from many threads.

    Args:
        place: where to.
        threshold: bytes above which an object is uploaded in blocks.
        part: bytes of a block.
    """

    def __init__(self, place: Place, *, threshold: int, part: int) -> None:
        self._place = place
        self._threshold = threshold
        self._part = part
        self.sender = Sender()

    @property
    def memory(self) -> int:
        """The bytes of one object that a put holds: of one in blocks, or of one that is put together from its chunks.

        Of objects of more than 781 GiB it is more, because there are no more than 50,000 blocks.
        """
        return max(memory(max(self._part, LARGE_PART)), 2 * self._threshold)

    def put(self, key: str, body: Body, attributes: Attributes, condition: PutCondition) -> ObjectInfo:
        """Write an object; see `Backend.put`."""
        with self._place.errors("put", key):
            path = self._place.path(key)
            order = _Order(key, path, attributes, condition, request_headers(attributes, condition))
        body.require("md5")
        if body.size is not None and body.size <= self._threshold:
            return self._put_whole(order, body.read(), body.digest("md5"))
        size = part_size_of(body, self._part, MOST_BLOCKS)
        pieces = cut(body, size, hashed=False)
        if body.size is not None:
            return self._put_blocks(order, body, pieces, size)
        # Content of unknown length is held back until it is known to be too long for one request.
        held = list(until(pieces, self._threshold))
        if sum(part.size for part in held) > self._threshold:
            return self._put_blocks(order, body, itertools.chain(held, pieces), size)
        return self._put_whole(order, b"".join(b"".join(part.pieces) for part in held), body.digest("md5"))

    def _put_whole(self, order: _Order, data: bytes, digest: Digest) -> ObjectInfo:
        with conditions.refusals(order.condition), self._place.errors("put", order.key):
            request = operations.put_blob(order.path, data, md5_header(digest), order.headers)
            answer = self._place.connection.call(request)
            found = functools.partial(written, order.key, len(data), answer)
            with telling(lambda: found((), order.attributes)):
                versions.check(answer.headers.get("content-md5"), digest, "the object")
            return found((digest,), order.attributes)

    def _put_blocks(self, order: _Order, body: Body, pieces: Iterable[Part], size: int) -> ObjectInfo:
        upload = BlockUpload(self._place, order.key, "put", part=size, sender=self.sender, resumption=body.resumption)
        with upload:
            upload.send(pieces)
            digest = body.digest("md5")
            with conditions.refusals(order.condition):
                answer = upload.complete({**order.headers, CONTENT_MD5: md5_header(digest)})
        with self._place.errors("put", order.key):
            return written(order.key, upload.size, answer, (digest,), order.attributes)


@dataclasses.dataclass(frozen=True, slots=True)
class _Order:
    """What is to be written where, besides the content.

    Attributes:
        key: the object.
        path: of requests about it.
        attributes: what it carries.
        condition: under which.
        headers: of a request that says both.
    """

    key: str
    path: str
    attributes: Attributes
    condition: PutCondition
    headers: dict[str, str]


def request_headers(attributes: Attributes, condition: PutCondition) -> dict[str, str]:
    """Return the headers of a write that say what the object carries, and under which condition.

    Raises:
        AttributesError: it cannot carry that.
        UnsupportedOperationError: Azure cannot say that condition.
    """
    return {**carrying.to_headers(attributes), **conditions.headers(condition)}


def md5_header(digest: Digest) -> str:
    """Return an MD5 as headers have it."""
    return operations.in_base64(bytes.fromhex(digest.value))


def written(
    key: str, size: int, answer: Answer, digests: tuple[Digest, ...], attributes: Attributes | None
) -> ObjectInfo:
    """Return what a successful write tells.

    Args:
        key: the object.
        size: bytes of it.
        answer: to the write.
        digests: of the content. The server took what was sent with an MD5 of it, and refuses what has another.
        attributes: what the object carries.

    Raises:
        DamagedAnswerError: it tells nothing of what was written.
    """
    version = versions.version(answer.headers)
    if version.etag is None:
        raise DamagedAnswerError("the server's answer does not tell what it has written")
    modified_ns = versions.nanoseconds(answer.headers.get("last-modified") or answer.headers.get("date"))
    return ObjectInfo(key, size, version.etag, modified_ns, version, digests, attributes)
