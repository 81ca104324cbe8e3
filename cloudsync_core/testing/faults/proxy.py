"""A proxy before a test server: it counts requests, and disturbs those that a test chooses."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import selectors
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from cloudsync_core.testing.faults.http import Forward, Request, Response, Rule

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}
_PATIENCE = 60
"""Seconds for which an answer of the server is waited for."""

_READ_AT_ONCE = 64 * 1024
_LINGER = struct.Struct("ii")
_RESET = _LINGER.pack(1, 0)
"""SO_LINGER on, with no time: the connection is reset when it is closed (socket(7))."""


@dataclasses.dataclass(eq=False)
class Disturbance:
    """What a test does to some requests.

    Attributes:
        met: how many requests it was done to until now. A test that expects nothing to happen should see that it is
            not 0.
    """

    met: int = 0


class Proxy:
    """Passes requests on to a server, except as it is told; a context manager, which runs it.

    Answers are passed on whole, when the server has sent them to their end.

    Args:
        upstream: URL of the server, without a path.
        context: of TLS, by which clients reach the proxy; by default there is none.
        name: for the names of threads.

    Attributes:
        url: by which clients reach the proxy, likewise.
        requests: what has been asked, in the order of arrival.
        rule: how requests are answered; by default as the server does.
        breaks_off: called with the head of a request (its `body` is empty), before its content is read: returns after
            how many bytes of the content the connection is reset, or `None` to read all. The server gets nothing of a
            request that is broken off.
    """

    def __init__(self, upstream: str, context: ssl.SSLContext | None = None, *, name: str = "server") -> None:
        self._upstream = urlsplit(upstream)
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self.requests: list[Request] = []
        self.rule: Rule = _undisturbed
        self.breaks_off: Callable[[Request], int | None] = _reads_all
        self._server = _Server(self)
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"{'http' if context is None else 'https'}://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve, name=f"proxy before {name}")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._server.stop()
        self._thread.join()
        self._server.server_close()

    def count(self, method: str | None = None) -> int:
        """Return how many requests came, of one method or all."""
        return sum(method in {None, request.method} for request in self.requests)

    def answer(self, chosen: Callable[[Request], bool], response: Response | None, times: int = 1) -> None:
        """Answer the next `times` requests that are chosen with `response`, all others as the server does."""
        self.rule = _undisturbed
        self.disturb(chosen, lambda _, __: response, times=times)

    def disturb(
        self, chosen: Callable[[Request], bool], fault: Rule, *, after: int = 0, times: int | None = None
    ) -> Disturbance:
        """Answer some requests by `fault`, and all others as they were answered before.

        Args:
            chosen: tells of a request whether it is one of them.
            fault: see `cloudsync_core.testing.faults.answers` for what is ready. What it forwards is answered as it was
                before, too, so disturbances add up.
            after: so many of the chosen ones are left alone first.
            times: so many are disturbed then; `None` for all.
        """
        before, done, seen = self.rule, Disturbance(), 0

        def rule(request: Request, forward: Forward) -> Response | None:
            nonlocal seen
            disturbed = False
            if chosen(request):
                with self._lock:
                    seen += 1
                    disturbed = after < seen and (times is None or seen <= after + times)
                    done.met += disturbed
            return fault(request, _onward(before, request, forward)) if disturbed else before(request, forward)

        self.rule = rule
        return done

    def calm(self) -> None:
        """Answer everything as the server does from now on, and forget what was asked."""
        self.rule, self.breaks_off = _undisturbed, _reads_all
        del self.requests[:]

    def forward(self, request: Request) -> Response:
        """Return the server's own answer to a request."""
        kind = http.client.HTTPSConnection if self._upstream.scheme == "https" else http.client.HTTPConnection
        connection = kind(self._upstream.hostname or "", self._upstream.port, timeout=_PATIENCE)
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

    def wait(self, seconds: float) -> None:
        """Let seconds pass, fewer where the proxy is stopped meanwhile."""
        self._stopped.wait(seconds)


