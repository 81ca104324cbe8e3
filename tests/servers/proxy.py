"""A proxy before a test server: it counts requests, and disturbs those that a test chooses."""

from __future__ import annotations

import contextlib
import dataclasses
import ssl
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from cloudsync_core.testing import faults
from cloudsync_core.testing.faults import Forward, Request, Response, Rule

if TYPE_CHECKING:
    from tests.servers.s3 import S3Server

__all__ = ["Forward", "Proxy", "Request", "Response", "Rule", "error", "proxy_before"]


class Server(Protocol):
    """What a proxy can stand before: a server of the tests, as a dataclass whose `endpoint_url` is its address."""

    @property
    def endpoint_url(self) -> str: ...

    @property
    def name(self) -> str: ...


def error(status: int, code: str, message: str = "", **headers: str) -> Response:
    """Return an answer in the form of S3's errors."""
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return Response(status, body.encode(), {"content-type": "application/xml", **headers})


class Proxy(faults.Proxy):
    """What a test sees of a running proxy.

    Attributes:
        server: the server as it is reached through the proxy.
    """

    def __init__(self, upstream: Any, context: ssl.SSLContext | None) -> None:
        super().__init__(upstream.endpoint_url, context, name=upstream.name)
        self.server = dataclasses.replace(upstream, endpoint_url=self.url)


@contextlib.contextmanager
def proxy_before(server: Server, context: ssl.SSLContext | None = None) -> Iterator[Proxy]:
    """Run a proxy before a server for the length of the block; with a context it is reached by TLS."""
    with Proxy(server, context) as proxy:
        yield proxy


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
