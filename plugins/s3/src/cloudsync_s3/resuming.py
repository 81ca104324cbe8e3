"""Going on with an upload in parts that a crash has cut short: what names it, and which parts of it are there.

What a token says is not believed: a part is not sent again only where its ETag is the MD5 of the part that would be.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from cloudsync_core.backends.objectstore.parts import Part
from cloudsync_core.errors import UnexpectedBackendError
from cloudsync_s3 import versions
from cloudsync_s3.connection import Connection
from cloudsync_s3.errors import FAILURES, is_code


def token_of(upload: str, part: int, carried: Mapping[str, Any]) -> str:
    """Return the token of an upload; it tells whether a later put would have begun the same one.

    Args:
        upload: the UploadId.
        part: bytes of each part but the last.
        carried: the parameters that the upload began with, which nothing can change any more.
    """
    text = json.dumps(carried, sort_keys=True)
    return f"{upload} {part} {hashlib.sha256(text.encode()).hexdigest()[:32]}"


def upload_of(token: str) -> str:
    """Return the UploadId in a token, or in what a list of uploads has in its place."""
    return token.partition(" ")[0]


@dataclasses.dataclass(frozen=True, slots=True)
class HeldPart:
    """A part that the server has.

    Attributes:
        etag: as the server writes it.
        size: bytes.
    """

    etag: str
    size: int

    def is_part(self, part: Part) -> bool:
        """Tell whether it is, byte for byte, some part that would be sent."""
        return self.size == part.size and versions.plain(self.etag) == part.md5.hex()


def held_parts(connection: Connection, upload: Mapping[str, Any]) -> dict[int, HeldPart] | None:
    """Return the parts of an upload that the server has, by their numbers; `None` where the upload is gone.

    Args:
        connection: to the server.
        upload: the parameters that name the upload.

    Raises:
        UnexpectedBackendError: the server's list of them ends in the middle.
    """
    found: dict[int, HeldPart] = {}
    marker = 0
    while True:
        try:
            page = connection.call("list_parts", **upload, **({"PartNumberMarker": marker} if marker else {}))
        except FAILURES as failure:
            if is_code(failure, "NoSuchUpload"):
                return None
            raise
        for entry in page.get("Parts", []):
            found[entry["PartNumber"]] = HeldPart(entry.get("ETag", ""), entry.get("Size", -1))
        if not page.get("IsTruncated"):
            return found
        following = page.get("NextPartNumberMarker") or 0
        if following <= marker:
            raise UnexpectedBackendError("the server's list of parts ends in the middle")
        marker = following
