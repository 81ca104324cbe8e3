"""Authorised requests from the calling thread: HTTP/1.1 over kept-alive connections, and no event loop.

A request is sent once: retries belong to the core. Failures are `TransportError`s; whatever status an answer has, it is
an answer.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from urllib.parse import quote

from cloudsync_core.backends import http1
from cloudsync_core.backends.objectstore.pool import Pool
from cloudsync_core.backends.objectstore.proxies import Proxy
from cloudsync_core.backends.objectstore.server import Server
from cloudsync_core.backends.objectstore.transport import UnsayableRequestError, exchanging

_WITH_CONTENT = frozenset({"PUT", "POST", "PATCH"})


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """What is asked.

    Attributes:
        method: `GET` and so on.
        path: percent-encoded, with a slash at its beginning.
        query: parameters, not encoded.
        headers: by lower-case names, without `host`, `content-length` and `user-agent`. `accept-encoding` is `identity`
            unless it is said here.
        body: the content, or its pieces.
        size: the bytes of the content.
        payload: what the plugin's signature says of the content, such as a digest of it; only the plugin reads it.
    """

    method: str
    path: str
    query: Mapping[str, str] = dataclasses.field(default_factory=dict)
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    body: bytes | Iterable[bytes | memoryview] = b""
    size: int = 0
    payload: str = ""


Authorise = Callable[[Request, Mapping[str, str]], tuple[str, Mapping[str, str]]]
"""Says who asks: returns the query string as it is sent, and all the headers, for a request and its headers so far.

The headers that it is given are the request's and `host`; what it returns goes out as it is. `content-length` follows
where the request has content or its method wants some. It is called in the calling thread, for every request, and what
it raises is raised as it is. `query_string` encodes parameters.
"""


def query_string(parameters: Mapping[str, str]) -> str:
    """Return parameters as a URL has them, in the order of their names, with all but RFC 3986's unreserved encoded."""
    if not parameters:
        return ""
    pairs = sorted([(_quoted(name), _quoted(value)) for name, value in parameters.items()])
    return "&".join([f"{name}={value}" for name, value in pairs])


@functools.lru_cache(maxsize=256)
def _quoted(text: str) -> str:
    """Encode a text; most of what stands in queries stands in thousands of them."""
    return quote(text, safe="-._~")


def anonymous(request: Request, headers: Mapping[str, str]) -> tuple[str, Mapping[str, str]]:
    """Authorise nothing: an `Authorise` for what everybody may do."""
    return query_string(request.query), headers


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What a server said.

    Attributes:
        status: of HTTP.
        headers: by lower-case names.
        body: the content that was read.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_success(self) -> bool:
        """Whether the status is one of success."""
        return 200 <= self.status < 300  # noqa: PLR2004 - what HTTP calls successful

    @property
    def length(self) -> int:
        """Bytes of the whole content as the headers say it, 0 where they do not."""
        text = self.headers.get("content-length", "")
        return int(text) if text.isdecimal() else 0


class Stream:
    """The content of an answer, which is still to come.

    Args:
        incoming: the answer, whose head has come.
        url: of the server.

    Attributes:
        answer: its status and its headers.
    """

    def __init__(self, incoming: http1.Answer, url: str) -> None:
        self._incoming = incoming
        self._url = url
        self.answer = Answer(incoming.status, incoming.headers, b"")

    def read(self, size: int | None = None) -> bytes:
        """Return the next `size` bytes, fewer only at the end of the content; by default all that is left.

        Raises:
            TransportError: the content ended before the length that the server told.
        """
        with exchanging(self._url):
            return self._incoming.read(size)

    @property
    def leaves_connection(self) -> bool:
        """Whether everything has been read, and the connection can serve another request."""
        return self._incoming.reusable


class Wire:
    """Requests to one server; safe to use from many threads.

    Args:
        server: which.
        pool: of connections to it.
        authorise: says who asks.
        proxy: stands before the server, if there is one.
        user_agent: the header's value.
    """

    def __init__(
        self, server: Server, pool: Pool, *, authorise: Authorise, proxy: Proxy | None, user_agent: str
    ) -> None:
        self._url = server.url
        self._host = server.netloc
        self._pool = pool
        self._authorise = authorise
        self._before_path = ""
        self._always = [f"user-agent: {user_agent}"]
        if proxy is not None and server.scheme == "http":
            self._before_path = f"http://{server.netloc}"
            self._always += [f"{name}: {value}" for name, value in proxy.headers.items()]

    def request(self, request: Request, *, most: int | None = None) -> Answer:
        """Send a request and return the answer, whatever its status.

        Args:
            request: what is asked.
            most: bytes of the content of a success; one that is said to have more is not read at all.

        Raises:
            TransportError: no whole answer came.
        """
        head = self._head(request)
        sock = self._pool.take()
        keep = False
        try:
            with exchanging(self._url):
                whole = _send(sock, head, request)
                incoming = _incoming(sock, request.method)
                answer = Answer(incoming.status, incoming.headers, b"")
                limit = most if answer.is_success else None
                if limit is None or answer.length <= limit:
                    # Where no length is told, more than the limit is not read either.
                    body = incoming.read(None if limit is None else limit + 1)
                    answer = Answer(incoming.status, incoming.headers, body)
                keep = whole and incoming.reusable
        finally:
            self._pool.give_back(sock, keep=keep)
        return answer

    @contextlib.contextmanager
    def open(self, request: Request) -> Iterator[Stream]:
        """Send a request and yield the answer, whatever its status, to be read in the block; it raises as `request`.

        What is left unread at the end of the block is not waited for: the connection is closed on it.
        """
        head = self._head(request)
        sock = self._pool.take()
        stream = None
        whole = False
        try:
            with exchanging(self._url):
                whole = _send(sock, head, request)
                stream = Stream(_incoming(sock, request.method), self._url)
            yield stream
        finally:
            self._pool.give_back(sock, keep=whole and stream is not None and stream.leaves_connection)

    def close(self) -> None:
        """Close the connections: requests that are under way fail, and wait for nothing any more."""
        self._pool.close()

    def _head(self, request: Request) -> bytes:
        """Return the request line and the headers.

        Raises:
            UnsayableRequestError: a header cannot be said, such as an ETag with a line break that some server has
                listed.
        """
        query, headers = self._authorise(request, {"host": self._host, **request.headers})
        target = f"{self._before_path}{request.path}?{query}" if query else f"{self._before_path}{request.path}"
        lines = [f"{request.method} {target} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        lines += self._always
        if "accept-encoding" not in headers:
            lines.append("accept-encoding: identity")
        if request.size or request.method in _WITH_CONTENT:
            lines.append(f"content-length: {request.size}")
        lines += ("", "")
        head = "\r\n".join(lines)
        if not head.count("\r") == head.count("\n") == len(lines) - 1 or "\0" in head:
            raise UnsayableRequestError(f"{self._url}: a header holds a line break")
        return head.encode()


def _send(sock: http1.Socket, head: bytes, request: Request) -> bool:
    """Send a request; return whether the server took all of it."""
    try:
        http1.send(sock, head, request.body)
    except (BrokenPipeError, ConnectionResetError):
        if not request.size:
            raise
        # Most likely the server has refused what comes, and said why.
        return False
    return True


def _incoming(sock: http1.Socket, method: str) -> http1.Answer:
    try:
        return http1.Answer(sock, method)
    except http1.CutShortError as error:
        raise ConnectionResetError("the connection ended before there was an answer") from error
