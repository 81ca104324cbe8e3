"""put: small content in one request, the rest in parts."""

from __future__ import annotations

import dataclasses
import email.utils
import functools
import itertools
import time
from collections.abc import Iterable, Mapping
from typing import Any

from cloudsync_core.backends.objectstore.parts import LARGE_PART, Part, cut, memory, part_size_of, until
from cloudsync_core.backends.objectstore.sending import Sender
from cloudsync_core.backends.objectstore.visible import telling
from cloudsync_core.body import Body
from cloudsync_core.errors import Disposition, UnexpectedBackendError
from cloudsync_core.models import Attributes, Digest, ObjectInfo, PutCondition
from cloudsync_core.unfinished import Resumption
from cloudsync_s3 import attributes as headers
from cloudsync_s3 import conditions, versions
from cloudsync_s3.place import Place
from cloudsync_s3.uploads import MOST_PARTS, MultipartUpload, Proofs, Target


class Putter:
    """Writes objects of one place; safe to use from many threads.

    Args:
        place: where to.
        honoured: the conditions that the server honours.
        threshold: bytes above which an object is uploaded in parts.
        part: bytes of a part.
    """

    def __init__(self, place: Place, honoured: conditions.Honoured, *, threshold: int, part: int) -> None:
        self._place = place
        self._honoured = honoured
        self._threshold = threshold
        self._part = part
        self._sender = Sender()
        self._proofs = Proofs()

    @property
    def memory(self) -> int:
        """The bytes of one object that a put holds: of one in parts, or of one that is put together from its chunks.

        Of objects of more than 156 GiB it is more, because there are no more than 10,000 parts; nothing bounds those.
        """
        return max(memory(max(self._part, LARGE_PART)), 2 * self._threshold)

    def put(self, key: str, body: Body, attributes: Attributes, condition: PutCondition) -> ObjectInfo:
        """Write an object; see `Backend.put`."""
        with self._place.errors("put", key):
            self._place.named(key)
            carried = headers.to_request(attributes)
            order = _Order(key, attributes, carried, condition)
            in_parts = body.size is not None and body.size > self._threshold
            self._wanted(order, in_parts=in_parts)
        if body.size is not None and not in_parts:
            body.require("md5")
            return self._put_whole(order, body.read(), body.digest("md5"))
        size = part_size_of(body, self._part, MOST_PARTS)
        body.require(f"md5/{size}")
        if body.size is not None:
            return self._put_parts(order, cut(body, size), size, body.resumption)
        # Content of unknown length is held back until it is known to be too long for one request.
        body.require("md5")
        pieces = cut(body, size)
        held = list(until(pieces, self._threshold))
        if sum(part.size for part in held) > self._threshold:
            return self._put_parts(order, itertools.chain(held, pieces), size, body.resumption)
        return self._put_whole(order, b"".join(b"".join(part.pieces) for part in held), body.digest("md5"))

    def target(self, verb: str, key: str) -> Target:
        """Return what an upload in parts needs to know, for a verb of the contract."""
        return Target(self._place, key, functools.partial(self._place.errors, verb, key), self._sender, self._proofs)

    def _put_whole(self, order: _Order, data: bytes, digest: Digest) -> ObjectInfo:
        with conditions.refusals(order.condition), self._place.errors("put", order.key):
            wanted = self._wanted(order, in_parts=False)
            response = _telling(self._place.put_object(order.key, data, digest.value, order.carried, wanted))
            found = functools.partial(written, order.key, len(data), response)
            with telling(lambda: found((), order.attributes)):
                told = self._place.tells_md5(response)
                confirmed = told and versions.check(response.get("ETag"), digest.value, "the object")
            return found((digest,) if confirmed else (), order.attributes)

    def _put_parts(self, order: _Order, pieces: Iterable[Part], size: int, resumption: Resumption | None) -> ObjectInfo:
        with self._place.errors("put", order.key):
            wanted = self._wanted(order, in_parts=True)
        with MultipartUpload(self.target("put", order.key), order.carried, size, resumption) as upload:
            upload.send(pieces)
            with conditions.refusals(order.condition):
                response = upload.complete(wanted)
        found = functools.partial(written, order.key, upload.size, response)
        with self._place.errors("put", order.key), telling(lambda: found((), order.attributes)):
            digests = (upload.digest,) if upload.proven(_telling(response)) else ()
            return found(digests, order.attributes)

    def _wanted(self, order: _Order, *, in_parts: bool) -> dict[str, str]:
        """Return the parameters that say under which condition."""
        if in_parts and isinstance(order.condition, self._honoured.puts):
            # The content has become larger than it was when somebody asked under which condition it can be put.
            return conditions.parameters(order.condition, self._honoured.completions, Disposition.SKIP)
        return conditions.parameters(order.condition, self._honoured.puts)


@dataclasses.dataclass(frozen=True, slots=True)
class _Order:
    """What is to be written where, besides the content.

    Attributes:
        key: the object.
        attributes: what it carries.
        carried: the parameters of a request that say so.
        condition: under which.
    """

    key: str
    attributes: Attributes
    carried: dict[str, Any]
    condition: PutCondition


def written(
    key: str, size: int, response: Mapping[str, Any], digests: tuple[Digest, ...], attributes: Attributes | None
) -> ObjectInfo:
    """Return what a successful write tells. Its time is the answer's: S3 tells no other of PutObject."""
    version = versions.version(response)
    date = response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    modified_ns = _nanoseconds(date) or time.time_ns()
    return ObjectInfo(key, size, version.etag or "", modified_ns, version, digests, attributes)


def _telling(response: dict[str, Any]) -> dict[str, Any]:
    """Return the answer to a put, unless it tells nothing: then it may be somebody else's than the server's."""
    if versions.version(response).etag is None:
        raise UnexpectedBackendError(
            "the server's answer does not tell what it has written", disposition=Disposition.RETRY
        )
    return response


@functools.lru_cache(maxsize=16)
def _nanoseconds(date: str | None) -> int | None:
    """Return what a Date header says, in nanoseconds since the epoch; many answers have the same second."""
    try:
        return int(email.utils.parsedate_to_datetime(date or "").timestamp()) * 1_000_000_000
    except (TypeError, ValueError):
        return None
