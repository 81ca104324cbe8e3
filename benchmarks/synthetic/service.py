"""The operations of S3 that clients need, and under `/-/` what a benchmark needs."""

from __future__ import annotations

import dataclasses
import json
import re
import time
import urllib.parse
import uuid
from collections import Counter
from collections.abc import Mapping
from html import unescape
from pathlib import Path
from xml.sax.saxutils import escape

from benchmarks.synthetic.buckets import DATE, Bucket, Stored, Written, md5
from benchmarks.synthetic.listing import page
from benchmarks.synthetic.messages import XML, Answer, Refusal, Request

_HTTP_DATE = "Thu, 01 Jan 2026 00:00:00 GMT"
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


class Service:
    """The buckets, and a count of every request that was made of them.

    Attributes:
        requests: by kind: list, head, get, put, part, copy, delete, bulk-delete, multipart, tagging, bucket.
    """

    def __init__(self, buckets: Mapping[str, Bucket]) -> None:
        self._buckets = dict(buckets)
        self._uploads: dict[str, dict[int, bytes]] = {}
        self._headers: dict[str, Mapping[str, str]] = {}
        self.requests: Counter[str] = Counter()

    def answer(self, request: Request) -> Answer:
        """Return what S3 would answer."""
        try:
            if request.bucket == "-":
                return self._control(request)
            return self._object(request) if request.key else self._bucket(request)
        except Refusal as refusal:
            return refusal.answer

    def _control(self, request: Request) -> Answer:
        found: object = None
        if request.key == "load":
            self._written(request.query["bucket"]).load(Path(request.query["directory"]))
        elif request.key == "contents":
            found = self._written(request.query["bucket"]).contents()
        elif request.key == "reset":
            self.requests.clear()
        elif request.key == "usage":
            found = {"requests": self.requests, "cpu": time.process_time()}
        else:
            raise Refusal(404, "NoSuchControl")
        return Answer(200, {"content-type": "application/json"}, json.dumps(found).encode())

    def _bucket(self, request: Request) -> Answer:
        if (
            request.method == "GET"
            and request.bucket
            and not request.query.keys() & {"location", "versioning", "uploads"}
        ):
            self.requests["list"] += 1
            return Answer(200, XML, page(self._found(request.bucket), request.bucket, request.query))
        if request.method == "POST" and "delete" in request.query:
            return self._delete_many(request)
        self.requests["bucket"] += 1
        if not request.bucket:
            return Answer(200, XML, b"<ListAllMyBucketsResult><Buckets/></ListAllMyBucketsResult>")
        if request.method == "PUT":
            self._buckets.setdefault(request.bucket, Written())
            return Answer()
        self._found(request.bucket)
        if request.method == "HEAD":
            return Answer()
        if request.method != "GET":
            raise Refusal(501, "NotImplemented")
        element = {"location": "LocationConstraint", "versioning": "VersioningConfiguration"}
        name = next((element[part] for part in element if part in request.query), "ListMultipartUploadsResult")
        return Answer(200, XML, f"<{name}/>".encode())

    def _delete_many(self, request: Request) -> Answer:
        self.requests["bulk-delete"] += 1
        bucket = self._written(request.bucket)
        keys = [unescape(key) for key in re.findall(r"<Key>(.*?)</Key>", request.body.decode(), re.DOTALL)]
        for key in keys:
            bucket.remove(key)
        quiet = b"<Quiet>true</Quiet>" in request.body
        rows = "" if quiet else "".join(f"<Deleted><Key>{escape(key)}</Key></Deleted>" for key in keys)
        return Answer(200, XML, f"<DeleteResult>{rows}</DeleteResult>".encode())

    def _object(self, request: Request) -> Answer:
        if request.method in {"GET", "HEAD"}:
            return self._read(request)
        if "uploadId" in request.query or "uploads" in request.query:
            return self._multipart(request)
        bucket = self._written(request.bucket)
        if request.method == "DELETE":
            self.requests["delete"] += 1
            _check_match(request.headers.get("if-match"), bucket.get(request.key))
            bucket.remove(request.key)
            return Answer(204)
        if request.method != "PUT":
            raise Refusal(501, "NotImplemented")
        copied = self._copied(request)
        self.requests["put" if copied is None else "copy"] += 1
        self._check_put(request, bucket)
        if copied is not None:
            bucket.store(request.key, copied)
            return _copy_result("CopyObjectResult", copied.etag)
        stored = Stored(len(request.body), md5(request.body), request.body, _kept(request))
        bucket.store(request.key, stored)
        return Answer(200, {"etag": f'"{stored.etag}"'})

    def _copied(self, request: Request) -> Stored | None:
        """Return what a copy would store, or `None` where the request is no copy."""
        text = request.headers.get("x-amz-copy-source")
        if text is None:
            return None
        name, _, key = urllib.parse.unquote(text.partition("?")[0]).removeprefix("/").partition("/")
        source = _existing(self._written(name).get(key))
        _check_match(request.headers.get("x-amz-copy-source-if-match"), source)
        replaced = request.headers.get("x-amz-metadata-directive") == "REPLACE"
        return dataclasses.replace(source, headers=_kept(request)) if replaced else source

    def _multipart(self, request: Request) -> Answer:
        if "uploads" in request.query:
            self.requests["multipart"] += 1
            upload = uuid.uuid4().hex
            self._uploads[upload], self._headers[upload] = {}, _kept(request)
            return _result("InitiateMultipartUploadResult", f"<UploadId>{upload}</UploadId>")
        upload = request.query["uploadId"]
        if upload not in self._uploads:
            raise Refusal(404, "NoSuchUpload")
        if request.method == "PUT":
            return self._part(request, self._uploads[upload])
        self.requests["multipart"] += 1
        parts, headers = self._uploads.pop(upload), self._headers.pop(upload)
        if request.method == "DELETE":
            return Answer(204)
        bodies = [parts[number] for number in sorted(parts)]
        etag = f"{md5(b''.join(bytes.fromhex(md5(body)) for body in bodies))}-{len(bodies)}"
        whole = b"".join(bodies)
        bucket = self._written(request.bucket)
        self._check_put(request, bucket)
        bucket.store(request.key, Stored(len(whole), etag, whole, headers))
        return _result("CompleteMultipartUploadResult", f"<ETag>&quot;{etag}&quot;</ETag>")

    def _part(self, request: Request, parts: dict[int, bytes]) -> Answer:
        number = int(request.query["partNumber"])
        copied = self._copied(request)
        if copied is None:
            self.requests["part"] += 1
            parts[number] = request.body
            return Answer(200, {"etag": f'"{md5(request.body)}"'})
        self.requests["copy"] += 1
        parts[number] = _cut(copied, request.headers.get("x-amz-copy-source-range", ""))[1]
        return _copy_result("CopyPartResult", md5(parts[number]))

    def _read(self, request: Request) -> Answer:
        if "tagging" in request.query:
            self.requests["tagging"] += 1
            _existing(self._found(request.bucket).get(request.key))
            return _result("Tagging", "<TagSet/>")
        self.requests[request.method.lower()] += 1
        stored = _existing(self._found(request.bucket).get(request.key))
        _check_match(request.headers.get("if-match"), stored)
        told = {
            **stored.headers,
            "etag": f'"{stored.etag}"',
            "last-modified": _HTTP_DATE,
            "accept-ranges": "bytes",
        }
        if request.method == "HEAD":
            return Answer(200, {**told, "content-length": str(stored.size)})
        first, part = _cut(stored, request.headers.get("range", ""))
        if len(part) == stored.size:
            return Answer(200, told, part)
        told["content-range"] = f"bytes {first}-{first + len(part) - 1}/{stored.size}"
        return Answer(206, told, part)

    def _found(self, name: str) -> Bucket:
        if name not in self._buckets:
            raise Refusal(404, "NoSuchBucket")
        return self._buckets[name]

    def _written(self, name: str) -> Written:
        bucket = self._found(name)
        if not isinstance(bucket, Written):
            raise Refusal(501, "NotImplemented")
        return bucket

    def _check_put(self, request: Request, bucket: Bucket) -> None:
        stored = bucket.get(request.key)
        if request.headers.get("if-none-match") == "*" and stored is not None:
            raise Refusal(412, "PreconditionFailed")
        _check_match(request.headers.get("if-match"), stored)


