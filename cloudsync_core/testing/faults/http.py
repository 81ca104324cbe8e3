"""Requests and answers as a proxy sees them, and the rules that disturb them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Protocol
from urllib.parse import parse_qs, urlsplit


@dataclasses.dataclass(frozen=True)
class Request:
    """A request as the client sent it.

    Attributes:
        method: of HTTP.
        target: path and query, percent-encoded.
        headers: by lower-case names.
        body: the content, whole.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """The target without its query, percent-encoded."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """The parameters, decoded; the first of each name."""
        found = parse_qs(urlsplit(self.target).query, keep_blank_values=True)
        return {name: values[0] for name, values in found.items()}


@dataclasses.dataclass(frozen=True)
class Response:
    """An answer, and how it is sent.

    Attributes:
        status: of HTTP.
        body: the content.
        headers: `content-length` is added where it is not among them.
        cut: sends only so many bytes of the body, then ends the connection; `None` sends all.
        reset: ends a connection that is cut as if the server had broken down, instead of closing it.
        delay: seconds that pass before the first byte.
        hold: seconds for which a connection that is cut stays open without another byte.
    """

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    cut: int | None = None
    reset: bool = False
    delay: float = 0.0
    hold: float = 0.0


class Forward(Protocol):
    """Asks the server."""

    def __call__(self, changed: Request | None = None, /) -> Response:
        """Return the server's own answer, to the request as it came or to another one."""


Rule = Callable[[Request, Forward], Response | None]
"""Answers a request, by `forward()` as the server does; `None` ends the connection without an answer."""
