"""A layer that takes a folder of a backend for the whole of it."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence

from cloudsync_core import keys
from cloudsync_core.backend import NO_ATTRIBUTES, Backend, Prune
from cloudsync_core.body import Body, ObjectReader
from cloudsync_core.errors import BackendError
from cloudsync_core.layers.layer import Layer, innermost
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


class Below(Layer):
    """The objects under a folder, by their keys relative to it.

    It is the outermost layer: what it wraps may be wrapped itself, and is not closed with it.

    Args:
        inner: the backend.
        folder: one or more whole segments, without trailing slash.
    """

    def __init__(self, inner: Backend, folder: str) -> None:
        super().__init__(inner)
        self.location = f"{inner.location.rstrip('/')}/{folder}"
        self._folder = folder
        self.begin = keys.folder(folder)

    @property
    def identity(self) -> Identity:
        """The folder's place."""
        outer = self.inner.identity
        return Identity(outer.namespace, f"{outer.root}{self.begin}")

    def list(self, prefix: str = "", *, start_after: str | None = None, prune: Prune | None = None) -> Iterator[Page]:
        """Yield what is under the folder."""
        skipped = len(self.begin)
        wanted = None if prune is None else lambda folder: prune(folder[skipped:])
        after = None if start_after is None else self.begin + start_after
        with self._named():
            for page in self.inner.list(self._at(prefix) if prefix else self._folder, start_after=after, prune=wanted):
                # The folder's own marker is no object in it.
                own = self._page(page)
                yield own if "" not in own.keys[:1] else own.select(range(1, len(own)), own.gaps)

    def stat(self, key: str) -> ObjectInfo:
        """Return what the object is."""
        with self._named():
            return self._own(self.inner.stat(self._at(key)))

    @contextlib.contextmanager
    def get(
        self, key: str, *, byte_range: ByteRange | None = None, if_match: Version | None = None
    ) -> Iterator[ObjectReader]:
        """Open the object."""
        with self._named(), self.inner.get(self._at(key), byte_range=byte_range, if_match=if_match) as reader:
            reader.info = self._own(reader.info)
            yield reader

    def read(self, key: str, limit: int) -> ObjectReader | None:
        """Read the object."""
        with self._named():
            reader = self.inner.read(self._at(key), limit)
        if reader is not None:
            reader.info = self._own(reader.info)
        return reader

    def put(
        self,
        key: str,
        body: Body,
        *,
        attributes: Attributes = NO_ATTRIBUTES,
        condition: PutCondition = ALWAYS,
    ) -> ObjectInfo:
        """Write the object."""
        with self._named():
            return self._own(self.inner.put(self._at(key), body, attributes=attributes, condition=condition))

    def delete(self, key: str, *, if_match: Version | None = None) -> None:
        """Remove the object."""
        with self._named():
            self.inner.delete(self._at(key), if_match=if_match)

    def delete_many(self, items: Sequence[tuple[str, Version | None]]) -> Iterator[DeleteResult]:
        """Remove the objects."""
        with self._named():
            for result in self.inner.delete_many([(self._at(key), version) for key, version in items]):
                if isinstance(result.error, BackendError):
                    self._name(result.error)
                yield DeleteResult(self._relative(result.key), result.error)

    def copy(
        self,
        source: Backend,
        info: ObjectInfo,
        key: str,
        *,
        attributes: Attributes | None = None,
        condition: PutCondition = ALWAYS,
    ) -> ObjectInfo:
        """Copy inside the provider; the source may be a folder, too."""
        there = dataclasses.replace(info, key=_begin(source) + info.key)
        with self._named():
            return self._own(
                self.inner.copy(innermost(source), there, self._at(key), attributes=attributes, condition=condition)
            )

    def leftovers(self, recorded: Sequence[tuple[str, str]] = ()) -> Iterator[Leftover]:
        """Yield what lies under the folder."""
        for found in self.inner.leftovers([(self._at(key), token) for key, token in recorded]):
            if found.key.startswith(self.begin):
                yield dataclasses.replace(found, key=self._relative(found.key))

    def discard(self, key: str, token: str) -> None:
        """Remove a leftover."""
        self.inner.discard(self._at(key), token)

    def check_key(self, key: str) -> None:
        """Apply the inner backend's rule to the whole key."""
        with self._named():
            self.inner.check_key(self._at(key))

    def close(self) -> None:
        """Leave the inner backend open: it is somebody else's."""

    def _at(self, key: str) -> str:
        # Nothing is no key, and would become that of the folder itself.
        return self.begin + key if key else ""

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except BackendError as error:
            self._name(error)
            raise

    def _name(self, error: BackendError) -> None:
        if error.location == self.inner.location:
            error.location = self.location
            error.key = None if error.key is None else self._relative(error.key)

    def _relative(self, key: str) -> str:
        return key.removeprefix(self.begin)

    def _own(self, info: ObjectInfo) -> ObjectInfo:
        return dataclasses.replace(info, key=self._relative(info.key))

    def _page(self, page: Page) -> Page:
        gaps = tuple(dataclasses.replace(gap, key=self._relative(gap.key)) for gap in page.gaps)
        names = [self._relative(name) for name in page.keys]
        return Page(
            names,
            page.sizes,
            page.fingerprints,
            lambda index: self._own(page[index]),
            gaps,
            listed_at=page.listed_at,
        )


def _begin(backend: Backend) -> str:
    """Return what the keys of a backend have to begin with for the innermost one."""
    begin = ""
    while isinstance(backend, Layer):
        if isinstance(backend, Below):
            begin = backend.begin + begin
        backend = backend.inner
    return begin
