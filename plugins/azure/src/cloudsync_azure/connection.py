"""One server as one location reaches it: requests go over the wire, or the exact way where that cannot take them.

Requests go over the wire (`cloudsync_core.backends.objectstore.wire`), from the calling thread. Where a proxy stands
before the server that the wire cannot speak to, they go by the client that adlfs connects (`cloudsync_azure.exact`),
which is imported at the first of them.

Nothing here repeats a request. Nothing here survives a fork: open backends in the process that uses them (start workers
by "spawn"), anything else raises `RuntimeError`.
"""

from __future__ import annotations

import contextlib
import functools
import os
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from cloudsync_azure.config import AzureOptions
from cloudsync_azure.environment import USER_AGENT, Environment
from cloudsync_azure.errors import RefusedError
from cloudsync_azure.operations import checked
from cloudsync_azure.signing import Authorisation
from cloudsync_core.backends.objectstore.pool import Pool, secure_context
from cloudsync_core.backends.objectstore.proxies import UnknownProxyError, proxy_for
from cloudsync_core.backends.objectstore.threads import Threads
from cloudsync_core.backends.objectstore.wire import Answer, Request, Wire

if TYPE_CHECKING:
    from cloudsync_azure.exact import ExactClient

T = TypeVar("T")

IDLE_SECONDS = 4.0
"""How long a connection may wait for its next request. Azurite ends one after five."""

IN_FLIGHT = 32
"""Requests at most that were begun and not waited for yet; more wait for their turn."""


class Connection:
    """The requests to one account; safe to use from many threads. Opening it asks nothing of the server.

    Args:
        environment: how it is reached.
        options: of the location.
    """

    def __init__(self, environment: Environment, options: AzureOptions) -> None:
        self._environment = environment
        self._options = options
        self._way: Wire | ExactClient | None = None
        self._lock = threading.Lock()
        self._threads = Threads(IN_FLIGHT, "cloudsync-azure")
        self._process = os.getpid()

    @property
    def authorise(self) -> Authorisation:
        """Says who asks."""
        return self._environment.authorise

    def call(self, request: Request) -> Answer:
        """Make a request and return the success.

        Raises:
            RefusedError: the server refused.
            TransportError: no whole answer came.
        """
        return checked(self._go().request(request))

    def start(self, request: Request) -> Future[Answer]:
        """Begin a request; see `call`."""
        return self.submit(functools.partial(self.call, request))

    def fetch(self, request: Request, most: int) -> Answer:
        """Make a request and return the success, without its body unless that has at most so many bytes."""
        return checked(self._go().request(request, most=most))

    @contextlib.contextmanager
    def stream(self, request: Request) -> Iterator[tuple[Answer, Callable[[int], bytes]]]:
        """Make a request; yield the success without its body, and what reads so many bytes of that.

        Fewer bytes come only at the end of the body. What is left at the end of the block is not waited for.
        """
        with self._go().open(request) as stream:
            answer = stream.answer
            if not answer.is_success:
                raise RefusedError(Answer(answer.status, answer.headers, stream.read()))
            yield answer, stream.read

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Begin work that makes requests, in a thread of the connection's."""
        self._refuse_after_a_fork()
        return self._threads.submit(work)

    def wait(self, future: Future[T]) -> T:
        """Return what the work returns; an interrupt of this thread cancels it."""
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """Close the connections: what is under way fails. A second call does nothing."""
        if self._process != os.getpid():
            return
        self._threads.close()
        if self._way is not None:
            self._way.close()

    def _go(self) -> Wire | ExactClient:
        """Return what makes requests."""
        self._refuse_after_a_fork()
        if self._way is None:
            with self._lock:
                if self._way is None:
                    self._way = self._new_way()
        return self._way

    def _new_way(self) -> Wire | ExactClient:
        server, options = self._environment.address.server, self._options
        try:
            proxy = proxy_for(server.url)
        except UnknownProxyError:
            from cloudsync_azure.exact import ExactClient  # noqa: PLC0415 - adlfs is slow to import

            return ExactClient(self._environment, options)
        tls = functools.cache(functools.partial(_context, self._environment.ca_bundle, verify=options.verify_tls))
        pool = Pool(
            server,
            tls,
            proxy,
            connect_timeout=options.connect_timeout,
            read_timeout=options.read_timeout,
            idle_seconds=IDLE_SECONDS,
        )
        return Wire(server, pool, authorise=self.authorise, proxy=proxy, user_agent=USER_AGENT)

    def _refuse_after_a_fork(self) -> None:
        if self._process != os.getpid():
            raise RuntimeError("this backend was opened before a fork: open it in the process that uses it")


def _context(ca_bundle: Path | None, *, verify: bool) -> ssl.SSLContext:
    import certifi  # noqa: PLC0415 - only for secure connections

    return secure_context(ca_bundle, verify=verify, brought=certifi.where())
