"""One server as one location reaches it: each request goes the lightest way that says it exactly.

Requests go over the wire (`cloudsync_core.backends.objectstore.wire`), from the calling thread. Where a proxy of a kind
that is not spoken to there stands before the server, they go through the session that gcsfs makes
(`cloudsync_gcs.exact`), which is imported at the first such request.

Nothing here repeats a request. Nothing here survives a fork: open backends in the process that uses them (start workers
by "spawn"), anything else raises `RuntimeError`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies

import certifi

from cloudsync_core.backends.objectstore.pool import Pool, secure_context
from cloudsync_core.backends.objectstore.proxies import Proxy, UnknownProxyError, proxy_for
from cloudsync_core.backends.objectstore.server import server_of
from cloudsync_core.backends.objectstore.threads import Threads
from cloudsync_core.backends.objectstore.wire import Answer, Request, Wire
from cloudsync_core.errors import ConfigError
from cloudsync_gcs import operations
from cloudsync_gcs.config import GCSOptions
from cloudsync_gcs.environment import STORAGE, USER_AGENT, Environment, Service
from cloudsync_gcs.errors import UNAUTHORISED, Refusal
from cloudsync_gcs.signing import authorising

T = TypeVar("T")

IN_FLIGHT = 32
"""Requests at most that were begun and not waited for yet; more wait for their turn."""


class Content(Protocol):
    """The content of an answer, which is still to come."""

    @property
    def answer(self) -> Answer:
        """Its status and its headers."""

    def read(self, size: int | None = None) -> bytes:
        """Return the next `size` bytes, fewer only at the end of the content; by default all that is left."""


class Way(Protocol):
    """A way to the server. What fails on it raises a `TransportError`."""

    def request(self, request: Request, *, most: int | None = None) -> Answer:
        """Send a request and return the answer; see `Wire.request`."""

    def open(self, request: Request) -> AbstractContextManager[Content]:
        """Send a request and yield the answer, to be read in the block; see `Wire.open`."""

    def close(self) -> None:
        """Close the connections."""


class Connection:
    """The requests to one server; safe to use from many threads.

    Opening it asks nothing of the server.

    Args:
        options: how it is reached.
        location: for messages.
        service: whose server it is.

    Raises:
        ConfigError: the options or the environment cannot be used.

    Attributes:
        url: of the server.
        endpoint: the server's host, with its port where it is not the scheme's own: equal for equal places.
        is_google: whether it is one of Google's.
    """

    def __init__(self, options: GCSOptions, location: str, service: Service = STORAGE) -> None:
        self._options = options
        self._environment = Environment(options, location, service)
        self.url = self._environment.url
        self.endpoint = self._environment.endpoint
        self.is_google = self._environment.is_google
        self._tls = functools.cache(self._secure_context)
        self._proxy, self._unusual_proxy = _proxies(self.url, location)
        self._lock = threading.Lock()
        self._way: Way | None = None
        self._threads = Threads(IN_FLIGHT, "cloudsync-gcs")
        self._process = os.getpid()

    def request(self, request: Request, *, most: int | None = None, also: tuple[int, ...] = ()) -> Answer:
        """Make a request and return the answer, if it is a success.

        Args:
            request: what is asked.
            most: bytes of the content of a success; one that is said to have more is not read at all.
            also: statuses that are successes here.

        Raises:
            Refusal: the server did not do it.
            CredentialsError: there is no access token.
            TransportError: no whole answer came.
        """
        begun = time.monotonic()
        answer = self._reached().request(request, most=most)
        if answer.is_success or answer.status in also:
            return answer
        raise self._refusal(answer, begun)

    @contextlib.contextmanager
    def open(self, request: Request) -> Iterator[Content]:
        """Make a request and yield the answer, if it is a success, to be read in the block; it raises as `request`.

        What is left at the end of the block is not waited for.
        """
        begun = time.monotonic()
        with self._reached().open(request) as content:
            if not content.answer.is_success:
                raise self._refusal(dataclasses.replace(content.answer, body=content.read()), begun)
            yield content

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Begin work that makes requests, in a thread of the connection's."""
        self._refuse_after_a_fork()
        return self._threads.submit(work)

    def close(self) -> None:
        """Close the connections: what is under way fails. A second call does nothing."""
        if self._process != os.getpid():
            return
        self._threads.close()
        if self._way is not None:
            self._way.close()
        self._environment.close()

    def _refusal(self, answer: Answer, begun: float) -> Refusal:
        refusal = operations.refusal(answer)
        if answer.status == UNAUTHORISED:
            refusal.renewable = self._environment.refused(begun)
        return refusal

    def _reached(self) -> Way:
        self._refuse_after_a_fork()
        if self._way is None:
            with self._lock:
                if self._way is None:
                    self._way = self._new_way()
        return self._way

    def _new_way(self) -> Way:
        options = self._options
        server = server_of(self.url)
        authorise = authorising(self._environment.credentials)
        if self._unusual_proxy is not None:
            from cloudsync_gcs.exact import ExactClient  # noqa: PLC0415 - gcsfs is slow to import

            through, project = self._unusual_proxy, self._environment.project
            return ExactClient(options, self.url, authorise, self._tls, proxy=through, project=project)
        timeouts = {"connect_timeout": options.connect_timeout, "read_timeout": options.read_timeout}
        pool = Pool(server, self._tls, self._proxy, **timeouts)
        return Wire(server, pool, authorise=authorise, proxy=self._proxy, user_agent=USER_AGENT)

    def _secure_context(self) -> ssl.SSLContext:
        return secure_context(self._options.ca_bundle, verify=self._options.verify_tls, brought=certifi.where())

    def _refuse_after_a_fork(self) -> None:
        if self._process != os.getpid():
            raise RuntimeError("this backend was opened before a fork: open it in the process that uses it")


def _proxies(url: str, location: str) -> tuple[Proxy | None, str | None]:
    """Return the proxy before the server: one that the wire speaks to, or else the URL of one that wants TLS.

    Raises:
        ConfigError: it wants something else.
    """
    try:
        return proxy_for(url), None
    except UnknownProxyError as error:
        scheme = urlsplit(url).scheme
        proxy = getproxies()[scheme]
        kind = urlsplit(proxy).scheme
        if kind == "https":
            return None, proxy
        raise ConfigError(
            f"{location}: the proxy of {scheme.upper()}_PROXY is of a kind that is not supported: {kind}",
            hint="Set it to a proxy of http: or https:, or name the server in NO_PROXY.",
        ) from error
