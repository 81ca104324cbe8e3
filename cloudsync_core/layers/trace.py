"""A layer that counts what is asked of a backend, for the report's `requests`."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager

from cloudsync_core.backend import NO_ATTRIBUTES, Backend, Prune
from cloudsync_core.body import Body, ObjectReader
from cloudsync_core.errors import BackendError
from cloudsync_core.layers.layer import Layer
from cloudsync_core.models import (
    ALWAYS,
    Attributes,
    ByteRange,
    DeleteResult,
    ObjectInfo,
    Page,
    PutCondition,
    Version,
)


class RequestCounts:
    """How often each verb was asked of one side; many threads may add at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = dict.fromkeys(("list", "stat", "get", "put", "copy", "delete"), 0)

    def add(self, verb: str, count: int = 1) -> None:
        """Count `count` more operations of `verb`."""
        with self._lock:
            self._counts[verb] += count

    def as_dict(self) -> dict[str, int]:
        """Return the operations so far by verb; verbs that were not used are left out."""
        with self._lock:
            return {verb: count for verb, count in self._counts.items() if count}


class Trace(Layer):
    """Counts operations by verb, failed ones included; it sits inside `Retry`, so every attempt counts.

    A listing counts its pages, a bulk delete the requests that `bulk_delete_max` makes of it.

    Args:
        inner: the backend that is counted.
        counts: what is added to; two layers may share one.
    """

    def __init__(self, inner: Backend, counts: RequestCounts) -> None:
        super().__init__(inner)
        self._counts = counts

    def list(self, prefix: str = "", *, start_after: str | None = None, prune: Prune | None = None) -> Iterator[Page]:
        """Count each page that comes, and the request that fails or finds nothing."""
        pages = 0
        try:
            for page in self.inner.list(prefix, start_after=start_after, prune=prune):
                pages += 1
                self._counts.add("list")
                yield page
        except BackendError:
            self._counts.add("list")
            raise
        if not pages:
            self._counts.add("list")

    def stat(self, key: str) -> ObjectInfo:
        """Count one stat."""
        self._counts.add("stat")
        return self.inner.stat(key)

    def get(
        self, key: str, *, byte_range: ByteRange | None = None, if_match: Version | None = None
    ) -> AbstractContextManager[ObjectReader]:
        """Count one get."""
        self._counts.add("get")
        return self.inner.get(key, byte_range=byte_range, if_match=if_match)

    def read(self, key: str, limit: int) -> ObjectReader | None:
        """Count one get."""
        self._counts.add("get")
        return self.inner.read(key, limit)

    def put(
        self,
        key: str,
        body: Body,
        *,
        attributes: Attributes = NO_ATTRIBUTES,
        condition: PutCondition = ALWAYS,
    ) -> ObjectInfo:
        """Count one put."""
        self._counts.add("put")
        return self.inner.put(key, body, attributes=attributes, condition=condition)

    def delete(self, key: str, *, if_match: Version | None = None) -> None:
        """Count one delete."""
        self._counts.add("delete")
        self.inner.delete(key, if_match=if_match)

    def delete_many(self, items: Sequence[tuple[str, Version | None]]) -> Iterator[DeleteResult]:
        """Count one delete for each batch of `bulk_delete_max` keys."""
        batch = max(1, self.capabilities.bulk_delete_max)
        self._counts.add("delete", -(-len(items) // batch))
        return self.inner.delete_many(items)

    def copy(
        self,
        source: Backend,
        info: ObjectInfo,
        key: str,
        *,
        attributes: Attributes | None = None,
        condition: PutCondition = ALWAYS,
    ) -> ObjectInfo:
        """Count one copy."""
        self._counts.add("copy")
        return super().copy(source, info, key, attributes=attributes, condition=condition)
