"""Requests through the session that gcsfs makes, for proxies that the wire does not speak to.

They run on fsspec's event loop, in fsspec's own thread; the calling thread waits. gcsfs's own verbs are not used: they
read globs and `#generation` into names, look at the bucket first, and repeat what failed. The class is the plain one of
gcsfs: the extended one asks for the kind of a bucket by gRPC, and waits for a minute where nobody answers to that.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import os
import ssl
import sys
from collections.abc import Callable, Coroutine, Iterable, Iterator
from typing import Any, TypeVar

import aiohttp
from yarl import URL

from cloudsync_core.backends.objectstore.transport import (
    ConnectionLostError,
    DamagedAnswerError,
    IncompleteAnswerError,
    NoAnswerError,
    ProxyUnreachableError,
    TlsError,
    TransportError,
    UnreachableError,
)
from cloudsync_core.backends.objectstore.wire import Answer, Authorise, Request
from cloudsync_gcs.config import GCSOptions
from cloudsync_gcs.environment import USER_AGENT

T = TypeVar("T")

_EXTENDED = "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"


def plain_filesystem() -> Any:
    """Return the class of gcsfs that speaks the JSON API alone, and import nothing of the extended one."""
    if "gcsfs" in sys.modules:
        from gcsfs.core import GCSFileSystem  # noqa: PLC0415 - what it imports depends on the environment
    else:
        before = os.environ.get(_EXTENDED)
        os.environ[_EXTENDED] = "false"
        try:
            from gcsfs.core import GCSFileSystem  # noqa: PLC0415
        finally:
            os.environ.pop(_EXTENDED)
            if before is not None:
                os.environ[_EXTENDED] = before
    return GCSFileSystem


class ExactClient:
    """A way to the server through gcsfs's session; safe to use from many threads.

    fsspec's event loop does not survive a fork.

    Args:
        options: of the location.
        url: of the server.
        authorise: says who asks.
        context: returns the context of secure connections, also of that to the proxy.
        proxy: its URL.
        project: for gcsfs.
    """

    def __init__(
        self,
        options: GCSOptions,
        url: str,
        authorise: Authorise,
        context: Callable[[], ssl.SSLContext],
        *,
        proxy: str,
        project: str | None,
    ) -> None:
        self._url = url
        self._origin = URL(url).origin()
        self._authorise = authorise
        self._context = context
        self._proxy = proxy
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=options.connect_timeout, sock_read=options.read_timeout
        )
        self._filesystem = plain_filesystem()(
            project=project or "",
            token="anon",  # noqa: S106 - requests say themselves who asks
            endpoint_url=url,
            session_kwargs={"timeout": timeout, "auto_decompress": False},
            skip_instance_cache=True,
            use_listings_cache=False,
        )

    def request(self, request: Request, *, most: int | None = None) -> Answer:
        """Send a request and return the answer; see `Wire.request`."""
        with self.open(request) as content:
            answer = content.answer
            limit = most if answer.is_success else None
            if limit is not None and answer.length > limit:
                return answer
            body = content.read(None if limit is None else limit + 1)
            return Answer(answer.status, answer.headers, body)

    @contextlib.contextmanager
    def open(self, request: Request) -> Iterator[_Content]:
        """Send a request and yield the answer, to be read in the block; see `Wire.open`."""
        query, headers = self._authorise(request, dict(request.headers))
        target = f"{request.path}?{query}" if query else request.path
        response = self._wait(self._send(request, target, {"accept-encoding": "identity", **headers}))
        try:
            yield _Content(self, response)
        finally:
            self._filesystem.loop.call_soon_threadsafe(response.close)

    def read(self, response: aiohttp.ClientResponse, size: int | None) -> bytes:
        """Return the next bytes of an answer's content; see `Content.read`."""
        return self._wait(_read(response, size))

    def close(self) -> None:
        """Close the connections; a second call does nothing."""
        session = self._filesystem.session
        if session is not None and not session.closed:
            self._run(session.close()).result()

    async def _send(self, request: Request, target: str, headers: dict[str, str]) -> aiohttp.ClientResponse:
        session = await self._filesystem._set_session()  # noqa: SLF001 - it has no public name
        session._retry_connection = False  # noqa: SLF001 - aiohttp has no public switch; a lost request may be done
        body = request.body if isinstance(request.body, bytes) else _pieces(request.body)
        found: aiohttp.ClientResponse = await session.request(
            request.method,
            URL(f"{self._origin}{target}", encoded=True),
            headers={**headers, "user-agent": USER_AGENT, "content-length": str(request.size)},
            data=body if request.size else None,
            proxy=self._proxy,
            ssl=self._context(),
            allow_redirects=False,
        )
        return found

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Return the result of work on the loop; an interrupt of this thread cancels it."""
        future = self._run(work)
        try:
            return future.result()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._failure(error) from error
        except BaseException:
            future.cancel()
            raise

    def _run(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        try:
            return asyncio.run_coroutine_threadsafe(work, self._filesystem.loop)
        except BaseException:
            work.close()
            raise

    def _failure(self, error: BaseException) -> TransportError:
        kinds: tuple[tuple[type[BaseException], type[TransportError]], ...] = (
            (aiohttp.ClientSSLError, TlsError),
            (aiohttp.ClientProxyConnectionError, ProxyUnreachableError),
            (aiohttp.ClientHttpProxyError, ProxyUnreachableError),
            (aiohttp.ConnectionTimeoutError, UnreachableError),
            (aiohttp.ClientConnectorError, UnreachableError),
            (TimeoutError, NoAnswerError),
            (aiohttp.ClientPayloadError, IncompleteAnswerError),
            (aiohttp.ClientResponseError, DamagedAnswerError),
        )
        kind = next((found for cause, found in kinds if isinstance(error, cause)), ConnectionLostError)
        return kind(f"{self._url}: {error}")


class _Content:
    """The content of an answer; see `cloudsync_gcs.connection.Content`."""

    def __init__(self, client: ExactClient, response: aiohttp.ClientResponse) -> None:
        self._client = client
        self._response = response
        headers = {name.lower(): value for name, value in response.headers.items()}
        self.answer = Answer(response.status, headers, b"")

    def read(self, size: int | None = None) -> bytes:
        """Return the next bytes; see `Content.read`."""
        return self._client.read(self._response, size)


async def _read(response: aiohttp.ClientResponse, size: int | None) -> bytes:
    if size is None:
        return await response.content.read()
    pieces = []
    while size and (piece := await response.content.read(size)):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


async def _pieces(body: Iterable[bytes | memoryview]) -> Any:
    """Yield the pieces of a content; whoever makes them may wait, so another thread asks for them."""
    pieces = iter(body)
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        yield bytes(piece)
