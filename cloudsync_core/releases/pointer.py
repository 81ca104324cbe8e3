"""Pointers: the small objects that say which release readers see."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from typing import Any, Final, Self

from cloudsync_core.backend import Backend
from cloudsync_core.engine.verification import named
from cloudsync_core.errors import ManifestError, ObjectNotFoundError
from cloudsync_core.layers.retry import RetryPolicy
from cloudsync_core.models import Digest, ObjectInfo
from cloudsync_core.releases.fields import WrongFieldError, check_format, digest, field, parse
from cloudsync_core.releases.names import (
    FORMAT,
    is_id,
    manifest_of,
    parse_timestamp,
    pointer_key,
    pointer_of,
    timestamp,
)

LONGEST: Final = 64 * 1024
"""Bytes of a pointer at most; more is none."""

REMEMBERED: Final = 20
"""Releases that a pointer remembers having named."""


@dataclasses.dataclass(frozen=True, slots=True)
class Pointer:
    """What a pointer says.

    Attributes:
        name: its own.
        release: the release that is live.
        manifest: the key of its manifest.
        digest: of the manifest's object.
        moved: when it came to point there, as the publisher's clock said: seconds since the epoch, UTC.
        by: who moved it.
        previous: the releases that it named before, without this one, the latest first.
    """

    name: str
    release: str
    manifest: str
    digest: Digest
    moved: float
    by: str
    previous: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """Return the object's content."""
        values: dict[str, Any] = {
            "format": FORMAT,
            "release": self.release,
            "manifest": self.manifest,
            "digest": str(self.digest),
            "moved": timestamp(self.moved),
            "by": self.by,
            "previous": list(self.previous),
        }
        return json.dumps(values, ensure_ascii=False, indent=1).encode() + b"\n"

    @classmethod
    def decode(cls, name: str, content: bytes, what: str) -> Self:
        """Return the pointer that `encode` wrote.

        Args:
            name: the pointer's.
            content: the object's.
            what: names it in messages.

        Raises:
            UnsupportedFormatError: a newer cloudsync has written it.
            WrongFieldError: it is none.
        """
        values = parse(content)
        check_format(values, what)
        release, manifest = field(values, "release", str), field(values, "manifest", str)
        if not is_id(release) or manifest_of(manifest) != release:
            raise WrongFieldError("'release' and 'manifest' do not name a release")
        previous = field(values, "previous", list)
        if not all(isinstance(one, str) and is_id(one) for one in previous):
            raise WrongFieldError("'previous' holds something else than releases")
        try:
            moved = parse_timestamp(field(values, "moved", str))
        except ValueError as error:
            raise WrongFieldError("'moved' is no time") from error
        by = field(values, "by", str)
        return cls(name, release, manifest, digest(values, "digest"), moved, by, tuple(previous[:REMEMBERED]))

    def remembers(self, release: str) -> tuple[str, ...]:
        """Return `previous` of the pointer that comes after this one and names `release`."""
        earlier = [one for one in (self.release, *self.previous) if one != release]
        return tuple(dict.fromkeys(earlier))[:REMEMBERED]


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """A pointer as it was read.

    Attributes:
        pointer: what it said.
        info: the object that said it.
        content: the object's bytes.
    """

    pointer: Pointer
    info: ObjectInfo
    content: bytes


def read(backend: Backend, name: str) -> Seen | None:
    """Return a pointer, or `None` where there is none yet; one GET.

    Args:
        backend: the location of the releases.
        name: the pointer's.

    Raises:
        ConfigError: no pointer can be called so.
        ManifestError: what is there is no pointer.
        UnsupportedFormatError: a newer cloudsync has written it.
        BackendError: it cannot be read.
    """
    key = pointer_key(name)
    what = f"the pointer {backend.location}/{key}"
    try:
        found = stored(backend, key)
    except ObjectNotFoundError:
        return None
    try:
        return _seen(name, found, what)
    except WrongFieldError as error:
        raise ManifestError(
            f"{what} is refused: {error}",
            hint="Move the object away, and point to a release again by `cloudsync release promote`.",
        ) from error


def stored(backend: Backend, key: str) -> tuple[ObjectInfo, bytes] | None:
    """Return an object that may be a pointer, with its content; `None` where it is larger than any.

    What arrives wrong is read again, which no layer does.

    Raises:
        BackendError: it cannot be read, or is not there.
    """

    def once() -> tuple[ObjectInfo, bytes] | None:
        reader = backend.read(key, LONGEST)
        with named(backend, key):
            return None if reader is None else (reader.info, reader.read())

    return RetryPolicy().call(once)


def _seen(name: str, found: tuple[ObjectInfo, bytes] | None, what: str) -> Seen:
    if found is None:
        raise WrongFieldError(f"it has more than {LONGEST} bytes")
    info, content = found
    return Seen(Pointer.decode(name, content, what), info, content)


def read_all(backend: Backend) -> Iterator[Seen]:
    """Yield every pointer of a location, in the order of their names.

    What lies beside them and is called like one without being one is left out, if it can be told.

    Raises:
        ManifestError: it cannot be told of an object whether it is a pointer.
        UnsupportedFormatError, BackendError: as of `read`.
    """
    for key in _at_top(backend):
        name = pointer_of(key)
        if name is None or _is_foreign(backend, key):
            continue
        if (seen := read(backend, name)) is not None:
            yield seen


def _at_top(backend: Backend) -> Iterator[str]:
    """Yield the keys of the objects beside the folders; an ordered store is asked only about what is there."""
    after: str | None = None
    ordered = backend.capabilities.ordered_listing and not backend.capabilities.hierarchical
    while True:
        folder = None
        for page in backend.list(start_after=after, prune=lambda _: True):
            for key in page.keys:
                first, slash, _ = key.partition("/")
                if not slash:
                    yield key
                elif ordered:
                    folder = first
                    break
            if folder is not None:
                break
        if folder is None:
            return
        # The first character after the slash: what begins so comes after everything in the folder.
        after = f"{folder}0"


def _is_foreign(backend: Backend, key: str) -> bool:
    """Tell whether an object that is called like a pointer is JSON of something else."""
    try:
        found = stored(backend, key)
    except ObjectNotFoundError:
        return True
    if found is None:
        return True
    try:
        values = json.loads(found[1])
    except (ValueError, RecursionError):
        return False
    return not isinstance(values, dict) or not {"release", "manifest"} <= values.keys()


def point(
    name: str, release: str, manifest: str, digest: Digest, *, before: Seen | None, now: float, by: str
) -> Pointer:
    """Return the pointer that comes after another one and names a release.

    Args:
        name: the pointer's.
        release: the release.
        manifest: the key of its manifest.
        digest: of the manifest's object.
        before: the pointer as it was read.
        now: seconds since the epoch, UTC.
        by: who moves it.
    """
    previous: Sequence[str] = () if before is None else before.pointer.remembers(release)
    return Pointer(name, release, manifest, digest, round(now, 6), by, tuple(previous))
