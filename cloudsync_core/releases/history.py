"""The releases of a location: which there are, how they differ, and going from one to another."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from typing import Any, Literal

from cloudsync_core.backend import Backend
from cloudsync_core.errors import ManifestError, ObjectNotFoundError
from cloudsync_core.releases import manifest, moving, pointer
from cloudsync_core.releases.entries import Entry, headers
from cloudsync_core.releases.header import Header
from cloudsync_core.releases.manifest import Manifest
from cloudsync_core.releases.names import MANIFESTS, check_id, is_id, manifest_of, timestamp
from cloudsync_core.releases.verifying import verify


@dataclasses.dataclass(frozen=True, slots=True)
class Listed:
    """A release in an overview.

    Attributes:
        header: the first line of its manifest.
        pointers: the names of the pointers that name it.
    """

    header: Header
    pointers: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        values = dataclasses.asdict(self.header)
        values["bytes"] = values.pop("size")
        created, digest = timestamp(self.header.created), str(self.header.digest)
        return {**values, "created": created, "digest": digest, "pointers": list(self.pointers)}


@dataclasses.dataclass(frozen=True, slots=True)
class Difference:
    """A path by which two releases differ.

    Attributes:
        kind: "added" is in the second only, "removed" in the first only; "changed" has other content, "headers" the
            same content with other headers.
        path: the path.
        before: what the first has.
        after: what the second has.
    """

    kind: Literal["added", "removed", "changed", "headers"]
    path: str
    before: Entry | None
    after: Entry | None


def releases(backend: Backend) -> Iterator[Listed]:
    """Yield every release of a location, the oldest first.

    Raises:
        ManifestError, UnsupportedFormatError: one cannot be read.
        BackendError: the store cannot be asked.
    """
    named: dict[str, list[str]] = {}
    for seen in pointer.read_all(backend):
        named.setdefault(seen.pointer.release, []).append(seen.pointer.name)
    for key in sorted(key for page in backend.list(MANIFESTS) for key in page.keys if manifest_of(key) is not None):
        try:
            header = manifest.header(backend, key)
        except ObjectNotFoundError:
            # It was pruned meanwhile.
            continue
        yield Listed(header, tuple(named.get(header.release, ())))


def opened(backend: Backend, release: str) -> Manifest:
    """Return the manifest of a release, named by its id or by a pointer; close it.

    Raises:
        ConfigError: it can be neither.
        ManifestError: there is none, or it cannot be used.
        UnsupportedFormatError, BackendError: likewise.
    """
    if is_id(release):
        return manifest.read(backend, release)
    named = seen(backend, release).pointer
    return manifest.read(backend, named.release, key=named.manifest, expected=named.digest)


def seen(backend: Backend, name: str) -> pointer.Seen:
    """Return a pointer that has to be there.

    Raises:
        ManifestError: it is not.
        ConfigError, UnsupportedFormatError, BackendError: as of `pointer.read`.
    """
    found = pointer.read(backend, name)
    if found is None:
        raise ManifestError(
            f"{backend.location} has no pointer {name!r}: nothing was published by that name yet",
            hint="Publish by `cloudsync release create SOURCE LOCATION`; `cloudsync release ls` shows what there is.",
        )
    return found


def diff(before: Manifest, after: Manifest) -> Iterator[Difference]:
    """Yield the paths by which two releases differ, in their order; modification times are left out."""
    first, second = before.entries(), after.entries()
    one, other = next(first, None), next(second, None)
    while one is not None or other is not None:
        if other is None or (one is not None and one.path < other.path):
            assert one is not None
            yield Difference("removed", one.path, one, None)
            one = next(first, None)
        elif one is None or other.path < one.path:
            yield Difference("added", other.path, None, other)
            other = next(second, None)
        else:
            if (one.digest, one.size) != (other.digest, other.size):
                yield Difference("changed", one.path, one, other)
            elif headers(one.attributes) != headers(other.attributes):
                yield Difference("headers", one.path, one, other)
            one, other = next(first, None), next(second, None)


def rollback(backend: Backend, name: str, *, by: str, to: str | None = None) -> pointer.Pointer:
    """Move a pointer back, and return what it says then.

    Without `to` it goes to the release that it named last among those that are older than the one it names, so that
    going back twice goes back by two.

    Args:
        backend: the location of the releases; it knows by now what its store can do.
        name: the pointer's.
        by: who does it.
        to: the release to go back to.

    Raises:
        ManifestError: there is nothing to go back to, or it is not complete; the pointer is where it was.
        ReleaseConflictError: somebody else has moved it meanwhile.
        ConfigError, UnsupportedFormatError, BackendError: likewise.
    """
    before = seen(backend, name)
    if to is None:
        older = (one for one in before.pointer.previous if one < before.pointer.release)
        to = next(older, None)
        if to is None:
            raise ManifestError(
                f"the pointer {name!r} of {backend.location} named no release before {before.pointer.release}",
                hint="Name the release to go back to; `cloudsync release ls` shows those that there are.",
            )
    return _point(backend, name, check_id(to), before, by)


def promote(backend: Backend, release: str, name: str, *, by: str) -> pointer.Pointer:
    """Let a pointer name the release that another one names, or a release by its id, and return what it says then.

    Args:
        backend: the location of the releases; it knows by now what its store can do.
        release: the other pointer, or the release.
        name: the pointer that is moved; it is made where there is none.
        by: who does it.

    Raises:
        ManifestError: the release is not there or not complete; the pointer is where it was.
        ReleaseConflictError: somebody else has moved the pointer meanwhile.
        ConfigError, UnsupportedFormatError, BackendError: likewise.
    """
    before = pointer.read(backend, name)
    wanted = release if is_id(release) else seen(backend, release).pointer.release
    return _point(backend, name, wanted, before, by)


def _point(backend: Backend, name: str, release: str, before: pointer.Seen | None, by: str) -> pointer.Pointer:
    if before is not None and before.pointer.release == release:
        return before.pointer
    with manifest.read(backend, release) as found:
        fault = next(verify(backend, found), None)
        if fault is not None:
            raise ManifestError(
                f"release {release} of {backend.location} is not complete: {fault.key}: {fault.reason}; "
                f"the pointer {name!r} was not moved",
                hint="`cloudsync release verify` shows everything that is missing.",
            )
        new = pointer.point(name, release, found.key, found.digest, before=before, now=time.time(), by=by)
    moving.move(backend, new, before)
    return new
