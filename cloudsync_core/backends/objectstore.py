"""The fast data plane of object stores: small writes and small reads by native code, which lets other threads run.

A plugin hands over a connected obstore store and keeps everything that needs exactness to itself: listings, conditions
that this interface cannot say, and the keys of which `sayable` is false. obstore never retries here (the core does);
its errors come out as `PlaneError`, which carries what the server answered, for the plugin's own table of errors.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import re
from collections.abc import Iterator, Mapping
from typing import Any

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from cloudsync_core.body import CHUNK_SIZE

NO_RETRIES: Mapping[str, Any] = {"max_retries": 0}
"""The `retry_config` of every store: the core's retry layer is the one owner of retries."""

_STATUS = re.compile(r"\bstatus: (\d{3})\b|non-2xx status code: (\d{3})\b")
_CODE = re.compile(r"<Code>([^<]{1,200})</Code>")
_UNSAYABLE = re.compile(r"^/|/$|//|(?:^|/)\.\.?(?:/|$)|[\x00-\x1f\x7f]")
_FAILURES = (BaseError, OSError, ValueError)


class PlaneError(Exception):
    """A request failed.

    Attributes:
        status: HTTP status of the answer, or `None` where none came.
        code: the provider's word for the failure, or "".
    """

    def __init__(self, status: int | None, code: str) -> None:
        super().__init__(f"status {status}, code {code or 'unknown'}")
        self.status = status
        self.code = code


@dataclasses.dataclass(frozen=True, slots=True)
class Stored:
    """What a provider says of an object that it stored or returns.

    Attributes:
        etag: with its quotes, as sent; `None` where the answer has none.
        version: the provider's version identifier, or `None`.
    """

    etag: str | None
    version: str | None


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """An object that is being read.

    Attributes:
        stored: its version.
        size: bytes of the whole object.
        modified: when the provider last wrote it.
        headers: by their HTTP names ("Content-Type"), and the user's metadata by theirs.
        chunks: its bytes in chunks of some 1 MiB; raises `PlaneError`.
    """

    stored: Stored
    size: int
    modified: dt.datetime
    headers: Mapping[str, str]
    chunks: Iterator[bytes]


def sayable(key: str) -> bool:
    """Tell whether obstore names the object of this whole key exactly.

    It drops slashes at either end and refuses empty and dotted segments and control characters.
    """
    return _UNSAYABLE.search(key) is None and key != ""


def client_options(*, connect_timeout: float, read_timeout: float, secure: bool) -> dict[str, Any]:
    """Return the `client_options` of a store.

    Args:
        connect_timeout: seconds.
        read_timeout: seconds without a byte. The whole of a request has no limit: objects may be large.
        secure: whether the endpoint is HTTPS; otherwise HTTP is allowed.
    """
    return {
        "allow_http": not secure,
        "http1_only": True,
        "connect_timeout": dt.timedelta(seconds=connect_timeout),
        "read_timeout": dt.timedelta(seconds=read_timeout),
        "timeout": dt.timedelta(days=7),
    }


class DataPlane:
    """Puts and gets of one store; safe to use from many threads.

    Args:
        store: an obstore store of one container, with `NO_RETRIES`.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def put(
        self,
        key: str,
        data: bytes,
        headers: Mapping[str, str],
        *,
        if_absent: bool = False,
        if_match: str | None = None,
    ) -> Stored:
        """Write an object in one request.

        Args:
            key: the whole key, which is `sayable`.
            data: its content.
            headers: as in `Found.headers`.
            if_absent: only if there is no object.
            if_match: only if the object has this ETag.

        Raises:
            PlaneError: the request failed.
        """
        mode: Any = "create" if if_absent else "overwrite" if if_match is None else {"e_tag": if_match}
        with _plane_errors():
            result = obstore.put(self._store, key, data, attributes=dict(headers), mode=mode, use_multipart=False)
        return Stored(result["e_tag"], result["version"])

    def get(self, key: str) -> Found:
        """Open an object by one request.

        Args:
            key: the whole key, which is `sayable`.

        Raises:
            PlaneError: the request failed.
        """
        with _plane_errors():
            result = obstore.get(self._store, key)
            meta = result.meta
            start, end = result.range
        small = end - start <= CHUNK_SIZE
        return Found(
            Stored(meta["e_tag"], meta["version"]),
            meta["size"],
            meta["last_modified"],
            result.attributes,
            _whole(result) if small else _stream(result),
        )


def _whole(result: obstore.GetResult) -> Iterator[bytes]:
    with _plane_errors():
        data = bytes(result.bytes())
    yield data


def _stream(result: obstore.GetResult) -> Iterator[bytes]:
    stream = iter(result.stream(min_chunk_size=CHUNK_SIZE))
    while True:
        with _plane_errors():
            chunk = next(stream, None)
        if chunk is None:
            return
        yield bytes(chunk)


@contextlib.contextmanager
def _plane_errors() -> Iterator[None]:
    try:
        yield
    except _FAILURES as failure:
        text = str(failure)
        status = _STATUS.search(text)
        code = _CODE.search(text)
        number = None if status is None else int(status[1] or status[2])
        # The text may show the request with its signature: it is not kept.
        raise PlaneError(number, code[1] if code else "") from None
