"""The client that s3fs connects, for what the wire has no words for.

Its requests run on fsspec's event loop, in fsspec's own thread; the calling thread waits.

Nothing here repeats a request: the retries of s3fs, of botocore and of aiohttp are off, because the core owns them.
"""

from __future__ import annotations

import asyncio
import base64
import concurrent.futures
import contextlib
import hashlib
from collections.abc import Coroutine, Iterator, Mapping
from typing import Any, TypeVar

import aiohttp
import botocore
import botocore.exceptions as botocore_errors
import botocore.handlers
import s3fs
from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.session import AioSession

from cloudsync_s3.config import S3Options
from cloudsync_s3.environment import USER_AGENT, models

T = TypeVar("T")

POOL_SIZE = 100
"""Connections at most, so that every thread of a large pool has one."""

_RAW_PAGE = "CloudsyncPage"
"""In the response of ListObjectsV2: its body, unparsed, as bytes."""

# Not public, so it may be gone: then botocore's own way of looking for errors stays as it is.
_look_for_error = getattr(botocore.handlers, "_handle_200_error", None)


class ExactClient:
    """A connected S3 client; safe to use from many threads.

    Connecting asks nothing of the server. fsspec's event loop does not survive a fork.

    Args:
        options: of the location; the rest comes from the AWS environment.

    Raises:
        botocore.exceptions.BotoCoreError: it cannot be set up.
    """

    def __init__(self, options: S3Options) -> None:
        session = AioSession(profile=options.profile)
        session.register_component("data_loader", models())
        self._filesystem = s3fs.S3FileSystem(
            session=session, skip_instance_cache=True, use_listings_cache=False, **_filesystem_options(options)
        )
        self._filesystem.retries = 1
        self._client = self._filesystem.s3
        events = self._client.meta.events
        if _look_for_error is not None:
            # botocore would parse every page of a listing to see whether it is an error; elsewhere it still does.
            events.unregister("before-parse.s3.*", _look_for_error)
        events.register_first("before-parse.s3.*", _keep_page_or_look_for_error)
        events.register("before-call.s3.DeleteObjects", _add_md5)
        for operation in ("PutObject", "UploadPart"):
            events.register(f"before-send.s3.{operation}", _send_at_once)

    def start(self, operation: str, parameters: Mapping[str, Any]) -> concurrent.futures.Future[dict[str, Any]]:
        """Begin one request; what fails raises as botocore raises it."""
        return self._run(self._call(operation, parameters))

    def list_page(self, parameters: Mapping[str, Any]) -> concurrent.futures.Future[bytes]:
        """Begin a ListObjectsV2 request; the result is the answer's body, unparsed."""
        return self._run(self._list_page(parameters))

    def read(self, body: Any, size: int) -> concurrent.futures.Future[bytes]:
        """Begin to read `size` bytes of a response's body, fewer only where it ends."""
        return self._run(_read(body, size))

    def drop(self, body: Any) -> None:
        """Let go of a response's body, and of its connection unless the body was read to its end."""
        self._filesystem.loop.call_soon_threadsafe(body.close)

    def close(self) -> None:
        """Close the connections; a second call does nothing."""
        self._run(self._client.close()).result()

    def _run(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        try:
            return asyncio.run_coroutine_threadsafe(work, self._filesystem.loop)
        except BaseException:
            work.close()
            raise

    async def _call(self, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        with _botocore_errors():
            response: dict[str, Any] = await getattr(self._client, operation)(**parameters)
            return response

    async def _list_page(self, parameters: Mapping[str, Any]) -> bytes:
        response = await self._call("list_objects_v2", parameters)
        page: bytes = response[_RAW_PAGE]
        return page


class _SendsOnce(AIOHTTPSession):  # type: ignore[misc]  # aiobotocore has no types
    """Does not repeat what was lost with a kept-alive connection, as aiohttp would.

    The server may have done what was asked: the repetition of a conditional write would meet its own success (F01).
    """

    async def _get_session(self, proxy_url: str | None) -> Any:
        session = await super()._get_session(proxy_url)
        session._retry_connection = False  # noqa: SLF001 - aiohttp has no public switch
        return session


async def _read(body: Any, size: int) -> bytes:
    pieces = []
    missing = size
    with _botocore_errors():
        while missing and (piece := await body.read(missing)):
            pieces.append(piece)
            missing -= len(piece)
    return b"".join(pieces)


@contextlib.contextmanager
def _botocore_errors() -> Iterator[None]:
    """Raise what aiohttp lets through as botocore's errors, so that one table judges the failures of every way."""
    try:
        yield
    except aiohttp.ClientSSLError as error:
        raise botocore_errors.SSLError(endpoint_url=error.host, error=error) from error
    except aiohttp.ClientPayloadError as error:
        raise botocore_errors.ResponseStreamingError(error=error) from error
    except aiohttp.ClientError as error:
        raise botocore_errors.HTTPClientError(error=error) from error


def _filesystem_options(options: S3Options) -> dict[str, Any]:
    """Return the arguments of `S3FileSystem` for these options."""
    found: dict[str, Any] = {
        "anon": options.anonymous,
        "endpoint_url": options.endpoint_url,
        "key": options.access_key_id,
        "secret": options.secret_access_key and options.secret_access_key.get_secret_value(),
        "token": options.session_token and options.session_token.get_secret_value(),
        "client_kwargs": {},
        "config_kwargs": {
            "retries": {"total_max_attempts": 1, "mode": "standard"},
            "max_pool_connections": POOL_SIZE,
            "http_session_cls": _SendsOnce,
            "connect_timeout": options.connect_timeout,
            "read_timeout": options.read_timeout,
            # Also because botocore builds its own description of the machine anew for every request.
            "user_agent": USER_AGENT,
            # Uploads carry Content-MD5 and gets are compared with the ETag; the checksums that botocore would add are
            # sent as trailers, which S3-compatible servers do not know.
            "request_checksum_calculation": "when_required",
            "response_checksum_validation": "when_required",
        },
    }
    if options.region is not None:
        found["client_kwargs"]["region_name"] = options.region
    if not options.verify_tls:
        found["client_kwargs"]["verify"] = False
    elif options.ca_bundle is not None:
        found["client_kwargs"]["verify"] = str(options.ca_bundle)
    if options.path_style is not None:
        found["config_kwargs"]["s3"] = {"addressing_style": "path" if options.path_style else "virtual"}
    return found


def _keep_page_or_look_for_error(
    operation_model: Any, response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **rest: Any
) -> None:
    """Take a page of a listing out of botocore's hands: its parsers need 70 us a key, ours less than 2.

    Of other answers, look into the body of a success for an error: CopyObject and CompleteMultipartUpload have such.
    """
    if operation_model.name != "ListObjectsV2":
        if _look_for_error is not None:
            _look_for_error(operation_model=operation_model, response_dict=response_dict, **rest)
    elif response_dict["status_code"] == 200:  # noqa: PLR2004 - HTTP's OK
        customized_response_dict[_RAW_PAGE] = response_dict["body"]
        response_dict["body"] = b""


def _add_md5(params: dict[str, Any], **_: Any) -> None:
    """Add the checksum of a bulk delete that every server asks for; botocore sends a newer one alone."""
    digest = hashlib.md5(params["body"], usedforsecurity=False).digest()
    params["headers"]["Content-MD5"] = base64.b64encode(digest).decode("ascii")


def _send_at_once(request: Any, **_: Any) -> None:
    """Do not ask the server whether it will take the body: it costs a round trip, and aiohttp waits for ever on no."""
    request.headers.pop("Expect", None)
