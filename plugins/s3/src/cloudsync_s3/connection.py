"""One connected client of one endpoint: s3fs connects it, and its requests are made one by one.

Requests run on fsspec's event loop, in fsspec's own thread; the calling thread waits. Neither survives a fork: open
backends in the process that uses them (start workers by "spawn"), anything else raises `RuntimeError`.

Nothing here repeats a request: the retries of s3fs, of botocore and of aiohttp are off, because the core owns them.
"""

from __future__ import annotations

import asyncio
import base64
import concurrent.futures
import functools
import hashlib
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import botocore
import botocore.exceptions
import botocore.handlers
import botocore.loaders
import s3fs
from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.session import AioSession
from botocore.credentials import ReadOnlyCredentials

from cloudsync_core.errors import ConfigError
from cloudsync_s3.config import S3Options

T = TypeVar("T")

POOL_SIZE = 100
"""Connections at most, so that every thread of a large pool has one."""

_RAW_PAGE = "CloudsyncPage"
"""In the response of ListObjectsV2: its body, unparsed, as bytes."""

# Not public, so it may be gone: then botocore's own way of looking for errors stays as it is.
_look_for_error = getattr(botocore.handlers, "_handle_200_error", None)

_AMAZON = (".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu", ".api.aws")
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Connection:
    """A connected S3 client; safe to use from many threads.

    Connecting resolves the credentials and the endpoint, and asks nothing of the server.

    Raises:
        ConfigError: the options or the AWS environment cannot be used: no such profile, half a pair of keys, a URL
            that is none.
    """

    def __init__(self, options: S3Options, location: str) -> None:
        session = AioSession(profile=options.profile)
        session.register_component("data_loader", _models())
        self._filesystem = s3fs.S3FileSystem(
            session=session, skip_instance_cache=True, use_listings_cache=False, **_filesystem_options(options)
        )
        self._filesystem.retries = 1
        try:
            self._client = self._filesystem.s3
        except (botocore.exceptions.BotoCoreError, ValueError) as error:
            raise ConfigError(f"{location}: the connection to S3 cannot be set up: {error}") from error
        events = self._client.meta.events
        if _look_for_error is not None:
            # botocore would parse every page of a listing to see whether it is an error; elsewhere it still does.
            events.unregister("before-parse.s3.*", _look_for_error)
        events.register_first("before-parse.s3.*", _keep_page_or_look_for_error)
        events.register("before-call.s3.DeleteObjects", _add_md5)
        for operation in ("PutObject", "UploadPart"):
            events.register(f"before-send.s3.{operation}", _send_at_once)
        self.url: str = self._client.meta.endpoint_url
        self.region: str = self._client.meta.region_name
        self.ca_bundle = options.ca_bundle or _path(self._filesystem.session.get_config_variable("ca_bundle"))
        if self.ca_bundle is not None and not self.ca_bundle.is_file():
            raise ConfigError(
                f"{location}: there is no file {self.ca_bundle} of certificate authorities",
                hint="Set ca_bundle or AWS_CA_BUNDLE to an existing file.",
            )
        self.endpoint = _normalised(self.url)
        self.is_amazon = self.endpoint.endswith(_AMAZON)

    def credentials(self) -> ReadOnlyCredentials | None:
        """Return the credentials of now, refreshed where they had to be; `None` for anonymous requests."""
        signer = self._client._request_signer  # noqa: SLF001 - the only place where a client keeps them
        if signer.signature_version is botocore.UNSIGNED:
            return None
        held = signer._credentials  # noqa: SLF001 - likewise
        if held is None:
            raise botocore.exceptions.NoCredentialsError
        found: ReadOnlyCredentials = self.wait(self.run(held.get_frozen_credentials()))
        return found

    def call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """Make one request and return botocore's parsed response; what fails raises as botocore raises it."""
        return self.wait(self.start(operation, **parameters))

    def start(self, operation: str, **parameters: Any) -> concurrent.futures.Future[dict[str, Any]]:
        """Begin one request."""
        return self.run(getattr(self._client, operation)(**parameters))

    def list_page(self, **parameters: Any) -> concurrent.futures.Future[bytes]:
        """Begin a ListObjectsV2 request; the result is the answer's body, unparsed."""
        return self.run(self._list_page(parameters))

    def open(self, first: int, **parameters: Any) -> tuple[dict[str, Any], bytes]:
        """Make a GetObject request; return its response and up to `first` bytes that were read from its body."""
        return self.wait(self.run(self._open(first, parameters)))

    def read(self, body: Any, size: int) -> concurrent.futures.Future[bytes]:
        """Begin to read `size` bytes of a response's body, fewer only where it ends."""
        return self.run(_read(body, size))

    def drop(self, body: Any) -> None:
        """Let go of a response's body, and of its connection unless the body was read to its end."""
        self._filesystem.loop.call_soon_threadsafe(body.close)

    def run(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Begin work on the event loop."""
        try:
            return asyncio.run_coroutine_threadsafe(work, self._filesystem.loop)
        except BaseException:
            work.close()
            raise

    def wait(self, future: concurrent.futures.Future[T]) -> T:
        """Return what the work returns; an interrupt of this thread cancels it."""
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """Close the connections; a second call does nothing."""
        self.wait(self.run(self._client.close()))

    async def _list_page(self, parameters: Mapping[str, Any]) -> bytes:
        response: dict[str, Any] = await self._client.list_objects_v2(**parameters)
        page: bytes = response[_RAW_PAGE]
        return page

    async def _open(self, first: int, parameters: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
        response: dict[str, Any] = await self._client.get_object(**parameters)
        try:
            return response, await _read(response["Body"], first)
        except BaseException:
            response["Body"].close()
            raise


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
    while missing and (piece := await body.read(missing)):
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)


@functools.cache
def _models() -> Any:
    """Return botocore's descriptions of the services, read once: most of the time of connecting goes there."""
    return botocore.loaders.create_loader()


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
            "user_agent": f"cloudsync-s3 botocore/{botocore.__version__}",
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


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None


def _normalised(url: str) -> str:
    """Return the host of an endpoint, with its port where it is not the scheme's own: equal for equal places."""
    parts = urlsplit(url)
    host = {"localhost": "127.0.0.1", "::1": "127.0.0.1"}.get(parts.hostname or "", parts.hostname or "")
    port = parts.port
    return host if port in {None, _DEFAULT_PORTS.get(parts.scheme)} else f"{host}:{port}"


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
