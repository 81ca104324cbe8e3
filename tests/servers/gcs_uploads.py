"""Uploads: in one request, in one with metadata, and resumable.

https://cloud.google.com/storage/docs/json_api/v1/objects/insert, https://cloud.google.com/storage/docs/uploading-objects
and https://cloud.google.com/storage/docs/performing-resumable-uploads. What those leave open is as the service does it:

- a chunk that is not the last one has at least 256 KiB; of one that is no multiple of that only the multiple is kept;
- a chunk that begins behind what is held is 503 in `text/plain`; of one that begins before, the known part is skipped;
- what comes without a content type is stored without one, and served as `application/octet-stream`;
- a session that is finished goes on answering with its object, one that is cancelled with 499;
- conditions are judged when a session begins and again when it ends.
"""

from __future__ import annotations

import dataclasses
import json
import re
import urllib.parse
import uuid
from collections.abc import Mapping
from typing import Any

from tests.servers.gcs_conditions import check, check_kept
from tests.servers.gcs_errors import Refusal, invalid
from tests.servers.gcs_http import Request, Response
from tests.servers.gcs_mime import parts
from tests.servers.gcs_objects import Hashes, Stored, check_name
from tests.servers.gcs_store import Bucket, Store

CHUNK = 256 * 1024
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")


@dataclasses.dataclass(slots=True)
class Session:
    """A resumable upload.

    Attributes:
        query: of the request that began it: conditions.
        claimed: the metadata it began with: the hashes that the content must have.
        data: what is held so far.
        made: the object, once it is finished.
        cancelled: it is of no use any more.
    """

    bucket: str
    name: str
    query: Mapping[str, str]
    claimed: Mapping[str, Any]
    length: int | None
    data: bytearray = dataclasses.field(default_factory=bytearray)
    made: Stored | None = None
    cancelled: bool = False


