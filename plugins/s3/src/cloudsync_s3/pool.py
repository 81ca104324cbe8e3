"""Connections to the server of one bucket: made, kept for their next request, and closed.

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
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import botocore.exceptions as botocore_errors
from botocore.httpsession import where
from botocore.parsers import ResponseParserError

from cloudsync_s3.address import Address
from cloudsync_s3.proxies import Proxy

IDLE_SECONDS = 15.0
"""How long a connection may wait for its next request: less than servers, and what stands before them, keep one."""

_FAILURES = (OSError, http.client.HTTPException, UnicodeError)
_Idle = collections.deque[tuple[http.client.HTTPConnection, float]]


class _Lines:
    """The lines of an answer's head, and whether the empty one has come that ends it."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.ended = False

    def readline(self, limit: int = -1) -> bytes:
        line: bytes = self._file.readline(limit)
        self.ended = line in {b"\r\n", b"\n"}
        return line

    def close(self) -> None:
        self._file.close()


class _Response(http.client.HTTPResponse):
    """An answer whose head is whole; `http.client` takes one that is cut off between two headers for an answer too."""

    fp: Any

    def begin(self) -> None:
        file = self.fp
        lines = self.fp = _Lines(file)
        try:
            super().begin()
        finally:
            if self.fp is lines:
                self.fp = file
        if not lines.ended:
            raise http.client.RemoteDisconnected("the connection ended before the headers did")


class Pool:
    """Kept-alive connections to one server; safe to use from many threads.

    Args:
        address: what they lead to.
        context: returns the context of secure connections.
        proxy: stands before the server, if there is one.
        connect_timeout: seconds to wait for a connection.
        read_timeout: seconds to wait for the next bytes of an answer.
    """

    def __init__(
        self,
        address: Address,
        context: Callable[[], ssl.SSLContext],
        proxy: Proxy | None,
        *,
        connect_timeout: float,
        read_timeout: float,
    ) -> None:
        self._address = address
        self._context = context
        self._proxy = proxy
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._idle: _Idle = collections.deque()
        self._busy: set[http.client.HTTPConnection] = set()
        self._closed = False
        weakref.finalize(self, _close_all, self._idle)

    def take(self) -> http.client.HTTPConnection:
        """Return a connection for one request: of those that are kept the last used, or a new one.

        Raises:
            botocore.exceptions.BotoCoreError: the server cannot be reached.
        """
        since = time.monotonic() - IDLE_SECONDS
        while self._idle:
            try:
                connection, used = self._idle.pop()
            except IndexError:
                break
            if used >= since and not _is_readable(connection.sock):
                self._busy.add(connection)
                return connection
            connection.close()
        return self._connect()

    def give_back(self, connection: http.client.HTTPConnection, *, keep: bool) -> None:
        """Take back a connection, to keep or to close it."""
        self._busy.discard(connection)
        if keep and not self._closed:
            self._idle.append((connection, time.monotonic()))
        else:
            connection.close()

    def close(self) -> None:
        """Close the connections: requests that are under way fail, and wait for nothing any more."""
        self._closed = True
        _close_all(self._idle)
        for connection in list(self._busy):
            with contextlib.suppress(OSError, AttributeError):
                connection.sock.shutdown(socket.SHUT_RDWR)

    def _connect(self) -> http.client.HTTPConnection:
        address, proxy = self._address, self._proxy
        host, port = (address.host, address.port) if proxy is None else (proxy.host, proxy.port)
        timeout = self._connect_timeout
        connection: http.client.HTTPConnection
        with as_botocore(address.url, connecting=True, proxy=proxy):
            if address.scheme == "http":
                connection = http.client.HTTPConnection(host, port, timeout=timeout)
            else:
                connection = http.client.HTTPSConnection(host, port, timeout=timeout, context=self._context())
                if proxy is not None:
                    connection.set_tunnel(address.host, address.port, dict(proxy.headers))
            connection.response_class = _Response
            self._busy.add(connection)
            try:
                connection.connect()
                connection.sock.settimeout(self._read_timeout)
            except BaseException:
                self.give_back(connection, keep=False)
                raise
        return connection


def secure_context(ca_bundle: Path | None, *, verify: bool) -> ssl.SSLContext:
    """Return what makes connections secure.

    Args:
        ca_bundle: file of the authorities to trust; else the system's, and those that botocore brings.
        verify: whether the server's certificate is checked.

    Raises:
        ssl.SSLError: the file holds no certificates.
    """
    context = ssl.create_default_context(cafile=ca_bundle)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif ca_bundle is None:
        context.load_verify_locations(where())
    return context


@contextlib.contextmanager
def as_botocore(url: str, *, connecting: bool = False, proxy: Proxy | None = None) -> Iterator[None]:
    """Raise what goes wrong on the way to the server in the form that the plugin's table of errors judges.

    Args:
        url: of the server.
        connecting: whether there is no connection yet.
        proxy: what is connected to instead of the server.
    """
    try:
        yield
    except ssl.SSLError as error:
        raise botocore_errors.SSLError(endpoint_url=url, error=error) from error
    except TimeoutError as error:
        kind = botocore_errors.ConnectTimeoutError if connecting else botocore_errors.ReadTimeoutError
        raise kind(endpoint_url=url, error=error) from error
    except http.client.IncompleteRead as error:
        got = len(error.partial)
        expected = "more" if error.expected is None else got + error.expected
        raise botocore_errors.IncompleteReadError(actual_bytes=got, expected_bytes=expected) from error
    except _FAILURES as error:
        if connecting and proxy is not None:
            raise botocore_errors.ProxyConnectionError(proxy_url=proxy.host, error=error) from error
        if connecting:
            raise botocore_errors.EndpointConnectionError(endpoint_url=url, error=error) from error
        if isinstance(error, OSError):
            raise botocore_errors.ConnectionClosedError(endpoint_url=url, error=error) from error
        raise ResponseParserError(f"the answer is no HTTP ({type(error).__name__})") from error
    except ValueError as error:
        # A header that cannot be sent, such as an ETag with a line break that some server has listed.
        raise botocore_errors.HTTPClientError(error=error) from error


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
