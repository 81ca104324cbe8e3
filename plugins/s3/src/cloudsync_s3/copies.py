"""copy: inside the provider, in one request where that is possible, else in parts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from cloudsync_core.backend import NO_ATTRIBUTES
from cloudsync_core.backends.objectstore.parts import part_size
from cloudsync_core.body import Body
from cloudsync_core.errors import PreconditionFailedError
from cloudsync_core.models import Attributes, Digest, ObjectInfo, PutCondition
from cloudsync_s3 import attributes as headers
from cloudsync_s3 import conditions, lookup, versions
from cloudsync_s3.config import LARGEST_REQUEST, MIB
from cloudsync_s3.place import Place
from cloudsync_s3.puts import Putter, written
from cloudsync_s3.uploads import MOST_PARTS, MultipartUpload


class Copier:
    """Copies objects to one place from places on the same server; safe to use from many threads.

    Args:
        place: where to.
        honoured: the conditions that the server honours.
        is_amazon: whether the server is Amazon's, which honours every condition of CopyObject.
        putter: writes what cannot be copied in parts.
    """

    largest_copy = LARGEST_REQUEST
    """Bytes that CopyObject takes; more is copied in parts."""

    copied_part = 512 * MIB
    """Bytes of a part that is copied inside the provider."""

    def __init__(self, place: Place, honoured: conditions.Honoured, *, is_amazon: bool, putter: Putter) -> None:
        self._place = place
        self._honoured = honoured
        self._is_amazon = is_amazon
        self._putter = putter

    def copy(
        self, source: Place, info: ObjectInfo, key: str, attributes: Attributes | None, condition: PutCondition
    ) -> ObjectInfo:
        """Copy an object inside the provider; see `Backend.copy`.

        Of servers other than Amazon's little is taken for granted. Some ignore which version is to be copied: where
        its ETag is an MD5, that of the copy shows which one it was, else it is looked up first. And a condition goes
        on the completion of an upload in parts, if `conditional_writes` says that they honour it there; of CopyObject
        nothing is known.
        """
        with self._place.errors("copy", key):
            self._place.named(key)
            wanted = conditions.parameters(condition, self._honoured.completions)
            origin = {"CopySource": source.named(info.key), "CopySourceIfMatch": conditions.if_match(info.version)}
            replaced = {} if attributes is None else {"MetadataDirective": "REPLACE", **headers.to_request(attributes)}
        in_parts = info.size > self.largest_copy or bool(wanted and not self._is_amazon)
        tells = source.etag_is_md5 and versions.is_md5(info.version.etag or "")
        if in_parts or not (self._is_amazon or tells):
            info = _still(source, info)
        if in_parts:
            return self._copy_parts(info, key, origin, attributes or info.attributes or NO_ATTRIBUTES, condition)
        with conditions.refusals(condition), self._place.errors("copy", key):
            response = self._place.call(key, "copy_object", **origin, **replaced, **wanted)
        result: Mapping[str, Any] = response["CopyObjectResult"]
        stored = versions.plain(result.get("ETag")) or ""
        if tells and not self._is_amazon and stored != info.version.etag:
            # Another content, or ETags that tell of none, as those of encrypted objects: the source says which.
            info = _still(source, info)
            if info.digests and self._place.tells_md5(response) and versions.is_md5(stored):
                raise _changed(source, info, versions.OPAQUE_HINT)
        digest = Digest("md5", stored)
        digests = (digest,) if self._place.tells_md5(response) and digest in info.digests else ()
        return written(key, info.size, {**response, **result}, digests, attributes or info.attributes)

    def _copy_parts(
        self, info: ObjectInfo, key: str, origin: dict[str, Any], attributes: Attributes, condition: PutCondition
    ) -> ObjectInfo:
        """Copy in parts, which carry no attributes over: they are set anew (D10)."""
        if info.size == 0:
            return self._putter.put(key, Body(b""), attributes, condition)
        size, expected = _copied_like(info, part_size(info.size, self.copied_part, MOST_PARTS))
        with self._place.errors("copy", key):
            carried = headers.to_request(attributes)
        with MultipartUpload(self._putter.target("copy", key), carried, size) as upload:
            upload.copy(origin, info.size)
            with conditions.refusals(condition):
                response = upload.complete(conditions.parameters(condition, self._honoured.completions))
        digests: tuple[Digest, ...] = ()
        if expected is not None and upload.confirms(response, expected):
            digests = (Digest(f"md5/{size}", expected),)
        return written(key, info.size, response, digests, attributes)


def _still(source: Place, info: ObjectInfo) -> ObjectInfo:
    """Return the object as it is now, with what it carries.

    Raises:
        PreconditionFailedError: it is not the version that was to be copied.
    """
    found = lookup.stat(source, info.key)
    if found.version.etag != info.version.etag:
        raise _changed(source, info)
    return found


def _changed(source: Place, info: ObjectInfo, hint: str | None = None) -> PreconditionFailedError:
    return PreconditionFailedError(
        "the object changed after it was listed", operation="copy", location=source.location, key=info.key, hint=hint
    )


def _copied_like(found: ObjectInfo, size: int) -> tuple[int, str | None]:
    """Return the size of parts in which to copy an object, and the MD5 of their MD5s where it is known before."""
    for digest in found.digests:
        algorithm, _, of_parts = digest.algorithm.partition("/")
        if of_parts:
            return int(of_parts), digest.value
        if algorithm == "md5" and found.size <= size:
            return size, hashlib.md5(bytes.fromhex(digest.value), usedforsecurity=False).hexdigest()
    return size, None
