"""One request to a web server, whose address was judged before the connection is made to just that address."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import re
import socket
import ssl
import threading
import time
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Self

from cloudsync_core.channels.deliveries import addresses
from cloudsync_core.errors import ConfigError, printable

ANSWER_LIMIT: Final = 64 * 1024
"""Bytes of an answer's body that are read, at most."""

_PORTS: Final = {"http": 80, "https": 443}
_TARGET: Final = re.compile(r"[!-~]*")


class NoAddressError(OSError):
    """The name of the host has no address, as far as can be known now."""


class RefusedAddressError(OSError):
    """Every address of the host is one that must not be connected to."""


@dataclasses.dataclass(frozen=True, slots=True)
class Endpoint:
    """What a URL names.

    Attributes:
        scheme: "http" or "https".
        host: the name or the address, without brackets.
        port: likewise.
        target: the path and the query.
        allow_private: addresses of private networks and of this machine are allowed.
    """

    scheme: str
    host: str
    port: int
    target: str = dataclasses.field(repr=False)
    allow_private: bool

    @classmethod
    def parse(cls, url: str, *, allow_private: bool) -> Self:
        """Return what `url` names.

        Raises:
            ConfigError: it is no URL of a web server, or holds a user name; the message does not repeat it.
        """
        try:
            parts = urllib.parse.urlsplit(url)
            scheme, host, port = parts.scheme.lower(), parts.hostname or "", parts.port
            host = host if host.isascii() else host.encode("idna").decode("ascii")
        except ValueError:
            raise ConfigError("webhook: what is given is no URL") from None
        if scheme not in _PORTS:
            raise ConfigError("webhook: the URL starts with https:// or http://")
        if not host or not _TARGET.fullmatch(host) or port == 0:
            raise ConfigError("webhook: the URL names no host")
        if parts.username is not None or parts.password is not None:
            raise ConfigError(
                "webhook: the URL holds a user name or a password, which is not sent",
                hint="Let the server check the signature instead: give a secret.",
            )
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if not _TARGET.fullmatch(target):
            raise ConfigError("webhook: the URL holds characters that must be percent-encoded")
        return cls(scheme, host, port or _PORTS[scheme], target, allow_private)

    @property
    def origin(self) -> str:
        """The part of the URL that is no secret."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return printable(f"{self.scheme}://{host}" + ("" if self.port == _PORTS[self.scheme] else f":{self.port}"))

    def addresses(self) -> list[tuple[socket.AddressFamily, Any]]:
        """Return the addresses of the host that may be connected to, the system's favourite first.

        Raises:
            NoAddressError: there is none.
            RefusedAddressError: there are, and none of them is allowed.
        """
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
        except (OSError, UnicodeError) as error:
            raise NoAddressError(f"the host has no address: {getattr(error, 'strerror', None) or error}") from error
        judged = [(family, place, addresses.problem(str(place[0]))) for family, *_, place in found]
        allowed: list[tuple[socket.AddressFamily, Any]] = [
            (family, place) for family, place, why in judged if why is None or self.allow_private
        ]
        if not allowed:
            raise RefusedAddressError(f"the address of the host is refused: {judged[0][2]}" if judged else "no address")
        return allowed


def exchange(
    endpoint: Endpoint, headers: Mapping[str, str], body: Iterable[bytes], timeout: float
) -> http.client.HTTPResponse:
    """Send a POST, and return its answer, which is closed: its status and headers.

    Args:
        endpoint: where to.
        headers: to send, `Content-Length` among them.
        body: the content, in blocks, each of which must be taken within `timeout`.
        timeout: seconds for the connection, and for the answer once all is sent.

    Raises:
        OSError: the network, the host's name, its address or its certificate; `TimeoutError` when time was up.
        http.client.HTTPException: the answer is none of HTTP.
    """
    connection = _Connection(endpoint, timeout)
    with contextlib.closing(connection):
        connection.putrequest("POST", endpoint.target, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        # A server may answer and hang up before it has everything: its answer tells why.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for block in body:
                connection.send(block)
        assert isinstance(connection.sock, socket.socket)
        with _deadline(connection.sock, timeout):
            answer = connection.getresponse()
            with contextlib.closing(answer), contextlib.suppress(OSError, http.client.HTTPException):
                # Taken off the line so that the server is not told of an error; the status is known already.
                answer.read(ANSWER_LIMIT)
        return answer


class _Connection(http.client.HTTPConnection):
    """A connection to an address that was judged; TLS is by the name of the host."""

    def __init__(self, endpoint: Endpoint, timeout: float) -> None:
        super().__init__(endpoint.host, endpoint.port, timeout=timeout)
        self.default_port = _PORTS[endpoint.scheme]
        self._endpoint = endpoint
        self._seconds = timeout

    def connect(self) -> None:
        """Connect to the first address of the host that answers."""
        until = time.monotonic() + self._seconds
        error: OSError = NoAddressError("the host has no address")
        for family, place in self._endpoint.addresses():
            try:
                self.sock = self._connected(family, place, until)
            except OSError as raised:
                error = raised
            else:
                return
        raise error

    def _connected(self, family: socket.AddressFamily, place: Any, until: float) -> socket.socket:
        with contextlib.ExitStack() as stack:
            plain = stack.enter_context(socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP))
            plain.settimeout(max(0.001, until - time.monotonic()))
            plain.connect(place)
            plain.settimeout(self._seconds)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            found = plain
            if self._endpoint.scheme == "https":
                found = ssl.create_default_context().wrap_socket(plain, server_hostname=self._endpoint.host)
            stack.pop_all()
            return found


@contextlib.contextmanager
def _deadline(connection: socket.socket, seconds: float) -> Iterator[None]:
    """Hang up when the block has taken too long: a timeout of the socket begins anew with each byte.

    Raises:
        TimeoutError: it has, and the block failed.
    """
    late = threading.Event()

    def hang_up() -> None:
        late.set()
        with contextlib.suppress(OSError):
            socket.socket.shutdown(connection, socket.SHUT_RDWR)

    timer = threading.Timer(seconds, hang_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    except (OSError, http.client.HTTPException) as error:
        if late.is_set():
            raise TimeoutError("no answer in time") from error
        raise
    finally:
        timer.cancel()
        timer.join()
