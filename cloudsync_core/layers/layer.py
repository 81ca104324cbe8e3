"""The base of every layer: a backend that hands everything to the backend it wraps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager

from cloudsync_core.backend import NO_ATTRIBUTES, Backend, Prune
from cloudsync_core.body import Body, ObjectReader
from cloudsync_core.capabilities import Capabilities
from cloudsync_core.models import (
    ALWAYS,
    Attributes,
    ByteRange,
    DeleteResult,
    Identity,
    ObjectInfo,
    Page,
    PutCondition,
    Version,
)
from cloudsync_core.unfinished import Leftover


class Layer(Backend):
    """A backend that does what `inner` does; subclasses override the verbs to which they add something.

    Args:
        inner: the backend that is wrapped; it is closed with the layer.
    """

    def __init__(self, inner: Backend) -> None:
        self.inner = inner
        self.location = inner.location

    @property
    def capabilities(self) -> Capabilities:
        """Those of the inner backend."""
        return self.inner.capabilities

    @property
    def identity(self) -> Identity:
        """That of the inner backend."""
        return self.inner.identity

    @property
    def boundaries(self) -> Sequence[int]:
        """Those of the inner backend."""
        return self.inner.boundaries

    def list(self, prefix: str = "", *, start_after: str | None = None, prune: Prune | None = None) -> Iterator[Page]:
        """Yield the inner backend's pages."""
        return self.inner.list(prefix, start_after=start_after, prune=prune)

    def stat(self, key: str) -> ObjectInfo:
        """Ask the inner backend."""
        return self.inner.stat(key)

    def get(
        self, key: str, *, byte_range: ByteRange | None = None, if_match: Version | None = None
    ) -> AbstractContextManager[ObjectReader]:
        """Open the inner backend's object."""
        return self.inner.get(key, byte_range=byte_range, if_match=if_match)

    def read(self, key: str, limit: int) -> ObjectReader | None:
        """Read the inner backend's object."""
        return self.inner.read(key, limit)

    def put(
        self,
        key: str,
        body: Body,
        *,
        attributes: Attributes = NO_ATTRIBUTES,
        condition: PutCondition = ALWAYS,
    ) -> ObjectInfo:
        """Write to the inner backend."""
        return self.inner.put(key, body, attributes=attributes, condition=condition)

    def delete(self, key: str, *, if_match: Version | None = None) -> None:
        """Delete from the inner backend."""
        self.inner.delete(key, if_match=if_match)

    def delete_many(self, items: Sequence[tuple[str, Version | None]]) -> Iterator[DeleteResult]:
        """Delete from the inner backend, by its own bulk request."""
        return self.inner.delete_many(items)

    def can_copy_from(self, source: Backend) -> bool:
        """Ask the inner backend about the innermost one of `source`."""
        return self.inner.can_copy_from(innermost(source))

    def copy(
        self,
        source: Backend,
        info: ObjectInfo,
        key: str,
        *,
        attributes: Attributes | None = None,
        condition: PutCondition = ALWAYS,
    ) -> ObjectInfo:
        """Have the inner backend copy from the innermost one of `source`."""
        return self.inner.copy(innermost(source), info, key, attributes=attributes, condition=condition)

    def probe(self, known: str | None = None) -> str | None:
        """Have the inner backend find out what its store can do."""
        return self.inner.probe(known)

    def leftovers(self, recorded: Sequence[tuple[str, str]] = ()) -> Iterator[Leftover]:
        """Yield what the inner backend finds."""
        return self.inner.leftovers(recorded)

    def discard(self, key: str, token: str) -> None:
        """Have the inner backend remove a leftover."""
        self.inner.discard(key, token)

    def check_key(self, key: str) -> None:
        """Apply the inner backend's rule."""
        self.inner.check_key(key)

    def close(self) -> None:
        """Close the inner backend."""
        self.inner.close()


def innermost(backend: Backend) -> Backend:
    """Return the backend below every layer: the one that a plugin made and recognises as its own."""
    while isinstance(backend, Layer):
        backend = backend.inner
    return backend
