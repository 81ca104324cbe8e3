"""Stores that say less, do less or fail more than `memory`, for the tests of what the engine makes of it."""

import contextlib
import dataclasses
import uuid

from cloudsync_core.backend import Backend
from cloudsync_core.backends.memory import MemoryBackend
from cloudsync_core.body import Body, ObjectReader
from cloudsync_core.errors import ObjectNotFoundError
from cloudsync_core.layers.layer import Layer
from cloudsync_core.location import Location
from cloudsync_core.models import Page
from tests.unit.layers.scripted import Scripted


def memory(name=None):
    """Return a container of its own, or that of a name."""
    return MemoryBackend(Location.parse(f"memory://{name or uuid.uuid4()}"))


def store(backend, key, data=b"content", **options):
    return backend.put(key, Body(data), **options)


def content(backend, key):
    with backend.get(key) as reader:
        return reader.read()


def contents(backend):
    """Return what is there, by key, but for what is deleted meanwhile."""
    found = {}
    for page in backend.list():
        for key in page.keys:
            with contextlib.suppress(ObjectNotFoundError):
                found[key] = content(backend, key)
    return found


def listed(backend):
    """Return what a listing tells, by key."""
    return {info.key: info for page in backend.list() for info in page}


class Shaped(Layer):
    """A store that tells what a test lets it tell.

    Args:
        inner: the store.
        listed: changes what a listing tells of an object.
        known: changes what every other answer tells of it.
        capabilities: replace those of the store.
    """

    def __init__(self, inner, *, listed=lambda info: info, known=lambda info: info, **capabilities):
        super().__init__(inner)
        self._listed = listed
        self._known = known
        self._capabilities = dataclasses.replace(inner.capabilities, **capabilities)

    @property
    def capabilities(self):
        return self._capabilities

    def check_key(self, key):
        Backend.check_key(self, key)

    def list(self, prefix="", *, start_after=None, prune=None):
        for page in self.inner.list(prefix, start_after=start_after, prune=prune):
            yield Page.of([self._listed(info) for info in page], page.gaps)

    def stat(self, key):
        return self._known(self.inner.stat(key))

    @contextlib.contextmanager
    def get(self, key, *, byte_range=None, if_match=None):
        with self.inner.get(key, byte_range=byte_range, if_match=if_match) as reader:
            yield ObjectReader(self._known(reader.info), reader.chunks(), reader.size)

    def read(self, key, limit):
        return Backend.read(self, key, limit)

    def put(self, key, body, **options):
        return self._known(self.inner.put(key, body, **options))

    def copy(self, source, info, key, **options):
        return self._known(self.inner.copy(source, info, key, **options))


def without_digests(info):
    return dataclasses.replace(info, digests=())


def bare(info):
    """What most listings tell: no attributes, no digests."""
    return dataclasses.replace(info, digests=(), attributes=None)


POOR = dict.fromkeys(["put_if_absent", "put_if_match", "delete_if_match", "server_copy", "local_reads"], False)


def plain(inner=None, **capabilities):
    """Return a store that knows no digests, no conditions and no copies."""
    return Shaped(inner or memory(), listed=bare, known=without_digests, **{**POOR, **capabilities})


class Watched(Scripted):
    """A scripted store that remembers under which conditions it was written."""

    def __init__(self, inner=None, **capabilities):
        super().__init__(inner or memory(), **capabilities)
        self.conditions = []

    def put(self, key, body, **options):
        self.conditions.append(options["condition"])
        return super().put(key, body, **options)

    def copy(self, source, info, key, **options):
        self.conditions.append(options["condition"])
        return super().copy(source, info, key, **options)

    def delete(self, key, *, if_match=None):
        self.conditions.append(if_match)
        super().delete(key, if_match=if_match)

    def delete_many(self, items):
        self.conditions.extend(version for _, version in items)
        return super().delete_many(items)


class Corrupting(Layer):
    """A store that says it took the first few puts and keeps other bytes.

    Args:
        inner: the store.
        puts: how many go wrong.
        spoil: what becomes of the bytes.
    """

    def __init__(self, inner, puts, spoil=lambda data: data[:-1] + b"?"):
        super().__init__(inner)
        self.puts = puts
        self.spoil = spoil

    def put(self, key, body, **options):
        data = body.read()
        if self.puts:
            self.puts -= 1
            data = self.spoil(data)
        return self.inner.put(key, Body(data), **options)
