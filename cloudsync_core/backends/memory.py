"""The `memory` backend: containers that live as long as the process, with every capability a provider can have."""

from __future__ import annotations

import bisect
import dataclasses
import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext

from cloudsync_core import keys
from cloudsync_core.backend import NO_ATTRIBUTES, Backend, Prune
from cloudsync_core.body import CHUNK_SIZE, Body, ObjectReader
from cloudsync_core.capabilities import Capabilities
from cloudsync_core.errors import (
    BackendError,
    ContainerNotFoundError,
    ObjectExistsError,
    ObjectNotFoundError,
    PreconditionFailedError,
    UnsupportedOperationError,
)
from cloudsync_core.location import Location
from cloudsync_core.models import (
    ALWAYS,
    Attributes,
    ByteRange,
    Digest,
    Identity,
    IfAbsent,
    IfMatch,
    ObjectInfo,
    Page,
    PutCondition,
    Version,
)
from cloudsync_core.options import BackendOptions

PAGE_SIZE = 1000
"""Objects in a page of a listing."""

_CAPABILITIES = Capabilities(
    ordered_listing=True,
    put_if_absent=True,
    put_if_match=True,
    delete_if_match=True,
    range_get=True,
    server_copy=True,
    user_metadata=True,
    stores_mtime=True,
    local_reads=True,
)


class MemoryOptions(BackendOptions):
    """Options of a `memory://` location.

    Attributes:
        create: whether a container that does not exist is made by the first put, and is empty until then. Without
            it, a missing container is an error (clause L2).
    """

    create: bool = True


@dataclasses.dataclass(frozen=True, slots=True)
class _Stored:
    """One version of an object; `md5` is of `data`."""

    data: bytes
    md5: Digest
    attributes: Attributes
    generation: int = dataclasses.field(default_factory=itertools.count(1).__next__)
    modified_ns: int = dataclasses.field(default_factory=time.time_ns)

    def info(self, key: str) -> ObjectInfo:
        return ObjectInfo(
            key=key,
            size=len(self.data),
            fingerprint=f"{self.md5.value}-{self.generation}",
            modified_ns=self.modified_ns,
            version=Version(etag=self.md5.value, id=str(self.generation)),
            digests=(self.md5,),
            attributes=self.attributes,
        )

    def matches(self, version: Version) -> bool:
        """Tell whether this is that version; a version that says nothing is that of no object."""
        return bool(version) and version.etag in {None, self.md5.value} and version.id in {None, str(self.generation)}


class _Container:
    """Objects by full name, kept in order. Whoever reads or changes it holds `lock`."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.objects: dict[str, _Stored] = {}
        self.names: list[str] = []

    def store(self, name: str, stored: _Stored) -> None:
        if name not in self.objects:
            bisect.insort(self.names, name)
        self.objects[name] = stored

    def remove(self, name: str) -> None:
        del self.objects[name]
        del self.names[bisect.bisect_left(self.names, name)]


_containers: dict[str, _Container] = {}
_containers_lock = threading.Lock()


class MemoryBackend(Backend):
    """`memory://container/prefix`: every instance in the process that names a container sees the same objects.

    Args:
        location: the container and prefix.
        options: see `MemoryOptions`.
    """

    def __init__(self, location: Location, options: MemoryOptions | None = None) -> None:
        self.location = str(location)
        self._name = location.container
        self._root = keys.folder(location.prefix)
        self._create = (options or MemoryOptions()).create

    @property
    def capabilities(self) -> Capabilities:
        """Everything but a folder tree and bulk deletes."""
        return _CAPABILITIES

    @property
    def identity(self) -> Identity:
        """The container's name and the prefix."""
        return Identity("memory", f"{self._name}/{self._root}")

    def list(self, prefix: str = "", *, start_after: str | None = None, prune: Prune | None = None) -> Iterator[Page]:
        """Yield the objects page by page; each page is a snapshot. See `Backend.list`."""
        del prune
        container = self._container("list")
        start = self._root + keys.folder(prefix)
        # The root's own marker, whose name is the root itself, is no object of this backend.
        after = max(self._root, "" if start_after is None else self._root + start_after)
        while container is not None:
            with container.lock:
                first = max(bisect.bisect_left(container.names, start), bisect.bisect_right(container.names, after))
                names = container.names[first : first + PAGE_SIZE]
                entries = [
                    container.objects[name].info(name[len(self._root) :]) for name in names if name.startswith(start)
                ]
            if entries:
                yield Page.of(entries)
            if len(entries) < PAGE_SIZE:
                return
            after = names[-1]

    def stat(self, key: str) -> ObjectInfo:
        """Return what the object is. See `Backend.stat`."""
        return self._find("stat", key).info(key)

    def get(
        self, key: str, *, byte_range: ByteRange | None = None, if_match: Version | None = None
    ) -> AbstractContextManager[ObjectReader]:
        """Open the object; the reader keeps the version it was opened on. See `Backend.get`."""
        stored = self._find("get", key)
        if if_match is not None and not stored.matches(if_match):
            raise self._error(PreconditionFailedError, "it is another version now", "get", key)
        data = memoryview(stored.data)
        if byte_range is not None:
            data = data[byte_range.start : byte_range.end]
        chunks = (bytes(data[at : at + CHUNK_SIZE]) for at in range(0, len(data), CHUNK_SIZE))
        return nullcontext(ObjectReader(stored.info(key), chunks, len(data)))

    def put(
        self,
        key: str,
        body: Body,
        *,
        attributes: Attributes = NO_ATTRIBUTES,
        condition: PutCondition = ALWAYS,
    ) -> ObjectInfo:
        """Store the object, with its MD5 as etag and digest. See `Backend.put`."""
        self.check_key(key)
        self._container("put")
        body.require("md5")
        data = body.read()
        return self._store("put", key, _Stored(data, body.digest("md5"), attributes), condition)

    def delete(self, key: str, *, if_match: Version | None = None) -> None:
        """Remove the object. See `Backend.delete`."""
        container = self._container("delete")
        if container is None or not key:
            return
        name = self._root + key
        with container.lock:
            stored = container.objects.get(name)
            if stored is None:
                return
            if if_match is not None and not stored.matches(if_match):
                raise self._error(PreconditionFailedError, "it is another version now", "delete", key)
            container.remove(name)

    def can_copy_from(self, source: Backend) -> bool:
        """Tell whether `source` is in this process's memory too."""
        return isinstance(source, MemoryBackend)

    def copy(
        self,
        source: Backend,
        info: ObjectInfo,
        key: str,
        *,
        attributes: Attributes | None = None,
        condition: PutCondition = ALWAYS,
    ) -> ObjectInfo:
        """Store the source's object under `key` here too. See `Backend.copy`."""
        if not self.can_copy_from(source):
            raise self._error(UnsupportedOperationError, f"there is no way to copy from {source.location}", "copy", key)
        self.check_key(key)
        self._container("copy")
        with source.get(info.key, if_match=info.version) as reader:
            carried = reader.info.attributes or NO_ATTRIBUTES
            copied = _Stored(reader.read(), reader.info.digests[0], carried if attributes is None else attributes)
        return self._store("copy", key, copied, condition)

    def _store(self, operation: str, key: str, new: _Stored, condition: PutCondition) -> ObjectInfo:
        container = self._container(operation) or self._made()
        name = self._root + key
        with container.lock:
            old = container.objects.get(name)
            if isinstance(condition, IfAbsent) and old is not None:
                raise self._error(ObjectExistsError, "there is an object of that name", operation, key)
            if isinstance(condition, IfMatch) and (old is None or not old.matches(condition.version)):
                raise self._error(PreconditionFailedError, "it is another version now", operation, key)
            container.store(name, new)
        return new.info(key)

    def _find(self, operation: str, key: str) -> _Stored:
        container = self._container(operation)
        # Without the test of the key, the root's own marker would answer to the empty one.
        stored = container.objects.get(self._root + key) if container is not None and key else None
        if stored is None:
            raise self._error(ObjectNotFoundError, "there is no such object", operation, key)
        return stored

    def _container(self, operation: str) -> _Container | None:
        """Return the container, or `None` for one that the first put may make."""
        container = _containers.get(self._name)
        if container is None and not self._create:
            raise ContainerNotFoundError(
                "there is no such container in this process",
                operation=operation,
                location=self.location,
                hint="open it with the option `create: true` to have the first put make it",
            )
        return container

    def _made(self) -> _Container:
        with _containers_lock:
            return _containers.setdefault(self._name, _Container())

    def _error(self, kind: type[BackendError], reason: str, operation: str, key: str) -> BackendError:
        return kind(reason, operation=operation, location=self.location, key=key)
