"""A small S3 server that costs almost nothing: listings rendered once, objects in memory, a fixed latency on request.

It exists to measure clients, so it spends next to no time itself. It checks no signatures. It understands what clients need:
ListObjectsV2 (with `prefix`, `delimiter=/`, `start-after`, `continuation-token`, `max-keys`, `encoding-type=url`), HEAD, GET,
PUT, copies, DELETE, multi-object DELETE and multipart uploads; and it counts requests by kind.

    python benchmarks/synthetic.py --port 9000 --keys 1000000 --bucket big --latency 0
"""

from __future__ import annotations

import argparse
import asyncio
import bisect
import hashlib
import json
import re
import sys
import urllib.parse
import uuid
from collections import Counter
from xml.sax.saxutils import escape

DATE = "2026-01-01T00:00:00.000Z"
HTTP_DATE = "Thu, 01 Jan 2026 00:00:00 GMT"
PAGE = 1000


def quote(text: str) -> str:
    return urllib.parse.quote(text, safe="/")


class Bucket:
    """Keys in order with what a listing says of them; contents where somebody wrote some."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[int, str, bytes | None, dict[str, str]]] = {}
        self._order: list[str] | None = []
        self._pages: dict[tuple[str, ...], bytes] = {}

    @classmethod
    def rendered(cls, keys: int, size: int = 4096) -> Bucket:
        """Return a bucket of that many keys, 1,000 to a folder, whose listings will be rendered once each."""
        bucket = cls()
        for number in range(keys):
            key = f"folder-{number // 1000:06d}/object-{number:09d}.bin"
            etag = hashlib.md5(key.encode(), usedforsecurity=False).hexdigest()
            bucket.objects[key] = (size, etag, None, {})
        bucket._order = None
        return bucket

    def put(self, key: str, body: bytes, headers: dict[str, str]) -> str:
        etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
        self.store(key, len(body), etag, body, headers)
        return etag

    def store(self, key: str, size: int, etag: str, body: bytes | None, headers: dict[str, str]) -> None:
        if key not in self.objects:
            self._order = None
        self.objects[key] = (size, etag, body, headers)
        self._pages.clear()

    def delete(self, key: str) -> None:
        if self.objects.pop(key, None) is not None:
            self._order = None
            self._pages.clear()

    def page(self, name: str, query: dict[str, str]) -> bytes:
        wanted = ("prefix", "delimiter", "start-after", "continuation-token", "max-keys", "encoding-type")
        # The first version of the call goes on after a `marker`, which is a key.
        asked = tuple(query.get(part, "") for part in wanted[:2])
        asked += (query.get("start-after", "") or query.get("marker", ""),)
        asked += tuple(query.get(part, "") for part in wanted[3:])
        if asked not in self._pages:
            self._pages[asked] = self._render(name, *asked)
        return self._pages[asked]

    def _render(self, name: str, prefix: str, delimiter: str, after: str, token: str, most: str, encoding: str) -> bytes:
        if self._order is None:
            self._order = sorted(self.objects)
        order = self._order
        show = quote if encoding == "url" else escape
        place = bisect.bisect_left(order, prefix)
        if after:
            place = max(place, bisect.bisect_right(order, after))
        if token:
            place = max(place, bisect.bisect_right(order, urllib.parse.unquote(token)))
        rows: list[str] = []
        limit = min(PAGE, int(most or PAGE))
        last = ""
        count = 0
        while place < len(order) and order[place].startswith(prefix) and count < limit:
            key = order[place]
            count += 1
            cut = key.find("/", len(prefix)) if delimiter else -1
            if cut >= 0:
                folder = key[: cut + 1]
                rows.append(f"<CommonPrefixes><Prefix>{show(folder)}</Prefix></CommonPrefixes>")
                last = folder + "\U0010ffff"
                place = bisect.bisect_left(order, last)
                continue
            size, etag, _, _ = self.objects[key]
            rows.append(
                f"<Contents><Key>{show(key)}</Key><LastModified>{DATE}</LastModified><ETag>&quot;{etag}&quot;</ETag>"
                f"<Size>{size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
            )
            last = key
            place += 1
        more = place < len(order) and order[place].startswith(prefix)
        token = escape(urllib.parse.quote(last, safe=""))
        tail = f"<NextContinuationToken>{token}</NextContinuationToken><NextMarker>{show(last)}</NextMarker>" if more else ""
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>{name}</Name><Prefix>{show(prefix)}</Prefix><KeyCount>{count}</KeyCount><MaxKeys>{limit}</MaxKeys>"
            + ("<EncodingType>url</EncodingType>" if encoding == "url" else "")
            + f"<IsTruncated>{'true' if more else 'false'}</IsTruncated>{tail}{''.join(rows)}</ListBucketResult>"
        ).encode()


class Server:
    def __init__(self, latency: float) -> None:
        self.latency = latency
        self.buckets: dict[str, Bucket] = {}
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.requests: Counter[str] = Counter()

    def answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        path, _, text = target.partition("?")
        query = dict(urllib.parse.parse_qsl(text, keep_blank_values=True))
        name, _, key = urllib.parse.unquote(path).lstrip("/").partition("/")
        if name == "-":
            return self._control(key, query)
        if not name:
            return 200, {}, b"<ListAllMyBucketsResult><Buckets/></ListAllMyBucketsResult>"
        if not key:
            return self._on_bucket(method, name, query, body)
        if name not in self.buckets:
            return error(404, "NoSuchBucket")
        bucket = self.buckets[name]
        if method == "PUT":
            return self._put(bucket, key, query, headers, body)
        if method == "POST":
            return self._post(bucket, key, query, headers)
        if method == "DELETE":
            self.requests["delete"] += 1
            bucket.delete(key)
            return 204, {}, b""
        return self._read(bucket, method, key, headers)

    def _control(self, what: str, query: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        if what == "reset":
            self.requests.clear()
        if what == "fill":
            self.buckets[query["bucket"]] = Bucket.rendered(int(query["keys"]))
        if what == "latency":
            self.latency = float(query["seconds"])
        return 200, {"content-type": "application/json"}, json.dumps(self.requests).encode()

    def _on_bucket(self, method: str, name: str, query: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        if method == "PUT":
            self.buckets.setdefault(name, Bucket())
            return 200, {}, b""
        if name not in self.buckets:
            return error(404, "NoSuchBucket")
        if method == "DELETE":
            del self.buckets[name]
            return 204, {}, b""
        if method == "POST" and "delete" in query:
            self.requests["bulk-delete"] += 1
            keys = [unescape(key) for key in re.findall(r"<Key>(.*?)</Key>", body.decode(), re.DOTALL)]
            for key in keys:
                self.buckets[name].delete(key)
            quiet = b"<Quiet>true</Quiet>" in body
            rows = "" if quiet else "".join(f"<Deleted><Key>{escape(key)}</Key></Deleted>" for key in keys)
            return 200, {"content-type": "application/xml"}, f"<DeleteResult>{rows}</DeleteResult>".encode()
        if method == "HEAD":
            self.requests["head-bucket"] += 1
            return 200, {}, b""
        if "location" in query:
            return 200, {}, b"<LocationConstraint/>"
        if "versioning" in query:
            return 200, {}, b"<VersioningConfiguration/>"
        self.requests["list"] += 1
        return 200, {"content-type": "application/xml"}, self.buckets[name].page(name, query)

    def _put(self, bucket: Bucket, key: str, query: dict[str, str], headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        kept = {name: value for name, value in headers.items() if name.startswith("x-amz-meta-") or name == "content-type"}
        if "x-amz-copy-source" in headers:
            self.requests["copy"] += 1
            place = urllib.parse.unquote(headers["x-amz-copy-source"]).lstrip("/")
            source, _, source_key = place.partition("/")
            found = self.buckets[source].objects.get(source_key)
            if found is None:
                return error(404, "NoSuchKey")
            bucket.store(key, found[0], found[1], found[2], found[3])
            text = f"<CopyObjectResult><ETag>&quot;{found[1]}&quot;</ETag><LastModified>{DATE}</LastModified></CopyObjectResult>"
            return 200, {"content-type": "application/xml"}, text.encode()
        if "uploadId" in query:
            self.requests["part"] += 1
            self.uploads[query["uploadId"]][int(query["partNumber"])] = body
            return 200, {"etag": f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'}, b""
        self.requests["put"] += 1
        if headers.get("if-none-match") == "*" and key in bucket.objects:
            return error(412, "PreconditionFailed")
        return 200, {"etag": f'"{bucket.put(key, body, kept)}"'}, b""

    def _post(self, bucket: Bucket, key: str, query: dict[str, str], headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        if "uploads" in query:
            upload = uuid.uuid4().hex
            self.uploads[upload] = {}
            text = f"<InitiateMultipartUploadResult><UploadId>{upload}</UploadId></InitiateMultipartUploadResult>"
            return 200, {"content-type": "application/xml"}, text.encode()
        parts = [part for _, part in sorted(self.uploads.pop(query["uploadId"]).items())]
        sums = b"".join(hashlib.md5(part, usedforsecurity=False).digest() for part in parts)
        etag = f"{hashlib.md5(sums, usedforsecurity=False).hexdigest()}-{len(parts)}"
        bucket.store(key, sum(map(len, parts)), etag, b"".join(parts), {})
        text = f"<CompleteMultipartUploadResult><ETag>&quot;{etag}&quot;</ETag></CompleteMultipartUploadResult>"
        return 200, {"content-type": "application/xml"}, text.encode()

    def _read(self, bucket: Bucket, method: str, key: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        self.requests[method.lower()] += 1
        if key not in bucket.objects:
            return error(404, "NoSuchKey")
        size, etag, body, kept = bucket.objects[key]
        told = {"etag": f'"{etag}"', "last-modified": HTTP_DATE, "accept-ranges": "bytes", **kept}
        content = bytes(size) if body is None else body
        if method == "HEAD":
            return 200, {**told, "content-length": str(size)}, b""
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", headers.get("range", ""))
        if match is None:
            return 200, told, content
        end = int(match[2]) if match[2] else size - 1
        part = content[int(match[1]) : end + 1]
        return 206, {**told, "content-range": f"bytes {match[1]}-{end}/{size}"}, part


def error(status: int, code: str) -> tuple[int, dict[str, str], bytes]:
    text = f"<Error><Code>{code}</Code><Message>{code}</Message></Error>"
    return status, {"content-type": "application/xml"}, text.encode()


def unescape(text: str) -> str:
    for entity, char in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&#34;", '"'), ("&apos;", "'"), ("&amp;", "&")):
        text = text.replace(entity, char)
    return text


class Connection(asyncio.Protocol):
    """One client: requests are answered in their order, each after the latency."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._data = bytearray()
        self._head: tuple[str, str, dict[str, str]] | None = None
        self._length: int | None = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        while self._take():
            pass

    def _take(self) -> bool:
        if self._head is None and not self._take_head():
            return False
        body = self._take_body()
        if body is None or self._head is None:
            return False
        method, target, headers = self._head
        self._head = None
        status, told, content = self._server.answer(method, target, headers, body)
        if self._server.latency:
            loop = asyncio.get_running_loop()
            loop.call_later(self._server.latency, self._send, method, status, told, content)
        else:
            self._send(method, status, told, content)
        return True

    def _take_head(self) -> bool:
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            return False
        lines = self._data[:end].decode("latin-1").split("\r\n")
        del self._data[: end + 4]
        method, target, _ = lines[0].split(" ", 2)
        pairs = (line.partition(":") for line in lines[1:])
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        self._head = (method, target, headers)
        self._length = None if headers.get("transfer-encoding", "") == "chunked" else int(headers.get("content-length", 0))
        if headers.get("expect", "").lower() == "100-continue":
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")  # type: ignore[attr-defined]
        return True

    def _take_body(self) -> bytes | None:
        assert self._head is not None
        if self._length is None:
            body, size = dechunk(self._data)
            if body is None:
                return None
            del self._data[:size]
        else:
            if len(self._data) < self._length:
                return None
            body = bytes(self._data[: self._length])
            del self._data[: self._length]
        if "aws-chunked" in self._head[2].get("content-encoding", "") or self._head[2].get(
            "x-amz-content-sha256", ""
        ).startswith("STREAMING-"):
            body = dechunk(body)[0] or b""
        return body

    def _send(self, method: str, status: int, headers: dict[str, str], content: bytes) -> None:
        told = dict(headers)
        if status != 204:
            told.setdefault("content-length", str(len(content)))
        told.setdefault("x-amz-request-id", "0")
        if method == "HEAD":
            content = b""
        lines = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        self._transport.write(f"HTTP/1.1 {status} OK\r\n{lines}\r\n".encode("latin-1") + content)  # type: ignore[attr-defined]


def dechunk(data: bytes | bytearray) -> tuple[bytes | None, int]:
    """Return the content of a chunked body and its encoded length; `None` while it is not complete."""
    parts = []
    place = 0
    while True:
        end = data.find(b"\r\n", place)
        if end < 0:
            return None, 0
        size = int(bytes(data[place:end]).split(b";")[0], 16)
        if size == 0:
            last = data.find(b"\r\n\r\n", end - 2)
            return (None, 0) if last < 0 and not bytes(data).endswith(b"\r\n") else (b"".join(parts), max(last + 4, end + 2))
        if len(data) < end + 2 + size + 2:
            return None, 0
        parts.append(bytes(data[end + 2 : end + 2 + size]))
        place = end + 2 + size + 2


async def serve(port: int, latency: float, buckets: dict[str, int]) -> None:
    server = Server(latency)
    for name, keys in buckets.items():
        server.buckets[name] = Bucket.rendered(keys)
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(lambda: Connection(server), "127.0.0.1", port, backlog=1024)
    print(listener.sockets[0].getsockname()[1], flush=True)
    await listener.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before every answer")
    parser.add_argument("--bucket", action="append", default=[], metavar="NAME=KEYS")
    options = parser.parse_args()
    buckets = {name: int(keys or 0) for name, _, keys in (text.partition("=") for text in options.bucket)}
    try:
        asyncio.run(serve(options.port, options.latency, buckets))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
