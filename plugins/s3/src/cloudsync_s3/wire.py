"""Signed requests from the calling thread: HTTP/1.1 over kept-alive connections, and no event loop.

A request is sent once: retries belong to the core. Failures are raised as botocore would raise them, for the plugin's
one table of errors.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping

import botocore.exceptions
from botocore.credentials import ReadOnlyCredentials

from cloudsync_core.backends import http1
from cloudsync_s3.address import Address
from cloudsync_s3.pool import Pool, as_botocore
from cloudsync_s3.proxies import Proxy
from cloudsync_s3.signing import Signer, query_string

NO_PAYLOAD = hashlib.sha256(b"").hexdigest()
"""The digest of no content."""


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """What is asked.

    Attributes:
        method: `GET` and so on.
        key: the whole key of an object; `None` asks about the bucket.
        query: parameters, not encoded.
        headers: by lower-case names.
        body: the content, or its pieces.
        size: the bytes of the content.
        payload: what its signature is about: the SHA-256 of the content, in hexadecimal, or `UNSIGNED_PAYLOAD`.
    """

    method: str
    key: str | None
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes | Iterable[bytes | memoryview] = b""
    size: int = 0
    payload: str = NO_PAYLOAD


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
            botocore.exceptions.BotoCoreError: the content ended before the length that the server told.
        """
        with as_botocore(self._url):
            return self._incoming.read(size)

    @property
    def leaves_connection(self) -> bool:
        """Whether everything has been read, and the connection can serve another request."""
        return self._incoming.reusable


class Wire:
    """Requests about one bucket; safe to use from many threads.

    Args:
        address: where the bucket is.
        pool: of connections to it.
        signer: of the bucket's region.
        credentials: returns those of now, `None` for anonymous requests.
        proxy: stands before the server, if there is one.
        user_agent: the header's value.
    """

    def __init__(
        self,
        address: Address,
        pool: Pool,
        *,
        signer: Signer,
        credentials: Callable[[], ReadOnlyCredentials | None],
        proxy: Proxy | None,
        user_agent: str,
    ) -> None:
        self._address = address
        self._pool = pool
        self._signer = signer
        self._credentials = credentials
        self._unsigned = {"user-agent": user_agent, "accept-encoding": "identity"}
        self._before_path = ""
        if proxy is not None and address.scheme == "http":
            self._before_path = f"http://{address.netloc}"
            self._unsigned.update(proxy.headers)

    def request(self, request: Request, *, most: int | None = None) -> Answer:
        """Send a request and return the answer, whatever its status.

        Args:
            request: what is asked.
            most: bytes of the content of a success; one that is said to have more is not read at all.

        Raises:
            botocore.exceptions.BotoCoreError: there are no credentials, or no whole answer came.
            botocore.parsers.ResponseParserError: what came is no HTTP.
        """
        head = self._head(request)
        sock = self._pool.take()
        keep = False
        try:
            with as_botocore(self._address.url):
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
            with as_botocore(self._address.url):
                whole = _send(sock, head, request)
                stream = Stream(_incoming(sock, request.method), self._address.url)
            yield stream
        finally:
            self._pool.give_back(sock, keep=whole and stream is not None and stream.leaves_connection)

    def close(self) -> None:
        """Close the connections: requests that are under way fail, and wait for nothing any more."""
        self._pool.close()

    def _head(self, request: Request) -> bytes:
        """Return the request line and the signed headers."""
        path = self._address.path(request.key)
        query = query_string(request.query)
        target = f"{self._before_path}{path}?{query}" if query else f"{self._before_path}{path}"
        headers: Mapping[str, str] = {"host": self._address.netloc, **request.headers}
        credentials = self._credentials()
        if credentials is not None:
            headers = self._signer.sign(
                credentials,
                request.method,
                path,
                query=query,
                headers=headers,
                payload=request.payload,
                moment=time.time(),
            )
        return _head(f"{request.method} {target} HTTP/1.1", headers, self._unsigned, _length(request))


def _length(request: Request) -> Mapping[str, str]:
    return {"content-length": str(request.size)} if request.size or request.method in {"PUT", "POST"} else {}


def _head(first: str, *headers: Mapping[str, str]) -> bytes:
    """Return the head of a request.

    Raises:
        botocore.exceptions.HTTPClientError: a header cannot be said, such as an ETag with a line break that some server
            has listed.
    """
    lines = [first, *(f"{name}: {value}" for some in headers for name, value in some.items()), "", ""]
    head = "\r\n".join(lines)
    if not head.count("\r") == head.count("\n") == len(lines) - 1 or "\0" in head:
        raise botocore.exceptions.HTTPClientError(error=ValueError("a header holds a line break"))
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
