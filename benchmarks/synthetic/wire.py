"""HTTP/1.1 as far as S3 clients use it: kept connections, bodies of known length or chunked, both once more inside."""

from __future__ import annotations

import asyncio

from benchmarks.synthetic.messages import Answer, Request
from benchmarks.synthetic.service import Service

_REASONS = {100: "Continue", 200: "OK", 204: "No Content", 206: "Partial Content", 404: "Not Found"}


class Connection(asyncio.Protocol):
    """One client: its requests are answered in their order, each after the latency.

    Args:
        service: answers.
        latency: seconds.
    """

    _transport: asyncio.Transport

    def __init__(self, service: Service, latency: float) -> None:
        self._service = service
        self._latency = latency
        self._data = bytearray()
        self._head: tuple[str, str, dict[str, str]] | None = None
        self._chunks: Chunks | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        while (request := self._next()) is not None:
            answer = self._service.answer(request)
            if self._latency:
                asyncio.get_running_loop().call_later(self._latency, self._send, request.method, answer)
            else:
                self._send(request.method, answer)

    def _next(self) -> Request | None:
        """Return the next request once all of it is there."""
        if self._head is None and not self._take_head():
            return None
        assert self._head is not None
        method, target, headers = self._head
        body = self._take_body(headers)
        if body is None:
            return None
        self._head = self._chunks = None
        signed_in_chunks = headers.get("x-amz-content-sha256", "").startswith("STREAMING-")
        if signed_in_chunks or "aws-chunked" in headers.get("content-encoding", ""):
            inner = Chunks()
            inner.feed(bytearray(body))
            body = inner.content
        return Request.of(method, target, headers, body)

    def _take_head(self) -> bool:
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            return False
        first, *lines = self._data[:end].decode("latin-1").split("\r\n")
        del self._data[: end + 4]
        method, target, _ = first.split(" ", 2)
        pairs = (line.partition(":") for line in lines)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        self._head = method, target, headers
        if headers.get("transfer-encoding", "").lower() == "chunked":
            self._chunks = Chunks()
        if headers.get("expect", "").lower() == "100-continue":
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return True

    def _take_body(self, headers: dict[str, str]) -> bytes | None:
        if self._chunks is not None:
            return self._chunks.content if self._chunks.feed(self._data) else None
        length = int(headers.get("content-length", 0))
        if len(self._data) < length:
            return None
        body = bytes(self._data[:length])
        del self._data[:length]
        return body

    def _send(self, method: str, answer: Answer) -> None:
        if self._transport.is_closing():
            return
        headers = {"x-amz-request-id": "0", **answer.headers}
        if answer.status != 204:
            headers.setdefault("content-length", str(len(answer.content)))
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"HTTP/1.1 {answer.status} {_REASONS.get(answer.status, 'Refused')}\r\n{lines}\r\n".encode("latin-1")
        self._transport.write(head if method == "HEAD" else head + answer.content)


class Chunks:
    """A chunked body that arrives bit by bit; signatures of chunks and trailers are left out.

    Attributes:
        content: what has arrived so far; all of it once `feed` has returned true.
    """

    def __init__(self) -> None:
        self._content = bytearray()
        self._last = False

    @property
    def content(self) -> bytes:
        return bytes(self._content)

    def feed(self, data: bytearray) -> bool:
        """Take whole chunks off the front of `data`; tell whether the body is complete."""
        while not self._last:
            end = data.find(b"\r\n")
            if end < 0:
                return False
            size = int(data[:end].split(b";")[0], 16)
            start = end + 2
            if size == 0:
                self._last = True
                del data[:start]
            elif len(data) < start + size + 2:
                return False
            else:
                self._content += data[start : start + size]
                del data[: start + size + 2]
        return self._take_trailers(data)

    def _take_trailers(self, data: bytearray) -> bool:
        """Take lines off `data` up to and with the empty one."""
        while (end := data.find(b"\r\n")) >= 0:
            del data[: end + 2]
            if end == 0:
                return True
        return False
