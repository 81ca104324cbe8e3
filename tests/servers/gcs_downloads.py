"""Bytes of objects: `alt=media`.

https://cloud.google.com/storage/docs/json_api/v1/objects/get, and for objects stored compressed
https://cloud.google.com/storage/docs/transcoding: what has `contentEncoding: gzip` is decompressed on its way, without
a length and whatever range was asked for, unless the request accepts gzip or the object says `no-transform`.
https://cloud.google.com/storage/docs/hashes-etags: the hashes are those of what is stored.
"""

from __future__ import annotations

import email.utils
import re
import zlib
from collections.abc import Mapping
from datetime import datetime
from gzip import decompress

from tests.servers.gcs_errors import Refusal
from tests.servers.gcs_http import Response
from tests.servers.gcs_objects import Stored

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_ANSWERED = {
    "cacheControl": "cache-control",
    "contentDisposition": "content-disposition",
    "contentLanguage": "content-language",
}


def download(stored: Stored, headers: Mapping[str, str]) -> Response:
    """Return the content, or the range of it that is asked for.

    Raises:
        Refusal: the range begins behind the end.
    """
    told = _told(stored)
    encoding = stored.fields.get("contentEncoding")
    if encoding == "gzip" and _transcoded(stored, headers):
        # What is not gzip in spite of its label goes as it is.
        try:
            return Response(200, decompress(stored.content), {**told, "warning": "214 UploadServer gunzipped"}, True)
        except (OSError, EOFError, zlib.error):
            pass
    if encoding is not None:
        told["content-encoding"] = encoding
    span = _span(headers.get("range", ""), len(stored.content))
    if span is None:
        return Response(200, stored.content, told)
    start, end = span
    told["content-range"] = f"bytes {start}-{end - 1}/{len(stored.content)}"
    return Response(206, memoryview(stored.content)[start:end], told)


def _transcoded(stored: Stored, headers: Mapping[str, str]) -> bool:
    accepted = "gzip" in headers.get("accept-encoding", "")
    return not accepted and "no-transform" not in stored.fields.get("cacheControl", "")


def _told(stored: Stored) -> dict[str, str]:
    hashes = f"crc32c={stored.crc32c}" + (f",md5={stored.md5}" if stored.md5 is not None else "")
    told = {
        "content-type": stored.fields.get("contentType", "application/octet-stream"),
        "etag": stored.etag,
        "last-modified": email.utils.format_datetime(datetime.fromisoformat(stored.created), usegmt=True),
        "accept-ranges": "bytes",
        "x-goog-generation": str(stored.generation),
        "x-goog-metageneration": str(stored.metageneration),
        "x-goog-hash": hashes,
        "x-goog-storage-class": stored.fields.get("storageClass", "STANDARD"),
        "x-goog-stored-content-encoding": stored.fields.get("contentEncoding", "identity"),
        "x-goog-stored-content-length": str(len(stored.content)),
    }
    told.update({header: stored.fields[name] for name, header in _ANSWERED.items() if name in stored.fields})
    if stored.components is not None:
        told["x-goog-component-count"] = str(stored.components)
    return told


def _span(asked: str, size: int) -> tuple[int, int] | None:
    """Return the start and the end of a range; `None` where all is to be sent, as for a range that makes no sense."""
    found = _RANGE.fullmatch(asked.strip())
    if found is None or not (found[1] or found[2]):
        return None
    if found[1]:
        start, end = int(found[1]), min(int(found[2]) + 1 if found[2] else size, size)
        if found[2] and int(found[2]) < start:
            return None
    else:
        start, end = max(0, size - int(found[2])), size
    if start >= size:
        raise Refusal(
            416,
            "requestedRangeNotSatisfiable",
            "Request range not satisfiable",
            headers={"content-range": f"bytes */{size}"},
        )
    return start, end