class Uploads:
    """Makes objects of what clients send.

    Attributes:
        sessions: resumable uploads by id, the finished and the cancelled ones too.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.sessions: dict[str, Session] = {}

    def insert(self, bucket: Bucket, request: Request, url: str) -> Stored | Response:
        """Answer a request to the upload path that begins something: an object in one request, or a session."""
        kind = request.query.get("uploadType")
        if kind == "media":
            metadata = {"contentType": request.headers.get("content-type")}
            return self._insert(bucket, request.query, metadata, bytes(request.body))
        if kind == "multipart":
            return self._insert(bucket, request.query, *_related(request))
        if kind == "resumable":
            return self._begin(bucket, request, url)
        raise invalid(f"Invalid upload type: {kind}", "uploadType")

    def proceed(self, request: Request) -> Stored | Response:
        """Answer a request to a session."""
        with self._store.lock:
            session = self.sessions.get(request.query["upload_id"])
            if session is None:
                raise Refusal(404, "notFound", "Not Found")
            if request.method == "DELETE":
                session.cancelled, session.data = session.made is None, bytearray()
                return Response(499)
            if session.cancelled:
                return Response(499)
            if session.made is not None:
                return session.made
            return self._append(session, request)

    def _insert(self, bucket: Bucket, query: Mapping[str, str], metadata: Mapping[str, Any], content: bytes) -> Stored:
        name = check_name(query.get("name") or metadata.get("name"))
        given = {key: query[key] for key in ("contentEncoding", "kmsKeyName") if key in query}
        hashes = Hashes.of(content)
        with self._store.lock:
            current = bucket.find(name)
            check(query, current)
            hashes.check(metadata)
            check_kept(bucket, current)
            return self._store.add(bucket, name, content, {**metadata, **given}, hashes)

    def _begin(self, bucket: Bucket, request: Request, url: str) -> Response:
        metadata = json_body(request.body)
        name = check_name(request.query.get("name") or metadata.get("name"))
        metadata.setdefault("contentType", request.headers.get("x-upload-content-type"))
        length = request.headers.get("x-upload-content-length")
        with self._store.lock:
            check(request.query, bucket.find(name))
            upload = uuid.uuid4().hex
            self.sessions[upload] = Session(
                bucket.name, name, request.query, metadata, None if length is None else int(length)
            )
        query = urllib.parse.urlencode({**request.query, "upload_id": upload})
        # As the client reached this server, which may be through a proxy.
        host = request.headers.get("host")
        location = f"{f'http://{host}' if host else url}{request.path}?{query}"
        return Response(200, b"", {"location": location, "x-guploader-uploadid": upload})

    def _append(self, session: Session, request: Request) -> Stored | Response:
        """Take what a request brings, and finish if that was all."""
        size, held = len(request.body), len(session.data)
        start, total = _span(request, held)
        if start > held:
            text = (
                f"Invalid request.  According to the Content-Range header, the upload offset is {start} byte(s), "
                f"which exceeds already uploaded size of {held} byte(s)."
            )
            return Response(503, text.encode(), {"content-type": "text/plain; charset=utf-8"})
        expected = total if session.length is None else session.length
        if expected is not None and (start + size > expected or total not in {None, expected}):
            raise invalid(f"The upload is of {expected} bytes, and other ones were sent.")
        last = start + size == total
        if not last and 0 < size < CHUNK:
            raise invalid(
                f"Invalid request.  The number of bytes uploaded is required to be equal or greater than {CHUNK}, "
                f"except for the final request (it's recommended to be the exact multiple of {CHUNK}).  The received "
                f"request contained {size} bytes, which does not meet this requirement."
            )
        session.data += memoryview(request.body)[held - start :]
        if last:
            return self._finish(session, request)
        if size:
            del session.data[len(session.data) // CHUNK * CHUNK :]
        return _incomplete(session, request)

    def _finish(self, session: Session, request: Request) -> Stored:
        hashed = dict(part.strip().partition("=")[::2] for part in request.headers.get("x-goog-hash", "").split(","))
        claimed = {"crc32c": hashed.get("crc32c"), "md5Hash": hashed.get("md5")}
        metadata = {**session.claimed, **{name: value for name, value in claimed.items() if value}}
        bucket = self._store.bucket(session.bucket)
        query = {**session.query, "name": session.name}
        session.made = self._insert(bucket, query, metadata, bytes(session.data))
        session.data = bytearray()
        return session.made


def _span(request: Request, held: int) -> tuple[int, int | None]:
    """Return where the bytes of a request begin, and how many the object has, if that is told.

    A request without bytes asks how much is held, and says so by a `*`; one without a range brings everything.
    """
    asked = request.headers.get("content-range")
    if asked is None:
        return 0, len(request.body)
    found = _CONTENT_RANGE.fullmatch(asked)
    if found is None:
        raise invalid("Failed to parse Content-Range header.")
    total = None if found[3] == "*" else int(found[3])
    if found[1] is None:
        if request.body:
            raise invalid("Client sent query request with a non-empty body.")
        return held, total
    if int(found[2]) - int(found[1]) + 1 != len(request.body):
        raise invalid("The size of the body does not match the Content-Range header.")
    return int(found[1]), total


def _incomplete(session: Session, request: Request) -> Response:
    """Say how much is held. Clients for which 308 is a redirect ask to be told in another way."""
    headers = {"range": f"bytes=0-{len(session.data) - 1}"} if session.data else {}
    if request.headers.get("x-guploader-no-308") == "yes":
        return Response(200, b"", {**headers, "x-http-status-code-override": "308"})
    return Response(308, b"", headers)


def _related(request: Request) -> tuple[dict[str, Any], bytes]:
    """Return the metadata and the content of a body of two parts."""
    found = list(parts(request.headers.get("content-type", ""), request.body))
    if len(found) != 2:
        raise Refusal(400, "badContent", "A multipart upload has two parts: metadata and media.")
    (_, text), (headers, content) = found
    metadata = json_body(text)
    metadata.setdefault("contentType", headers.get("content-type"))
    return metadata, content


def json_body(body: bytes | bytearray) -> dict[str, Any]:
    """Return the object in a request's body; an empty one where there is no body.

    Raises:
        Refusal: it is something else.
    """
    try:
        found = json.loads(body) if body else {}
    except ValueError:
        raise Refusal(400, "parseError", "Parse Error") from None
    if not isinstance(found, dict):
        raise Refusal(400, "parseError", "Parse Error")
    return found
