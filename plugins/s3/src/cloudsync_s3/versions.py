"""What answers tell of the version and the content of an object: its ETag, and when that tells nothing.

The ETag of an object that was written in one request is the MD5 of its content, and that of a multipart upload is the
MD5 of its parts' MD5s followed by `-` and their number, unless the object is encrypted by SSE-KMS or SSE-C or lies in
a directory bucket (https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html; catalogue B08-B10). Nothing is
claimed of an ETag beyond that: a wrong digest would make a good transfer fail.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from cloudsync_core.errors import IntegrityError
from cloudsync_core.models import Digest, Version

PART_SIZE_METADATA = "cloudsync-part-size"
"""User metadata of our multipart uploads: the bytes of each part but the last."""

OPAQUE_HINT = "If the ETags of this server or bucket are not MD5s of the content, set etag_is_md5: false."

_MD5 = re.compile(r"[0-9a-f]{32}")
_COMPOSITE = re.compile(r"([0-9a-f]{32})-([1-9][0-9]{0,4})")
_NUMBER = re.compile(r"[1-9][0-9]{0,12}")


def plain(etag: str | None) -> str | None:
    """Return an ETag as `Version` holds it: without its quotes, and the mark of a weak one."""
    return etag.removeprefix("W/").strip('"') if etag else None


def version(response: Mapping[str, Any]) -> Version:
    """Return the version that a response tells. "null" is S3's word for an object that was written without one."""
    found = response.get("VersionId")
    return Version(plain(response.get("ETag")), None if found == "null" else found)


def is_md5(etag: str) -> bool:
    """Tell whether a plain ETag has the form of an MD5."""
    return _MD5.fullmatch(etag) is not None


def is_composite(etag: str) -> bool:
    """Tell whether a plain ETag has the form of that of a multipart upload."""
    return _COMPOSITE.fullmatch(etag) is not None


def check(etag: str | None, digest: str, what: str) -> bool:
    """Return whether an ETag confirms the MD5 of what was sent; `False` where it has not the form of an MD5.

    Raises:
        IntegrityError: it is the MD5 of something else.
    """
    stored = plain(etag) or ""
    if not is_md5(stored):
        return False
    if stored != digest:
        raise IntegrityError(f"the server stored {what} with the MD5 {stored}, sent was {digest}", hint=OPAQUE_HINT)
    return True


def encrypted_apart(response: Mapping[str, Any]) -> bool:
    """Tell whether a response is about an object whose ETag says nothing of its content (B09)."""
    return "SSECustomerAlgorithm" in response or str(response.get("ServerSideEncryption", "")).startswith("aws:kms")


def digests(response: Mapping[str, Any], size: int) -> tuple[Digest, ...]:
    """Return the digests of an object's whole content that a response of GetObject or HeadObject tells.

    The part size is metadata that other tools may have carried over to an upload of other parts, so it counts only
    where it explains the number of parts.
    """
    etag = plain(response.get("ETag"))
    if etag is None or response["ETag"].startswith("W/") or encrypted_apart(response):
        return ()
    if is_md5(etag):
        return (Digest("md5", etag),)
    composite = _COMPOSITE.fullmatch(etag)
    metadata = {name.lower(): value for name, value in response.get("Metadata", {}).items()}
    part_size = _NUMBER.fullmatch(metadata.get(PART_SIZE_METADATA, ""))
    if composite is None or part_size is None or -(-size // int(part_size[0])) != int(composite[2]):
        return ()
    return (Digest(f"md5/{part_size[0]}", composite[1]),)