def _existing(stored: Stored | None) -> Stored:
    if stored is None:
        raise Refusal(404, "NoSuchKey")
    return stored


def _check_match(wanted: str | None, stored: Stored | None) -> None:
    if wanted is not None and (stored is None or wanted.strip('"') != stored.etag):
        raise Refusal(412, "PreconditionFailed")


def _cut(stored: Stored, asked: str) -> tuple[int, bytes]:
    """Return the bytes of a range header's value, all of them without one, and where they start."""
    if stored.body is None:
        raise Refusal(501, "NotImplemented")  # nothing but a listing
    match = _RANGE.fullmatch(asked)
    if match is None:
        return 0, stored.body
    if int(match[1]) >= stored.size:
        raise Refusal(416, "InvalidRange")
    return int(match[1]), stored.body[int(match[1]) : int(match[2]) + 1 if match[2] else stored.size]


def _kept(request: Request) -> dict[str, str]:
    return {
        name: value
        for name, value in request.headers.items()
        if name.startswith("x-amz-meta-") or name in {"content-type", "cache-control", "content-disposition"}
    }


def _result(name: str, text: str) -> Answer:
    return Answer(200, XML, f"<{name}>{text}</{name}>".encode())


def _copy_result(name: str, etag: str) -> Answer:
    return _result(name, f"<ETag>&quot;{etag}&quot;</ETag><LastModified>{DATE}</LastModified>")
