"""One exchange of HTTP/1.1 on a connected socket, for backends whose requests are many and small.

A general client makes objects of requests, answers and headers, and costs several times the exchange itself. Here a
request is bytes that are written at once, an answer is read in as few calls as it needs, and whatever is not the HTTP
of RFC 9112 raises: a connection whose state is in doubt is never used again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, Protocol

LARGEST_HEAD: Final = 64 * 1024
"""Bytes of a status line and headers together; more is no answer of an object store."""

_PIECE: Final = 64 * 1024
_LARGE_PIECE: Final = 1024 * 1024
_STATUS = re.compile(r"HTTP/1\.([01]) ([1-9][0-9]{2})(?: [^\r\n]*)?(?=\r\n|\Z)")
_HEADER = re.compile(r"\r\n([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n]*)")
_LENGTH = re.compile(r"[0-9]{1,18}")
_CHUNK_LENGTH = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?")
_BODILESS: Final = frozenset({204, 304})


class Socket(Protocol):
    """What is needed of a socket, secure or not."""

    def sendall(self, data: bytes | memoryview, /) -> None:
        """Send all of `data`."""

    def recv(self, size: int, /) -> bytes:
        """Return up to `size` bytes, none at the end of the stream."""


class NotHttpError(Exception):
    """What came is no answer in HTTP/1.1; the message says why."""


class CutShortError(Exception):
    """The stream ended before the answer did.

    Attributes:
        received: bytes of the content that came.
        expected: bytes that were promised, or `None` where nobody said.
    """

    def __init__(self, received: int, expected: int | None) -> None:
        super().__init__(f"{received} bytes of {'more' if expected is None else expected}")
        self.received = received
        self.expected = expected


def send(sock: Socket, head: bytes, body: bytes | Iterable[bytes | memoryview] = b"") -> None:
    """Send a request.

    Args:
        sock: where to.
        head: the request line and all headers, with the empty line after them.
        body: the content, of the length that the headers say.
    """
    if isinstance(body, bytes):
        if len(body) <= _PIECE:
            sock.sendall(head + body)
            return
        body = (body,)
    sock.sendall(head)
    for piece in body:
        sock.sendall(piece)


class Answer:
    """An answer that comes in. Making it waits for its head; provisional answers before it are passed over.

    Args:
        sock: where from.
        method: of the request.

    Attributes:
        status: of HTTP.
        headers: by lower-case names; values of one name are joined by a comma. Bytes that are no UTF-8 are lone
            surrogates.

    Raises:
        CutShortError: the stream ended.
        NotHttpError: what came is no HTTP.
    """

    def __init__(self, sock: Socket, method: str) -> None:
        self._sock = sock
        self._held = b""
        self._received = 0
        self._expected: int | None = None
        self._chunked = False
        self._keeps = True
        self._ended = False
        # What is left of the content, or of the chunk; `None` where the end of the stream is its end.
        self._left: int | None = 0
        self.status = 0
        self.headers: dict[str, str] = {}
        while self.status < 200:  # noqa: PLR2004 - those below are provisional
            self._parse(self._head(), method)
        self._expected = None if self._chunked else self._left

    @property
    def reusable(self) -> bool:
        """Whether all of it has been read, and the connection can serve another request."""
        # What came beyond the content belongs to nothing that was asked.
        return self._ended and self._keeps and not self._held

    def read(self, size: int | None = None) -> bytes:
        """Return the next `size` bytes of the content, fewer only at its end; by default all that is left.

        Raises:
            CutShortError: the stream ended before the content.
            NotHttpError: the chunks of the content are none.
        """
        pieces = []
        missing = size
        while (missing is None or missing > 0) and (piece := self._piece(missing)):
            pieces.append(piece)
            if missing is not None:
                missing -= len(piece)
        if self._left == 0 and not self._chunked:
            self._ended = True
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _head(self) -> bytes:
        while (end := self._held.find(b"\r\n\r\n")) < 0:
            if len(self._held) > LARGEST_HEAD:
                raise NotHttpError("the head of the answer has no end")
            self._held += self._more(_PIECE)
        head, self._held = self._held[:end], self._held[end + 4 :]
        return head

    def _parse(self, head: bytes, method: str) -> None:
        text = head.decode("utf-8", "surrogateescape")
        status = _STATUS.match(text)
        if status is None:
            raise NotHttpError("the answer does not begin as HTTP/1.1 does")
        lines = _HEADER.findall(text, status.end())
        if not len(lines) == text.count("\r") == text.count("\n"):
            raise NotHttpError("a header of the answer is none")
        headers = {name.lower(): value.rstrip(" \t") for name, value in lines}
        if len(headers) != len(lines):
            headers = _joined(lines)
        self.status, self.headers = int(status[2]), headers
        options = headers.get("connection", "").lower()
        self._keeps = "close" not in options and (status[1] == "1" or "keep-alive" in options)
        if self.status >= 200 and self.status not in _BODILESS and method != "HEAD":  # noqa: PLR2004
            self._measure(headers.get("transfer-encoding"), headers.get("content-length"))

    def _measure(self, coding: str | None, length: str | None) -> None:
        """Find out how long the content is (RFC 9112, 6.3)."""
        if coding is not None:
            if coding.lower() != "chunked":
                raise NotHttpError("the content is encoded in an unknown way")
            self._chunked = True
            # Beside a length, which then counts for nothing, it is a sign of confusion on the way.
            self._keeps = self._keeps and length is None
        elif length is None:
            self._left, self._keeps = None, False
        elif _LENGTH.fullmatch(length) is None:
            raise NotHttpError("the length of the content is none")
        else:
            self._left = int(length)

    def _piece(self, most: int | None) -> bytes:
        """Return some bytes of the content, `most` of them at most; none at its end."""
        if self._chunked and not self._left and not self._ended:
            self._next_chunk()
        if self._left == 0 or self._ended:
            return b""
        wanted = min(_LARGE_PIECE if self._left is None else self._left, _LARGE_PIECE if most is None else most)
        if self._held:
            piece, self._held = self._held[:wanted], self._held[wanted:]
        elif self._left is None:
            piece = self._sock.recv(wanted)
            self._ended = not piece
        else:
            piece = self._more(min(wanted, _LARGE_PIECE))
        self._received += len(piece)
        if self._left is not None:
            self._left -= len(piece)
            if self._chunked and not self._left and self._line():
                raise NotHttpError("a chunk of the content is longer than it says")
        return piece

    def _next_chunk(self) -> None:
        length = _CHUNK_LENGTH.fullmatch(self._line())
        if length is None:
            raise NotHttpError("the content comes in chunks of unknown length")
        self._left = int(length[1], 16)
        if not self._left:
            while self._line():
                # Trailers: nothing that is asked for here.
                pass
            self._ended = True

    def _line(self) -> bytes:
        while (end := self._held.find(b"\r\n")) < 0:
            if len(self._held) > LARGEST_HEAD:
                raise NotHttpError("a line of the content has no end")
            self._held += self._more(_PIECE)
        line, self._held = self._held[:end], self._held[end + 2 :]
        return line

    def _more(self, most: int) -> bytes:
        more = self._sock.recv(most)
        if not more:
            raise CutShortError(self._received, self._expected)
        return more


def _joined(lines: Iterable[tuple[str, str]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for said, text in lines:
        name, value = said.lower(), text.rstrip(" \t")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers
