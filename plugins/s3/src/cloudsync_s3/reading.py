"""get and read: how S3 is asked for the bytes of objects; `cloudsync_core.backends.objectstore.reading` has the rest.

What follows the beginning of an object is asked for by its ETag, with If-Match.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager
from typing import Any

from botocore.exceptions import ClientError

from cloudsync_core.backends.objectstore import reading
from cloudsync_core.backends.objectstore.reading import Incoming
from cloudsync_core.body import ObjectReader
from cloudsync_core.models import Version
from cloudsync_s3 import conditions
from cloudsync_s3.place import Place, length

_NOT_SATISFIABLE = 416


class Reader(reading.Reader):
    """Reads objects of one place; safe to use from many threads.

    Args:
        place: where from.
    """

    def __init__(self, place: Place) -> None:
        super().__init__(_Objects(place))
        self._place = place

    def read(self, key: str, limit: int) -> ObjectReader | None:
        """Return a small object that is read already; see `Backend.read`."""
        with self._place.errors("get", key):
            response, data = self._place.connection.fetch(limit, **self._place.named(key))
            size = length(response)
            if size > limit:
                return None
            return ObjectReader(self._place.describe(key, size, response), data)


class _Objects:
    """The requests for objects of one place; see `cloudsync_core.backends.objectstore.reading.Objects`."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def errors(self, operation: str, key: str | None = None) -> AbstractContextManager[None]:
        return self._place.errors(operation, key)

    @contextlib.contextmanager
    def open(self, key: str, span: str | None, pin: str | None) -> Iterator[Incoming]:
        request = self._place.named(key)
        if span is not None:
            request["Range"] = span
        if pin is not None:
            request["IfMatch"] = pin
        with self._place.connection.stream(**request) as (response, read):
            info = functools.partial(self._place.describe, key, response=response)
            yield Incoming(length(response), response.get("ContentRange", ""), _strong_etag(response), info, read)

    def pin(self, version: Version) -> str:
        return conditions.if_match(version)

    def is_version(self, found: Version, wanted: Version) -> bool:
        return found.etag == wanted.etag

    def has_no_such_range(self, failure: BaseException) -> bool:
        return (
            isinstance(failure, ClientError)
            and failure.response["ResponseMetadata"]["HTTPStatusCode"] == _NOT_SATISFIABLE
        )

    def submit(self, work: Callable[[], list[bytes]]) -> Future[list[bytes]]:
        return self._place.connection.submit(work)


def _strong_etag(response: Mapping[str, Any]) -> str | None:
    """Return the ETag that If-Match can be asked with: a weak one never matches."""
    etag: str | None = response.get("ETag")
    return None if not etag or etag.startswith("W/") else etag
