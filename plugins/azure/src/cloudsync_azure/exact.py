"""The client that adlfs connects, for what the wire cannot reach: servers behind a proxy that speaks no plain HTTP.

Its requests run on fsspec's event loop, in fsspec's own thread; the calling thread waits. It is used as a `Wire` is,
and what is asked and by whom is said in the same place.

Nothing here repeats a request: they go beneath the SDK's retries, because the core owns them.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import urllib.request
from collections.abc import Coroutine, Iterator, Mapping
from typing import Any, TypeVar

import adlfs
import aiohttp
import azure.core.exceptions as azure_errors
from azure.core.pipeline.transport import HttpRequest
from yarl import URL

from cloudsync_azure.config import AzureOptions
from cloudsync_azure.environment import USER_AGENT, Environment
from cloudsync_core.backends.objectstore.transport import (
    IncompleteAnswerError,
    NoAnswerError,
    ProxyUnreachableError,
    TlsError,
    TransportError,
)
from cloudsync_core.backends.objectstore.wire import Answer, Request

T = TypeVar("T")

_MEANINGS: tuple[tuple[tuple[type[BaseException], ...], type[TransportError]], ...] = (
    ((aiohttp.ClientSSLError,), TlsError),
    ((aiohttp.ClientPayloadError, azure_errors.IncompleteReadError), IncompleteAnswerError),
    ((TimeoutError, azure_errors.ServiceResponseTimeoutError), NoAnswerError),
    # Whatever is wrong with a proxy of this kind is about the proxy.
    ((azure_errors.AzureError, aiohttp.ClientError, OSError, ValueError), ProxyUnreachableError),
)
"""What aiohttp and the SDK raise, in the words of the wire; the first row that fits the error or its cause."""


class ExactClient:
    """A connected client; safe to use from many threads. fsspec's event loop does not survive a fork.

    Args:
        environment: how the account is reached.
        options: of the location.
    """

    def __init__(self, environment: Environment, options: AzureOptions) -> None:
        address = environment.address
        self._server = address.server
        self._authorise = environment.authorise
        self._filesystem = adlfs.AzureBlobFileSystem(
            account_name=address.account,
            account_host=address.server.netloc,
            anon=True,
            skip_instance_cache=True,
            use_listings_cache=False,
        )
        self._transport: Any = self._filesystem.service_client._pipeline._transport  # noqa: SLF001 - no public way
        verify: bool | str = options.verify_tls
        if verify and environment.ca_bundle is not None:
            verify = str(environment.ca_bundle)
        self._options: dict[str, Any] = {
            "stream": True,
            "proxy": urllib.request.getproxies().get(address.server.scheme),
            "connection_timeout": options.connect_timeout,
            "read_timeout": options.read_timeout,
            "connection_verify": verify,
        }

    def request(self, request: Request, *, most: int | None = None) -> Answer:
        """Send a request and return the answer, whatever its status; see `Wire.request`."""
        with self.open(request) as stream:
            answer = stream.answer
            if answer.is_success and most is not None and answer.length > most:
                return answer
            return Answer(answer.status, answer.headers, stream.read())

    @contextlib.contextmanager
    def open(self, request: Request) -> Iterator[Stream]:
        """Send a request and yield the answer, whatever its status, to be read in the block; see `Wire.open`."""
        response = self._run(self._send(request))
        try:
            yield Stream(self, response)
        finally:
            self._filesystem.loop.call_soon_threadsafe(response.close)

    def read(self, response: aiohttp.ClientResponse, size: int | None) -> bytes:
        """Return the next `size` bytes of an answer, fewer only at its end; by default all that is left."""
        return self._run(_read(response, size))

    def close(self) -> None:
        """Close the connections; a second call does nothing."""
        self._run(self._transport.close())

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            running = asyncio.run_coroutine_threadsafe(work, self._filesystem.loop)
        except BaseException:
            work.close()
            raise
        try:
            return running.result()
        except BaseException as error:
            running.cancel()
            if (found := _meaning(error)) is not None:
                raise found(f"{self._server.url}: {error}") from error
            raise

    async def _send(self, request: Request) -> aiohttp.ClientResponse:
        body = request.body if isinstance(request.body, bytes) else b"".join(request.body)
        headers = {"host": self._server.netloc, **request.headers}
        if body:
            # Else aiohttp would add one, which is not signed.
            headers.setdefault("content-type", "application/octet-stream")
        query, said = await asyncio.get_running_loop().run_in_executor(
            None, functools.partial(self._authorise, request, headers)
        )
        sent = {**said, "user-agent": USER_AGENT, "accept-encoding": "identity"}
        url = f"{self._server.url}{request.path}?{query}" if query else f"{self._server.url}{request.path}"
        # As it is signed, and not as it could be written too.
        exactly: Any = URL(url, encoded=True)
        asked = HttpRequest(request.method, exactly, headers=sent, data=body or None)
        answered = await self._transport.send(asked, **self._options)
        response: aiohttp.ClientResponse = answered.internal_response
        return response


class Stream:
    """The content of an answer, which is still to come; see `cloudsync_core.backends.objectstore.wire.Stream`.

    Attributes:
        answer: its status and its headers.
    """

    def __init__(self, client: ExactClient, response: aiohttp.ClientResponse) -> None:
        self._client = client
        self._response = response
        self.answer = Answer(response.status, _joined(response.headers), b"")

    def read(self, size: int | None = None) -> bytes:
        """Return the next `size` bytes, fewer only at the end of the content; by default all that is left."""
        return self._client.read(self._response, size)


async def _read(response: aiohttp.ClientResponse, size: int | None) -> bytes:
    if size is None:
        return await response.content.read()
    pieces = []
    missing = size
    while missing and (piece := await response.content.read(missing)):
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)


def _joined(headers: Mapping[str, str]) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in headers.items():
        said = name.lower()
        joined[said] = f"{joined[said]}, {value}" if said in joined else value
    return joined


def _meaning(error: BaseException) -> type[TransportError] | None:
    """Return what a failure of the SDK's is on the wire; `None` of what is none."""
    for kinds, meaning in _MEANINGS:
        if isinstance(error, kinds) or isinstance(getattr(error, "inner_exception", None), kinds):
            return meaning
    return None
