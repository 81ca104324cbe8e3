"""put: small content in one request, the rest by a session."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from typing import Any

from cloudsync_core.backends.objectstore.visible import telling
from cloudsync_core.body import CHUNK_SIZE, Body
from cloudsync_core.errors import IntegrityError
from cloudsync_core.models import Attributes, Digest, ObjectInfo, PutCondition
from cloudsync_gcs import attributes as carrying
from cloudsync_gcs import conditions, operations, versions
from cloudsync_gcs.place import Place, size
from cloudsync_gcs.uploads import Upload


class Putter:
    """Writes objects of one place; safe to use from many threads.

    Args:
        place: where to.
        threshold: bytes above which an object is uploaded by a session.
        chunk: bytes of such an upload that are held in memory at a time.
    """

    def __init__(self, place: Place, *, threshold: int, chunk: int) -> None:
        self._place = place
        self._threshold = threshold
        self._chunk = chunk

    @property
    def memory(self) -> int:
        """The bytes of one object that a put holds: the chunks of a session, or an object that goes in one request."""
        return max(2 * self._threshold, self._threshold + 2 * self._chunk + CHUNK_SIZE)

    def put(self, key: str, body: Body, attributes: Attributes, condition: PutCondition) -> ObjectInfo:
        """Write an object; see `Backend.put`."""
        errors = functools.partial(self._place.errors, "put", key)
        with errors():
            resource = {"name": self._place.named(key), **carrying.to_resource(attributes)}
            wanted = conditions.parameters(condition, honoured=self._place.conditional)
        algorithm = versions.require(body)
        content: Iterator[bytes] = iter(())
        held: list[bytes] = []
        if body.size is not None and body.size <= self._threshold:
            held = [body.read()]
        else:
            content = body.chunks()
            if body.size is None:
                # It is held back until it is known to be too long for one request.
                held = list(_until(content, self._threshold))
        with conditions.refusals(condition):
            if body.finished and sum(map(len, held)) <= self._threshold:
                digest = body.digest(algorithm)
                with errors():
                    told = self._insert(resource, b"".join(held), digest, wanted)
            else:
                session = Upload(
                    self._place,
                    resource,
                    body.size,
                    chunk=self._chunk,
                    query=wanted,
                    errors=errors,
                    resumption=body.resumption,
                )
                with session as upload:
                    told = upload.complete(itertools.chain(held, content), functools.partial(body.digest, algorithm))
                digest = body.digest(algorithm)
        with errors(), telling(lambda: self._place.written(key, told, (), attributes)):
            if size(told) != body.bytes_passed:
                raise IntegrityError(f"the server stored {size(told)} bytes, sent were {body.bytes_passed}")
            return self._place.written(key, told, versions.confirmed(told, (digest,)), attributes)

    def _insert(self, resource: dict[str, Any], data: bytes, digest: Digest, wanted: dict[str, str]) -> dict[str, Any]:
        """Write an object in one request, which tells its digest: the server compares before it writes."""
        resource[versions.FIELDS[digest.algorithm]] = versions.encoded(digest)
        query = {**self._place.common, **wanted}
        return self._place.ask(operations.insert(self._place.address, resource, data, query))


def _until(content: Iterator[bytes], limit: int) -> Iterator[bytes]:
    """Yield chunks until there are more than `limit` bytes of them."""
    total = 0
    for chunk in content:
        total += len(chunk)
        yield chunk
        if total > limit:
            return
