"""leftovers and discard: uploads in parts that nobody has completed, and what the server was tried with.

S3 keeps them, and charges for them, until somebody aborts them or a lifecycle rule does. What it tells of each is its
name, its object and when it was begun; not who is still at it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import unquote_plus

from cloudsync_core.backends.objectstore.ranges import Cutting
from cloudsync_core.errors import UnexpectedBackendError, UnsupportedOperationError
from cloudsync_core.unfinished import Leftover
from cloudsync_s3 import lookup
from cloudsync_s3.errors import FAILURES, is_code
from cloudsync_s3.place import Place, nanoseconds
from cloudsync_s3.probing import NAMES
from cloudsync_s3.resuming import upload_of

_PROBE = "probe"
"""The token of an object that a probe left."""


def find(place: Place, recorded: Sequence[tuple[str, str]]) -> Iterator[Leftover]:
    """Yield the unfinished uploads under the root, and what a probe that was killed left; see `Backend.leftovers`."""
    yield from _probes(place)
    known = {(key, upload_of(token)): token for key, token in recorded}
    more: dict[str, Any] = {}
    while True:
        with place.errors("list"):
            page = _page(place, more)
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
    """Abort an upload, or remove what a probe left; see `Backend.discard`."""
    if token == _PROBE:
        if key.startswith(NAMES):
            with place.errors("discard", key):
                place.call(key, "delete_object")
        return
    if not upload_of(token):
        # A server might take a request without the upload's name for one to delete the object.
        return
    with place.errors("discard", key):
        try:
            place.call(key, "abort_multipart_upload", UploadId=upload_of(token))
        except FAILURES as failure:
            if not is_code(failure, "NoSuchUpload"):
                raise


def _probes(place: Place) -> Iterator[Leftover]:
    """Yield the objects on which the conditions of a server were tried."""
    for page in lookup.pages(place, NAMES.partition("/")[0], None, Cutting(allowed=False)):
        for info in page:
            if info.key.startswith(NAMES):
                yield Leftover("temporary file", info.key, _PROBE, info.modified_ns, info.size, ours=True)


def _page(place: Place, more: dict[str, Any]) -> dict[str, Any]:
    try:
        return place.connection.call(
            "list_multipart_uploads", Bucket=place.bucket, Prefix=place.root, EncodingType="url", **more
        )
    except FAILURES as failure:
        # `rclone serve s3` takes the question for one about an upload without a name.
        if is_code(failure, "NoSuchUpload"):
            raise UnsupportedOperationError(
                "this server does not tell which uploads are unfinished",
                hint="Remove them where the server keeps them.",
            ) from failure
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
