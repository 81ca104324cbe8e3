"""HTTP/1.1 for the Google Cloud Storage test server: one thread a connection, kept alive, parsed by hand.

A framework would cost more than all the rest, and a benchmark runs against the server.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import socket
import threading
from collections.abc import Callable, Iterator
from http import HTTPStatus
from urllib.parse import unquote, unquote_plus

_READ = 256 * 1024
_LARGE = 64 * 1024
_HEAD_MOST = 64 * 1024
_REASONS = {status.value: status.phrase for status in HTTPStatus} | {499: "Client Closed Request"}


@dataclasses.dataclass(slots=True)
class Request:
    """A request as it arrived. Header names are lower-case; `path` is still percent-encoded.

    Attributes:
        connected: tells whether whoever asks still waits for the answer.
    """

    method: str
    target: str
    headers: dict[str, str]
    body: bytes | bytearray = b""
    path: str = ""
    query: dict[str, str] = dataclasses.field(default_factory=dict)
    connected: Callable[[], bool] = lambda: True

    def __post_init__(self) -> None:
        self.path, _, query = self.target.partition("?")
        self.query = parse_query(query) if query else {}


@dataclasses.dataclass(slots=True)
class Response:
    """An answer.

    Attributes:
        chunked: the body goes without a length, as what is decompressed on the way does.
    """

    status: int
    body: bytes | memoryview = b""
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    chunked: bool = False


class HttpServer:
    """Answers requests on 127.0.0.1, on a free port unless one is given, between `start` and `stop`.

    Args:
        answer: is called from many threads at once; it may take its time.
    """

    def __init__(self, answer: Callable[[Request], Response], port: int = 0) -> None:
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", port), backlog=512)
        self._lock = threading.Lock()
        self._connections: dict[socket.socket, threading.Thread] = {}
        self._stopping = False
        self._accepting = threading.Thread(target=self._accept, name="gcs test server")
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def start(self) -> None:
        self._accepting.start()

    def stop(self) -> None:
        """End every connection, and wait for what is being answered."""
        with self._lock:
            self._stopping = True
            open_now = dict(self._connections)
        # Threads that wait in accept or recv are not woken by a close.
        for connection in open_now:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            socket.create_connection(self._listener.getsockname()).close()
        self._accepting.join()
        self._listener.close()
        for thread in open_now.values():
            thread.join()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            thread = threading.Thread(target=self._serve, args=(connection,), name="gcs test server's connection")
            with self._lock:
                if self._stopping:
                    connection.close()
                    return
                self._connections[connection] = thread
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for request in _Requests(connection):
                request.connected = functools.partial(_is_open, connection)
                _send(connection, request, self._answer(request))
                if request.headers.get("connection", "").lower() == "close":
                    break
        except OSError:
            pass  # the client has gone, or the server stops
        finally:
            connection.close()
            with self._lock:
                self._connections.pop(connection, None)


class _Requests:
    """The requests of one connection; a request that ends in its middle ends them, as if it had not been made."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._data = b""

    def __iter__(self) -> Iterator[Request]:
        while (head := self._until(b"\r\n\r\n")) is not None:
            first, *lines = head.decode("latin-1").split("\r\n")
            parts = first.split(" ")
            headers = {}
            for line in lines:
                name, _, value = line.partition(":")
                headers[name.lower()] = value.strip()
            length = headers.get("content-length", "0")
            if len(parts) != 3 or not parts[2].startswith("HTTP/1.") or not length.isdecimal():
                refusal = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                self._connection.sendall(refusal)
                return
            if headers.get("expect", "").lower() == "100-continue":
                self._connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            chunked = "chunked" in headers.get("transfer-encoding", "").lower()
            body = self._chunks() if chunked else self._exactly(int(length))
            if body is None:
                return
            yield Request(parts[0], parts[1], headers, body)

    def _until(self, mark: bytes) -> bytes | None:
        """Return what comes before the next mark, and take both away; `None` where the connection ends first."""
        start = 0
        while (end := self._data.find(mark, start)) < 0:
            start = max(0, len(self._data) - len(mark))
            received = self._connection.recv(_READ) if len(self._data) < _HEAD_MOST else b""
            if not received:
                return None
            self._data = self._data + received if self._data else received
        found = self._data[:end]
        self._data = self._data[end + len(mark) :]
        return found

    def _exactly(self, size: int) -> bytes | bytearray | None:
        if len(self._data) >= size:
            taken, self._data = self._data[:size], self._data[size:]
            return taken
        whole = bytearray(size)
        done = len(self._data)
        whole[:done] = self._data
        self._data = b""
        view = memoryview(whole)
        while done < size:
            received = self._connection.recv_into(view[done:])
            if not received:
                return None
            done += received
        view.release()
        return whole

    def _chunks(self) -> bytearray | None:
        whole = bytearray()
        while (line := self._until(b"\r\n")) is not None:
            size = int(line.split(b";")[0], 16)
            if size == 0:
                while (line := self._until(b"\r\n")) is not None:
                    if not line:
                        return whole
                return None
            chunk = self._exactly(size + 2)
            if chunk is None:
                return None
            whole += memoryview(chunk)[:size]
        return None


def _is_open(connection: socket.socket) -> bool:
    """Tell whether the other side has not closed a connection."""
    try:
        return bool(connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    except BlockingIOError:
        return True
    except OSError:
        return False


def _send(connection: socket.socket, request: Request, response: Response) -> None:
    lines = [f"HTTP/1.1 {response.status} {_REASONS.get(response.status, 'Unknown')}"]
    lines.extend([f"{name}: {value}" for name, value in response.headers.items()])
    body = response.body
    if response.chunked:
        lines.append("transfer-encoding: chunked")
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), bytes(body)) if body else b"0\r\n\r\n"
    elif response.status not in {204, 304}:
        lines.append(f"content-length: {len(body)}")
    head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
    if request.method == "HEAD" or not body:
        connection.sendall(head)
    elif len(body) < _LARGE:
        connection.sendall(head + body)
    else:
        connection.sendall(head)
        connection.sendall(body)


def parse_query(text: str) -> dict[str, str]:
    """Return the parameters of a query, the first of each name; what is not UTF-8 becomes surrogates."""
    found: dict[str, str] = {}
    for pair in text.split("&"):
        name, _, value = pair.partition("=")
        if "%" in value or "+" in value:
            value = unquote_plus(value, errors="surrogateescape")
        found.setdefault(name, value)
    return found


@functools.lru_cache(maxsize=4096)
def decoded(segment: str) -> str:
    """Return a segment of a path without its percent-encoding.

    Raises:
        UnicodeDecodeError: it is not UTF-8.
    """
    return unquote(segment, errors="strict")
