"""leftovers and discard: uploads in parts that nobody has completed.

S3 keeps them, and charges for them, until somebody aborts them or a lifecycle rule does. What it tells of each is its
name, its object and when it was begun; not who is still at it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import unquote_plus

from cloudsync_core.errors import UnexpectedBackendError
from cloudsync_core.unfinished import Leftover
from cloudsync_s3.errors import FAILURES, is_code
from cloudsync_s3.place import Place, nanoseconds
from cloudsync_s3.resuming import upload_of


def find(place: Place, recorded: Sequence[tuple[str, str]]) -> Iterator[Leftover]:
    """Yield the unfinished uploads under the root; see `Backend.leftovers`."""
    known = {(key, upload_of(token)): token for key, token in recorded}
    more: dict[str, Any] = {}
    while True:
        with place.errors("list"):
            page = place.connection.call(
                "list_multipart_uploads", Bucket=place.bucket, Prefix=place.root, EncodingType="url", **more
            )
            encoded = page.get("EncodingType") == "url"
            uploads = [(_text(entry["Key"], encoded=encoded), entry) for entry in page.get("Uploads", [])]
            following = _following(page, encoded=encoded)
            if following == more:
                raise UnexpectedBackendError("the server repeats a page of its unfinished uploads")
        for name, entry in uploads:
            if name.startswith(place.root):
                key, upload = name[len(place.root) :], entry["UploadId"]
                token = known.get((key, upload))
                initiated = entry.get("Initiated")
                yield Leftover(
                    "unfinished upload",
                    key,
                    token or upload,
                    None if initiated is None else nanoseconds(initiated),
                    recorded=token is not None,
                    ours=token is not None,
                )
        if following is None:
            return
        more = following


def discard(place: Place, key: str, token: str) -> None:
    """Abort an upload; see `Backend.discard`."""
    if not upload_of(token):
        # A server might take a request without the upload's name for one to delete the object.
        return
    with place.errors("discard", key):
        try:
            place.call(key, "abort_multipart_upload", UploadId=upload_of(token))
        except FAILURES as failure:
            if not is_code(failure, "NoSuchUpload"):
                raise


def _following(page: dict[str, Any], *, encoded: bool) -> dict[str, Any] | None:
    """Return the parameters that ask for the next page, `None` after the last one."""
    if not page.get("IsTruncated"):
        return None
    marker = page.get("NextKeyMarker")
    if not marker:
        raise UnexpectedBackendError("the server's list of unfinished uploads ends in the middle")
    found = {"KeyMarker": _text(marker, encoded=encoded)}
    if page.get("NextUploadIdMarker"):
        found["UploadIdMarker"] = page["NextUploadIdMarker"]
    return found


def _text(name: str, *, encoded: bool) -> str:
    return unquote_plus(name, errors="surrogateescape") if encoded else name
