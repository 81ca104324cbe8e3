"""The requests of the JSON API and its answers, as data (https://cloud.google.com/storage/docs/json_api/v1)."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from cloudsync_core.backends.objectstore.transport import DamagedAnswerError
from cloudsync_core.backends.objectstore.wire import Answer, Request, query_string
from cloudsync_core.models import Digest
from cloudsync_gcs import attributes
from cloudsync_gcs.address import Address, segment
from cloudsync_gcs.errors import Refusal
from cloudsync_gcs.versions import encoded

WRITTEN = "generation,size,md5Hash,crc32c,timeCreated"
"""The fields of an object's resource that change with its content."""

DESCRIBED = f"name,{WRITTEN},{attributes.FIELDS}"
"""Those that tell what it is and what it carries."""

LISTED = f"kind,nextPageToken,items(name,{WRITTEN})"

PAGE = 1000
"""Objects of a page, which is as many as the server gives."""

INCOMPLETE = 308
"""The status by which a server that takes an upload says that it waits for more."""

CANCELLED = 499
"""The status by which it confirms that the upload is cancelled."""

_JSON = "application/json; charset=UTF-8"
_COPY_WHOLE = 64 * 1024
_LONGEST_MESSAGE = 1000
_CONTENT_ID = re.compile(r"^content-id:[ \t]*<?response-([0-9]+)>?[ \t]*$", re.IGNORECASE | re.MULTILINE)
_STATUS = re.compile(r"HTTP/[0-9.]+ ([1-5][0-9][0-9])")
_BOUNDARY = re.compile(r'boundary="?([^";]+)"?', re.IGNORECASE)
_HELD = re.compile(r"bytes=0-([0-9]+)")


@dataclasses.dataclass(frozen=True, slots=True)
class Session:
    """An upload that a server has begun.

    Attributes:
        path: where its chunks go, percent-encoded.
        query: the parameters that name it.
    """

    path: str
    query: Mapping[str, str]


def list_page(address: Address, prefix: str, query: Mapping[str, str]) -> Request:
    """Ask for a page of the listing of everything that begins with `prefix`."""
    fixed = {"prefix": prefix, "maxResults": str(PAGE), "fields": LISTED, "prettyPrint": "false"}
    return Request("GET", address.objects, {**fixed, **query})


def list_folders(address: Address, prefix: str, query: Mapping[str, str]) -> Request:
    """Ask for the folders directly in a folder."""
    fixed = {"prefix": prefix, "delimiter": "/", "fields": "kind,nextPageToken,prefixes", "prettyPrint": "false"}
    return Request("GET", address.objects, {**fixed, **query})


def probe(address: Address, query: Mapping[str, str]) -> Request:
    """Ask for nothing but whether the bucket is there."""
    return Request("GET", address.objects, {"maxResults": "1", "fields": "kind", **query})


def describe(address: Address, name: str, query: Mapping[str, str]) -> Request:
    """Ask what an object is."""
    return Request("GET", address.object(name), {"fields": DESCRIBED, **query})


def media(address: Address, name: str, query: Mapping[str, str], *, span: str | None, packed: bool) -> Request:
    """Ask for the bytes of an object.

    Args:
        address: of the bucket.
        name: of the object.
        query: further parameters, such as the generation.
        span: the value of a Range header, `None` for everything.
        packed: whether the object is stored as gzip: then the server has to be told to leave it so
            (https://cloud.google.com/storage/docs/transcoding). Of others nothing compressed is accepted.
    """
    headers = {"accept-encoding": "gzip"} if packed else {}
    if span is not None:
        headers["range"] = span
    return Request("GET", address.object(name), {"alt": "media", **query}, headers)


def insert(address: Address, resource: Mapping[str, Any], data: bytes, query: Mapping[str, str]) -> Request:
    """Write an object and what it carries in one request."""
    boundary = os.urandom(16).hex()
    kind = resource.get("contentType", "application/octet-stream")
    before = (
        f"--{boundary}\r\ncontent-type: {_JSON}\r\n\r\n{json.dumps(resource)}\r\n"
        f"--{boundary}\r\ncontent-type: {kind}\r\n\r\n"
    ).encode()
    after = f"\r\n--{boundary}--\r\n".encode()
    # Small content is sent by one call, with everything that stands around it; large content is not copied.
    whole = len(data) <= _COPY_WHOLE
    body: bytes | Iterable[bytes] = b"".join((before, data, after)) if whole else (before, data, after)
    return Request(
        "POST",
        address.uploads,
        {"uploadType": "multipart", "fields": WRITTEN, **query},
        {"content-type": f"multipart/related; boundary={boundary}"},
        body,
        len(before) + len(data) + len(after),
    )


def begin_upload(address: Address, resource: Mapping[str, Any], size: int | None, query: Mapping[str, str]) -> Request:
    """Begin the upload of an object whose content comes in chunks; its size may be unknown."""
    body = json.dumps(resource).encode()
    headers = {"content-type": _JSON}
    if "contentType" in resource:
        headers["x-upload-content-type"] = resource["contentType"]
    if size is not None:
        headers["x-upload-content-length"] = str(size)
    return Request("POST", address.uploads, {"uploadType": "resumable", **query}, headers, body, len(body))


def session(answer: Answer) -> Session:
    """Return the upload that an answer to `begin_upload` names; only its path and parameters count.

    Raises:
        DamagedAnswerError: it names none.
    """
    parts = urlsplit(answer.headers.get("location", ""))
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    if not parts.path.startswith("/") or "upload_id" not in query:
        raise DamagedAnswerError("the answer names no upload")
    return Session(parts.path, query)


