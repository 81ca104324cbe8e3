"""How S3, Azure and Google Cloud Storage speak of listings and refusals: what the faults of a proxy must know."""

from __future__ import annotations

import dataclasses
import json
import re

from cloudsync_core.testing.faults import Request, Response


class S3:
    """ListObjectsV2, and errors in XML."""

    def is_listing(self, request: Request) -> bool:
        return request.method == "GET" and request.query.get("list-type") == "2"

    def is_first(self, request: Request) -> bool:
        return not {"continuation-token", "start-after"} & request.query.keys()

    def token(self, request: Request) -> str | None:
        return request.query.get("continuation-token")

    def commits(self, request: Request) -> bool:
        """Tell whether an object becomes visible by this request, which brings its content or the last of it."""
        if "x-amz-copy-source" in request.headers:
            return False
        return "uploadId" in request.query if request.method == "POST" else _puts_object(request, "partNumber")

    def copies(self, request: Request) -> bool:
        return "x-amz-copy-source" in request.headers

    def deletes(self, request: Request) -> bool:
        return (request.method == "DELETE" and "uploadId" not in request.query) or "delete" in request.query

    def reads(self, request: Request) -> bool:
        return request.method == "GET" and not self.is_listing(request) and request.path.count("/") > 1

    def continued(self, document: bytes, token: str | None) -> bytes:
        more = self.ended(document, empty=False).replace(b">false</IsTruncated>", b">true</IsTruncated>")
        goes_on = b"" if token is None else f"<NextContinuationToken>{token}</NextContinuationToken>".encode()
        return more.replace(b"</ListBucketResult>", goes_on + b"</ListBucketResult>")

    def ended(self, document: bytes, *, empty: bool) -> bytes:
        last = re.sub(rb"<NextContinuationToken>[^<]*</NextContinuationToken>", b"", document)
        last = last.replace(b">true</IsTruncated>", b">false</IsTruncated>")
        if not empty:
            return last
        last = re.sub(rb"<Contents>.*</Contents>", b"", last, flags=re.DOTALL)
        return re.sub(rb"<KeyCount>\d+</KeyCount>", b"<KeyCount>0</KeyCount>", last)

    def failure_within_a_success(self) -> Response:
        """Return the answer to a copy that has failed after its status was sent."""
        return dataclasses.replace(self.refusal(500), status=200)

    def refusal(self, status: int, code: str | None = None) -> Response:
        """Return an answer in the form of S3's errors, by default with the code that goes with the status."""
        usual = {403: "AccessDenied", 404: "NoSuchKey", 409: "ConditionalRequestConflict", 412: "PreconditionFailed"}
        usual |= {429: "TooManyRequests", 500: "InternalError", 503: "SlowDown"}
        body = f"<?xml version='1.0'?><Error><Code>{code or usual[status]}</Code><Message>no</Message></Error>"
        return Response(status, body.encode(), {"content-type": "application/xml"})


class Azure:
    """List Blobs, and errors in XML."""

    def is_listing(self, request: Request) -> bool:
        return request.method == "GET" and request.query.get("comp") == "list"

    def is_first(self, request: Request) -> bool:
        return not {"marker", "startFrom"} & request.query.keys()

    def token(self, request: Request) -> str | None:
        return request.query.get("marker")

    def commits(self, request: Request) -> bool:
        return not self.copies(request) and _puts_object(request, "blockid") and "restype" not in request.query

    def copies(self, request: Request) -> bool:
        return "x-ms-copy-source" in request.headers

    def deletes(self, request: Request) -> bool:
        return request.method == "DELETE" or request.query.get("comp") == "batch"

    def reads(self, request: Request) -> bool:
        return request.method == "GET" and "comp" not in request.query

    def continued(self, document: bytes, token: str | None) -> bytes:
        goes_on = b"" if token is None else f"<NextMarker>{token}</NextMarker>".encode()
        return _NEXT_MARKER.sub(lambda _: goes_on, document)

    def ended(self, document: bytes, *, empty: bool) -> bytes:
        last = _NEXT_MARKER.sub(b"<NextMarker/>", document)
        return re.sub(rb"<Blobs>.*</Blobs>", b"<Blobs/>", last, flags=re.DOTALL) if empty else last

    def failure_within_a_success(self) -> Response:
        """Return an answer to a copy that does not tell what was made."""
        return Response(202)

    def refusal(self, status: int, code: str | None = None) -> Response:
        """Return an answer in the form of Azure's errors, by default with the code that goes with the status."""
        usual = {403: "AuthorizationPermissionMismatch", 404: "BlobNotFound", 409: "PendingCopyOperation"}
        usual |= {412: "ConditionNotMet", 429: "TooManyRequests", 500: "InternalError", 503: "ServerBusy"}
        named = code or usual[status]
        body = f"<?xml version='1.0'?><Error><Code>{named}</Code><Message>no</Message></Error>"
        return Response(status, body.encode(), {"content-type": "application/xml", "x-ms-error-code": named})


class Gcs:
    """Objects: list of the JSON API, and its errors."""

    def is_listing(self, request: Request) -> bool:
        return request.method == "GET" and re.fullmatch(r"/storage/v1/b/[^/]+/o", request.path) is not None

    def is_first(self, request: Request) -> bool:
        return not {"pageToken", "startOffset"} & request.query.keys()

    def token(self, request: Request) -> str | None:
        return request.query.get("pageToken")

    def commits(self, request: Request) -> bool:
        if request.query.get("uploadType") == "multipart":
            return True
        return request.method == "PUT" and not request.headers.get("content-range", "/*").endswith("/*")

    def copies(self, request: Request) -> bool:
        return "/rewriteTo/" in request.path

    def deletes(self, request: Request) -> bool:
        return request.path.startswith("/batch/") or (request.method == "DELETE" and "upload_id" not in request.query)

    def reads(self, request: Request) -> bool:
        return request.method == "GET" and request.query.get("alt") == "media"

    def continued(self, document: bytes, token: str | None) -> bytes:
        # The form has no other word for "there is more" than the token, so one that is missing is an empty one.
        return json.dumps({**json.loads(document), "nextPageToken": token or ""}).encode()

    def ended(self, document: bytes, *, empty: bool) -> bytes:
        left_out = {"nextPageToken", "items"} if empty else {"nextPageToken"}
        return json.dumps(
            {name: value for name, value in json.loads(document).items() if name not in left_out}
        ).encode()

    def failure_within_a_success(self) -> Response:
        """Return an answer to a copy that says neither that it is done nor how it goes on."""
        return Response(200, b'{"kind": "storage#rewriteResponse", "done": false}')

    def refusal(self, status: int, code: str | None = None) -> Response:
        """Return an answer in the form of Google's errors, by default with the reason that goes with the status."""
        usual = {403: "forbidden", 404: "notFound", 409: "conflict", 412: "conditionNotMet"}
        usual |= {429: "rateLimitExceeded", 500: "backendError", 503: "backendError"}
        reason = code or usual[status]
        told = {"code": status, "message": "no", "errors": [{"reason": reason, "message": "no", "domain": "global"}]}
        return Response(status, json.dumps({"error": told}).encode(), {"content-type": "application/json"})


def _puts_object(request: Request, part: str) -> bool:
    return request.method == "PUT" and part not in request.query


_NEXT_MARKER = re.compile(rb"<NextMarker\s*/>|<NextMarker>[^<]*</NextMarker>")
