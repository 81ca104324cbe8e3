"""get and read: how Azure is asked for bytes of objects; `cloudsync_core.backends.objectstore.reading` has the rest.

What follows the beginning of an object is asked for by its ETag, with If-Match.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager

from cloudsync_azure import conditions, operations, versions
from cloudsync_azure.errors import RefusedError
from cloudsync_azure.place import Place, length
from cloudsync_core.backends.objectstore import reading
from cloudsync_core.backends.objectstore.reading import Incoming
from cloudsync_core.body import ObjectReader
from cloudsync_core.models import Version

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
            answer = self._place.connection.fetch(operations.get_blob(self._place.path(key)), limit)
            size = length(answer)
            info = self._place.describe(key, size, answer)
            return None if size > limit else ObjectReader(info, answer.body)


class _Objects:
    """The requests for objects of one place; see `cloudsync_core.backends.objectstore.reading.Objects`."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def errors(self, operation: str, key: str | None = None) -> AbstractContextManager[None]:
        return self._place.errors(operation, key)

    @contextlib.contextmanager
    def open(self, key: str, span: str | None, pin: str | None) -> Iterator[Incoming]:
        request = operations.get_blob(self._place.path(key), span, pin)
        with self._place.connection.stream(request) as (answer, read):
            info = functools.partial(self._place.describe, key, answer=answer)
            etag = versions.plain(answer.headers.get("etag"))
            pinned = None if etag is None else versions.quoted(etag)
            yield Incoming(length(answer), answer.headers.get("content-range", ""), pinned, info, read)

    def pin(self, version: Version) -> str:
        return conditions.if_match(version)

    def is_version(self, found: Version, wanted: Version) -> bool:
        return found.etag == wanted.etag

    def has_no_such_range(self, failure: BaseException) -> bool:
        return isinstance(failure, RefusedError) and failure.answer.status == _NOT_SATISFIABLE

    def submit(self, work: Callable[[], list[bytes]]) -> Future[list[bytes]]:
        return self._place.connection.submit(work)