def chunk(
    upload: Session,
    content: bytes | Iterable[bytes | memoryview],
    span: tuple[int, int],
    total: int | None,
    digests: Sequence[Digest] = (),
) -> Request:
    """Send a part of the content of an upload.

    Args:
        upload: which.
        content: the bytes.
        span: where the first of them belongs, and the one after the last.
        total: bytes of the whole content, with its last chunk; else `None`.
        digests: of the whole content, with its last chunk: the server compares before it makes the object visible.
    """
    start, end = span
    headers = {"content-range": f"bytes {start}-{end - 1}/{'*' if total is None else total}"}
    if digests:
        headers["x-goog-hash"] = ",".join(f"{digest.algorithm}={encoded(digest)}" for digest in digests)
    return Request("PUT", upload.path, upload.query, headers, content, end - start)


def progress(upload: Session, total: int | None) -> Request:
    """Ask how much has come of an upload.

    Args:
        upload: which.
        total: bytes of the whole content, `None` where they are not known.
    """
    return Request("PUT", upload.path, upload.query, {"content-range": f"bytes */{'*' if total is None else total}"})


def held(answer: Answer) -> int:
    """Return the bytes of an upload that the server says it has."""
    found = _HELD.fullmatch(answer.headers.get("range", "").strip())
    return 0 if found is None else int(found[1]) + 1


def cancel(upload: Session) -> Request:
    """End an upload and drop what has come of it."""
    return Request("DELETE", upload.path, upload.query)


def remove(address: Address, name: str, query: Mapping[str, str]) -> Request:
    """Delete an object."""
    return Request("DELETE", address.object(name), query)


def rewrite(
    source: tuple[Address, str],
    target: tuple[Address, str],
    resource: Mapping[str, Any] | None,
    query: Mapping[str, str],
) -> Request:
    """Copy an object inside the provider, or go on with a copy.

    Args:
        source: the bucket and the name of the object.
        target: those of the copy.
        resource: what the copy carries, `None` for what the object carries.
        query: conditions, and the token of a copy that is under way.
    """
    path = f"{source[0].object(source[1])}/rewriteTo/b/{segment(target[0].bucket)}/o/{segment(target[1])}"
    body = b"" if resource is None else json.dumps(resource).encode()
    fields = f"done,rewriteToken,resource({WRITTEN})"
    return Request("POST", path, {"fields": fields, **query}, {"content-type": _JSON} if body else {}, body, len(body))


def batch(address: Address, requests: Sequence[Request]) -> Request:
    """Send requests without content in one (https://cloud.google.com/storage/docs/batch)."""
    boundary = os.urandom(16).hex()
    pieces = []
    for number, request in enumerate(requests):
        query = query_string(request.query)
        target = f"{request.path}?{query}" if query else request.path
        pieces.append(
            f"--{boundary}\r\ncontent-type: application/http\r\ncontent-id: <{number}>\r\n\r\n"
            f"{request.method} {target} HTTP/1.1\r\n\r\n\r\n"
        )
    body = "".join((*pieces, f"--{boundary}--\r\n")).encode()
    headers = {"content-type": f"multipart/mixed; boundary={boundary}"}
    return Request("POST", address.batches, {}, headers, body, len(body))


def batched(answer: Answer) -> dict[int, Answer]:
    """Return the answers to the requests of a batch, by the numbers of those; some may be missing.

    Raises:
        DamagedAnswerError: the answer is not one of a batch.
    """
    boundary = _BOUNDARY.search(answer.headers.get("content-type", ""))
    if boundary is None:
        raise DamagedAnswerError("the answer to a batch is none")
    found = {}
    text = answer.body.decode("utf-8", "replace").replace("\r\n", "\n")
    for part in text.split(f"--{boundary[1]}")[1:-1]:
        about, _, inner = part.partition("\n\n")
        number, status = _CONTENT_ID.search(about), _STATUS.match(inner.lstrip())
        if number is not None and status is not None:
            head, _, body = inner.lstrip().partition("\n\n")
            lines = (line.partition(":") for line in head.split("\n")[1:])
            headers = {name.strip().lower(): value.strip() for name, _, value in lines}
            found[int(number[1])] = Answer(int(status[1]), headers, body.strip().encode())
    return found


def document(answer: Answer) -> dict[str, Any]:
    """Return what the JSON document of a success says.

    Raises:
        DamagedAnswerError: there is none.
    """
    try:
        found = json.loads(answer.body)
    except ValueError as error:
        raise DamagedAnswerError("the answer is no JSON document") from error
    if not isinstance(found, dict):
        raise DamagedAnswerError("the answer is no JSON object")
    return found


def refusal(answer: Answer) -> Refusal:
    """Return what an answer that is no success says: in JSON, or as text where the bytes of an object were wanted."""
    reason = message = ""
    try:
        error = json.loads(answer.body)["error"]
        message = str(error.get("message") or "")
        reason = str((error.get("errors") or [{}])[0].get("reason") or "")
    except (ValueError, LookupError, TypeError, AttributeError):
        text = answer.body[: 4 * _LONGEST_MESSAGE].decode("utf-8", "replace").strip()
        message = "" if text.startswith(("<", "{")) else text
    return Refusal(answer.status, reason, message[:_LONGEST_MESSAGE], answer.headers)
