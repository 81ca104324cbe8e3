"""put: small content in one request, the rest in parts."""

from __future__ import annotations

import email.utils
import functools
import hashlib
import itertools
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

from cloudsync_core.body import Body
from cloudsync_core.models import Attributes, Digest, ObjectInfo, PutCondition
from cloudsync_s3 import attributes as headers
from cloudsync_s3 import conditions, etags
from cloudsync_s3.place import Place
from cloudsync_s3.uploads import PARTS_IN_MEMORY, MultipartUpload, Target, part_size, parts


class Putter:
    """Writes objects of one place; safe to use from many threads.

    Args:
        place: where to.
        kinds: the conditions that the server honours.
        threshold: bytes above which an object is uploaded in parts.
        part: bytes of a part.
    """

    def __init__(self, place: Place, kinds: conditions.Kinds, *, threshold: int, part: int) -> None:
        self._place = place
        self._kinds = kinds
        self._threshold = threshold
        self._part = part
        self._slots = threading.BoundedSemaphore(PARTS_IN_MEMORY)

    def put(self, key: str, body: Body, attributes: Attributes, condition: PutCondition) -> ObjectInfo:
        """Write an object; see `Backend.put`."""
        with self._place.errors("put", key):
            self._place.named(key)
            carried = headers.to_request(attributes)
            wanted = conditions.parameters(condition, self._kinds)
        if body.size is not None and body.size <= self._threshold:
            body.require("md5")
            data = body.read()
            digest = body.digest("md5").value
        else:
            size = self._part if body.size is None else part_size(body.size, self._part)
            pieces = parts(body, size)
            # Content of unknown length is held back until it is known to be too long for one request.
            held = list(_until(pieces, self._threshold))
            if sum(map(len, held)) > self._threshold:
                upload = MultipartUpload(self.target("put", key), carried, size)
                return self._put_parts(key, upload, itertools.chain(held, pieces), attributes, condition)
            data = b"".join(held)
            digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
        with conditions.refusals(condition), self._place.errors("put", key):
            response = self._place.put_object(key, data, digest, carried, wanted)
            confirmed = self._place.tells_md5(response) and etags.check(response.get("ETag"), digest, "the object")
        return written(key, len(data), response, (Digest("md5", digest),) if confirmed else (), attributes)

    def target(self, verb: str, key: str) -> Target:
        """Return what an upload in parts needs to know, for a verb of the contract."""
        return Target(self._place, key, functools.partial(self._place.errors, verb, key), self._slots)

    def _put_parts(
        self,
        key: str,
        upload: MultipartUpload,
        pieces: Iterator[bytes],
        attributes: Attributes,
        condition: PutCondition,
    ) -> ObjectInfo:
        with upload:
            upload.send(pieces)
            with conditions.refusals(condition):
                response = upload.complete(conditions.parameters(condition, self._kinds))
        confirmed = upload.confirms(response, upload.digest.value)
        return written(key, upload.size, response, (upload.digest,) if confirmed else (), attributes)


def written(
    key: str, size: int, response: Mapping[str, Any], digests: tuple[Digest, ...], attributes: Attributes | None
) -> ObjectInfo:
    """Return what a successful write tells. Its time is the answer's: S3 tells no other of PutObject."""
    version = etags.version(response)
    date = response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    try:
        modified_ns = int(email.utils.parsedate_to_datetime(date).timestamp()) * 1_000_000_000
    except (TypeError, ValueError):
        modified_ns = time.time_ns()
    return ObjectInfo(key, size, version.etag or "", modified_ns, version, digests, attributes)


def _until(pieces: Iterator[bytes], limit: int) -> Iterator[bytes]:
    """Yield pieces until there are more than `limit` bytes of them."""
    total = 0
    for piece in pieces:
        total += len(piece)
        yield piece
        if total > limit:
            return
