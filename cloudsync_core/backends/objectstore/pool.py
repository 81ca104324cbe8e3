"""Connections to one server: made, kept for their next request, and closed.

A connection that the server has closed meanwhile is found out before it is used, because what is lost on one after that
is an error: the server may have done what was asked.
"""

from __future__ import annotations

import collections
import contextlib
import http.client
import select
import socket
import ssl
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cloudsync_core.backends.objectstore.proxies import Proxy
from cloudsync_core.backends.objectstore.server import Server
from cloudsync_core.backends.objectstore.transport import connecting

IDLE_SECONDS = 15.0
"""How long a connection may wait for its next request: less than servers, and what stands before them, keep one."""

_Idle = collections.deque[tuple[socket.socket, float]]


class Pool:
    """Kept-alive connections to one server; safe to use from many threads.

    Args:
        server: what they lead to.
        context: returns the context of secure connections.
        proxy: stands before the server, if there is one.
        connect_timeout: seconds to wait for a connection.
        read_timeout: seconds to wait for the next bytes of an answer.
        idle_seconds: how long a connection may wait for its next request; `IDLE_SECONDS` where it is `None`.
    """

    def __init__(
        self,
        server: Server,
        context: Callable[[], ssl.SSLContext],
        proxy: Proxy | None,
        *,
        connect_timeout: float,
        read_timeout: float,
        idle_seconds: float | None = None,
    ) -> None:
        self._server = server
        self._context = context
        self._proxy = proxy
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._idle_seconds = idle_seconds
        self._idle: _Idle = collections.deque()
        self._busy: set[socket.socket] = set()
        self._closed = False
        weakref.finalize(self, _close_all, self._idle)

    def take(self) -> socket.socket:
        """Return a connection for one request: of those that are kept the last used, or a new one.

        Raises:
            TransportError: the server cannot be reached.
        """
        since = time.monotonic() - (IDLE_SECONDS if self._idle_seconds is None else self._idle_seconds)
        while self._idle:
            try:
                sock, used = self._idle.pop()
            except IndexError:
                break
            if used >= since and not _is_readable(sock):
                self._busy.add(sock)
                return sock
            sock.close()
        sock = self._connect()
        self._busy.add(sock)
        return sock

    def give_back(self, sock: socket.socket, *, keep: bool) -> None:
        """Take back a connection, to keep or to close it."""
        self._busy.discard(sock)
        if keep and not self._closed:
            self._idle.append((sock, time.monotonic()))
        else:
            sock.close()

    def close(self) -> None:
        """Close the connections: requests that are under way fail, and wait for nothing any more."""
        self._closed = True
        _close_all(self._idle)
        for sock in list(self._busy):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _connect(self) -> socket.socket:
        """Return a new connection, through a tunnel of the proxy's where it is to be secure."""
        server, proxy = self._server, self._proxy
        host, port = (server.host, server.port) if proxy is None else (proxy.host, proxy.port)
        timeout = self._connect_timeout
        connection: http.client.HTTPConnection
        with connecting(server.url, None if proxy is None else proxy.host):
            if server.scheme == "http":
                connection = http.client.HTTPConnection(host, port, timeout=timeout)
            else:
                connection = http.client.HTTPSConnection(host, port, timeout=timeout, context=self._context())
                if proxy is not None:
                    connection.set_tunnel(server.host, server.port, dict(proxy.headers))
            try:
                connection.connect()
            except BaseException:
                connection.close()
                raise
        sock: socket.socket = connection.sock
        sock.settimeout(self._read_timeout)
        return sock


def secure_context(ca_bundle: Path | None, *, verify: bool, brought: str | None = None) -> ssl.SSLContext:
    """Return what makes connections secure.

    Args:
        ca_bundle: file of the authorities to trust; else the system's, and those that were brought.
        verify: whether the server's certificate is checked.
        brought: file of the authorities that come with the provider's SDK, for systems that have none.

    Raises:
        ssl.SSLError: a file holds no certificates.
    """
    context = ssl.create_default_context(cafile=ca_bundle)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif ca_bundle is None and brought is not None:
        context.load_verify_locations(brought)
    return context


def _is_readable(sock: Any) -> bool:
    """Tell whether something has come on a connection that waits for nothing: most likely its end."""
    if not hasattr(select, "poll"):  # Windows, where select knows no limit on the number of a socket
        return bool(select.select([sock], [], [], 0)[0])
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))


def _close_all(idle: _Idle) -> None:
    with contextlib.suppress(IndexError):
        while True:
            idle.pop()[0].close()