def _undisturbed(_: Request, forward: Forward) -> Response | None:
    return forward()


def _reads_all(_: Request) -> int | None:
    return None


class _DroppedError(Exception):
    """What a fault has forwarded gets no answer."""


def _onward(rule: Rule, request: Request, forward: Forward) -> Forward:
    """Return what asks for the answer of a rule."""

    def onward(changed: Request | None = None) -> Response:
        asked = changed or request
        response = rule(asked, lambda other=None: forward(other or asked))
        if response is None:
            raise _DroppedError
        return response

    return onward


class _Server(ThreadingHTTPServer):
    """Takes connections until it is told to stop, and then stops at once; the standard library's looks now and then."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.proxy = proxy
        self._stopping, self._stopped = socket.socketpair()

    def serve(self) -> None:
        """Take connections until `stop` is called."""
        with selectors.DefaultSelector() as selector:
            selector.register(self, selectors.EVENT_READ)
            selector.register(self._stopped, selectors.EVENT_READ)
            while not any(key.fileobj is self._stopped for key, _ in selector.select()):
                with contextlib.suppress(OSError):
                    self.process_request(*self.get_request())

    def stop(self) -> None:
        """Let `serve` return."""
        self._stopping.send(b".")

    def server_close(self) -> None:
        """Close what is open once `serve` has returned."""
        super().server_close()
        self._stopping.close()
        self._stopped.close()

    def shutdown_request(self, request: Any) -> None:
        """End a connection; one that is to be reset has no orderly end before."""
        with contextlib.suppress(OSError):
            if request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER.size) == _RESET:
                self.close_request(request)
                return
        super().shutdown_request(request)


class _Handler(BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    # Head and body are two writes, and the second would wait for 40 ms until the client confirms the first.
    disable_nagle_algorithm = True
    server: _Server

    def handle_one_request(self) -> None:
        with contextlib.suppress(ConnectionError):
            super().handle_one_request()

    def answer(self) -> None:
        proxy, request = self.server.proxy, self._request()
        response = None
        if request is not None:
            proxy.requests.append(request)
            with contextlib.suppress(_DroppedError):
                response = proxy.rule(request, lambda changed=None: proxy.forward(changed or request))
        if response is None:
            self.close_connection = True
        else:
            self._send(response)

    def _request(self) -> Request | None:
        """Return the request, `None` where there is nobody to answer."""
        proxy = self.server.proxy
        headers = {name.lower(): value for name, value in self.headers.items()}
        head = Request(self.command, self.path, headers, b"")
        length = int(headers.get("content-length") or 0)
        if (after := proxy.breaks_off(head)) is not None:
            proxy.requests.append(head)
            self._skip(min(after, length))
            self._end_by_reset()
            return None
        content = self.rfile.read(length)
        # Where the client has gone in the middle of its request, a server would not serve it either.
        return dataclasses.replace(head, body=content) if len(content) == length else None

    def _send(self, response: Response) -> None:
        if response.delay:
            self.server.proxy.wait(response.delay)
        self.send_response_only(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if not any(name.lower() == "content-length" for name in response.headers):
            self.send_header("content-length", str(len(response.body)))
        self.end_headers()
        self.wfile.write(response.body[: response.cut])
        if response.cut is not None:
            self.server.proxy.wait(response.hold)
            self.close_connection = True
            if response.reset:
                self._end_by_reset()

    def _skip(self, size: int) -> None:
        while size > 0 and (data := self.rfile.read(min(size, _READ_AT_ONCE))):
            size -= len(data)

    def _end_by_reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)

    do_GET = do_PUT = do_POST = do_PATCH = do_HEAD = do_DELETE = answer  # noqa: N815 - as http.server calls them

    def log_message(self, *args: Any) -> None:
        """Say nothing."""
