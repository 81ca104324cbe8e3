"""A proxy before a test server: it counts requests, and disturbs those that a test chooses."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qs, urlsplit

import pytest

if TYPE_CHECKING:
    from tests.servers.s3 import S3Server

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


class Server(Protocol):
    """What a proxy can stand before: a server of the tests, as a dataclass whose `endpoint_url` is its address."""

    @property
    def endpoint_url(self) -> str: ...

    @property
    def name(self) -> str: ...


@dataclasses.dataclass(frozen=True)
class Request:
    """A request as the client sent it. Header names are lower-case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        found = parse_qs(urlsplit(self.target).query, keep_blank_values=True)
        return {name: values[0] for name, values in found.items()}

    def is_listing(self) -> bool:
        return self.method == "GET" and self.query.get("list-type") == "2"


@dataclasses.dataclass(frozen=True)
class Response:
    """An answer. `cut` sends only so many bytes of the body, then ends the connection."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    cut: int | None = None


def error(status: int, code: str, message: str = "", **headers: str) -> Response:
    """Return an answer in the form of S3's errors."""
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return Response(status, body.encode(), {"content-type": "application/xml", **headers})


Forward = Callable[[], Response]
Rule = Callable[[Request, Forward], Response | None]
"""Answers a request, by `forward()` as the server does; `None` drops the connection without an answer."""


class Proxy:
    """What a test sees of a running proxy.

    Attributes:
        server: the server as it is reached through the proxy.
        requests: what has been asked, in the order of arrival.
        rule: how requests are answered; by default as the server does.
    """

    def __init__(self, upstream: Server, context: ssl.SSLContext | None) -> None:
        self._upstream = upstream
        self.requests: list[Request] = []
        self.rule: Rule = lambda request, forward: forward()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        scheme = "http"
        if context is not None:
            scheme = "https"
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        url = f"{scheme}://127.0.0.1:{self._server.server_address[1]}"
        self.server = dataclasses.replace(upstream, endpoint_url=url)

    def count(self, method: str | None = None) -> int:
        """Return how many requests came, of one method or all."""
        return sum(method in {None, request.method} for request in self.requests)

    def answer(self, chosen: Callable[[Request], bool], response: Response | None, times: int = 1) -> None:
        """Answer the next `times` requests that are chosen with `response`, the others as the server does."""
        left = threading.Semaphore(times)

        def rule(request: Request, forward: Forward) -> Response | None:
            return response if chosen(request) and left.acquire(blocking=False) else forward()

        self.rule = rule

    def forward(self, request: Request) -> Response:
        """Return the server's own answer to a request."""
        parts = urlsplit(self._upstream.endpoint_url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        with contextlib.closing(connection):
            connection.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
            for name, value in request.headers.items():
                connection.putheader(name, value)
            connection.endheaders(request.body or None)
            answer = connection.getresponse()
            headers = {name: value for name, value in answer.getheaders() if name.lower() not in _HOP_BY_HOP}
            body = answer.read()
            if request.method == "HEAD":
                headers["content-length"] = answer.getheader("content-length", "0")
            return Response(answer.status, body, headers)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                with contextlib.suppress(ConnectionError):
                    super().handle_one_request()

            def answer(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                headers = {name.lower(): value for name, value in self.headers.items()}
                content = self.rfile.read(length)
                if len(content) < length:
                    # The client has gone in the middle of its request, which a server would not serve.
                    self.close_connection = True
                    return
                request = Request(self.command, self.path, headers, content)
                proxy.requests.append(request)
                response = proxy.rule(request, lambda: proxy.forward(request))
                if response is None:
                    self.close_connection = True
                    return
                self.send_response_only(response.status)
                for name, value in response.headers.items():
                    self.send_header(name, value)
                if not any(name.lower() == "content-length" for name in response.headers):
                    self.send_header("content-length", str(len(response.body)))
                self.end_headers()
                self.wfile.write(response.body[: response.cut])
                if response.cut is not None:
                    self.close_connection = True

            do_GET = do_PUT = do_POST = do_PATCH = do_HEAD = do_DELETE = answer  # noqa: N815 - as http.server calls them

            def log_message(self, *args: Any) -> None:
                pass

        return Handler

    def run(self) -> None:
        self._server.serve_forever(poll_interval=0.02)

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextlib.contextmanager
def proxy_before(server: Server, context: ssl.SSLContext | None = None) -> Iterator[Proxy]:
    """Run a proxy before a server for the length of the block; with a context it is reached by TLS."""
    proxy = Proxy(server, context)
    thread = threading.Thread(target=proxy.run, name=f"proxy before {server.name}")
    thread.start()
    try:
        yield proxy
    finally:
        proxy.stop()
        thread.join()


@pytest.fixture
def moto_proxy(moto_s3: S3Server) -> Iterator[Proxy]:
    """A proxy before moto."""
    with proxy_before(moto_s3) as proxy:
        yield proxy


@pytest.fixture
def rclone_proxy(rclone_s3: S3Server) -> Iterator[Proxy]:
    """A proxy before rclone."""
    with proxy_before(rclone_s3) as proxy:
        yield proxy
