"""The values that flow between backends, engine and plugins: small, frozen, without behaviour of their own."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Literal

_NO_METADATA: Mapping[str, str] = MappingProxyType({})


@dataclasses.dataclass(frozen=True, slots=True)
class Version:
    """What a provider calls one version of an object.

    Attributes:
        etag: opaque change token, without quotes, or `None`.
        id: the provider's version identifier (a version id, a generation), or `None`.
    """

    etag: str | None = None
    id: str | None = None

    def __bool__(self) -> bool:
        return self.etag is not None or self.id is not None


@dataclasses.dataclass(frozen=True, slots=True)
class Digest:
    """A content hash with its algorithm.

    Attributes:
        algorithm: "md5", "sha256", "crc32c", or "md5/N": the MD5 of the MD5s of parts of N bytes.
        value: lower-case hexadecimal.
    """

    algorithm: str
    value: str

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.value}"

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Return the digest that `str` printed."""
        algorithm, _, value = text.partition(":")
        return cls(algorithm, value)


@dataclasses.dataclass(frozen=True, slots=True)
class ByteRange:
    """The bytes from `start` up to but not including `end`; `end=None` means up to the last one."""

    start: int
    end: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Attributes:
    """What an object carries beside its bytes.

    Attributes:
        content_type: a media type, or `None` where none is known.
        cache_control: the header of that name; likewise the following three.
        mtime_ns: when the content was last modified at its origin: nanoseconds since the epoch, UTC. It
            travels with the object through every backend that can store it.
        metadata: the user's own metadata. Names are lower-case.
    """

    content_type: str | None = None
    cache_control: str | None = None
    content_encoding: str | None = None
    content_disposition: str | None = None
    content_language: str | None = None
    mtime_ns: int | None = None
    metadata: Mapping[str, str] = dataclasses.field(default_factory=lambda: _NO_METADATA)


@dataclasses.dataclass(frozen=True, slots=True)
class ObjectInfo:
    """One object as a backend describes it.

    Attributes:
        key: exact name, relative to the backend's root.
        size: bytes.
        fingerprint: a cheap value that changes whenever the content does; never compared across backends.
            The empty string means "cannot tell": it equals nothing, not even itself.
        modified_ns: when the provider last wrote the object: nanoseconds since the epoch, UTC.
        version: what conditions of put, get and delete refer to.
        digests: content hashes that the provider reports.
        attributes: `None` where the backend did not look (most listings), else what the object carries.
    """

    key: str
    size: int
    fingerprint: str
    modified_ns: int
    version: Version = Version()
    digests: tuple[Digest, ...] = ()
    attributes: Attributes | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Gap:
    """Something that a listing saw and cannot present as an object.

    A key in a gap is *unknown*: it is neither copied nor deleted nor overwritten on the other side (P10).

    Attributes:
        key: the name, as printable text where it is no valid key.
        reason: why, in words for the user.
        subtree: whether everything below `key/` is unknown too.
        kind: "skipped" for what the rules leave out (a symlink, a socket), "unknown" for what went wrong
            (an unreadable directory, an undecodable name).
    """

    key: str
    reason: str
    subtree: bool = False
    kind: Literal["skipped", "unknown"] = "unknown"


class Page:
    """Some consecutive objects of a listing, as parallel columns, in key order.

    Two pages that are equal are compared column by column in C; `page[i]` builds the `ObjectInfo` of one row
    only when somebody asks for it. Iterating yields every row as an `ObjectInfo`.

    Args:
        keys: strictly ascending where the backend lists in order.
        sizes: bytes, one a key.
        fingerprints: one a key; see `ObjectInfo.fingerprint`.
        row: returns the full entry of the row of that index.
        gaps: what was met on the way here and cannot be presented as an object. In an ordered listing a gap comes no
            later than the first key after it, on a page of its own where no key follows.
        listed_at: when the store told this, in seconds of the monotonic clock; now, unless given.
    """

    __slots__ = ("_row", "fingerprints", "gaps", "keys", "listed_at", "sizes")

    def __init__(
        self,
        keys: Sequence[str],
        sizes: Sequence[int],
        fingerprints: Sequence[str],
        row: Callable[[int], ObjectInfo],
        gaps: tuple[Gap, ...] = (),
        *,
        listed_at: float | None = None,
    ) -> None:
        if not len(keys) == len(sizes) == len(fingerprints):
            raise ValueError("the columns of a page have different lengths")
        self.keys = keys
        self.sizes = sizes
        self.fingerprints = fingerprints
        self._row = row
        self.gaps = gaps
        self.listed_at = time.monotonic() if listed_at is None else listed_at

    @classmethod
    def of(cls, entries: Sequence[ObjectInfo], gaps: tuple[Gap, ...] = (), *, listed_at: float | None = None) -> Page:
        """Return a page of `entries`, for backends that have nothing faster."""
        return cls(
            [entry.key for entry in entries],
            [entry.size for entry in entries],
            [entry.fingerprint for entry in entries],
            entries.__getitem__,
            gaps,
            listed_at=listed_at,
        )

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, index: int) -> ObjectInfo:
        return self._row(index)

    def __iter__(self) -> Iterator[ObjectInfo]:
        return map(self._row, range(len(self.keys)))

    def __repr__(self) -> str:
        return f"<Page of {len(self.keys)} objects, {len(self.gaps)} gaps>"

    def select(self, wanted: Sequence[int], gaps: tuple[Gap, ...]) -> Page:
        """Return the page of the rows whose indexes are `wanted`, in that order, with these gaps."""
        row = self._row
        return Page(
            [self.keys[index] for index in wanted],
            [self.sizes[index] for index in wanted],
            [self.fingerprints[index] for index in wanted],
            lambda index: row(wanted[index]),
            gaps,
            listed_at=self.listed_at,
        )


@dataclasses.dataclass(frozen=True, slots=True)
class PutCondition:
    """What must hold at the target for a put to take effect; checked by the provider, atomically."""


@dataclasses.dataclass(frozen=True, slots=True)
class Always(PutCondition):
    """No condition: the put replaces whatever is there."""


@dataclasses.dataclass(frozen=True, slots=True)
class IfAbsent(PutCondition):
    """There is no object of that key (needs `Capabilities.put_if_absent`)."""


@dataclasses.dataclass(frozen=True, slots=True)
class IfMatch(PutCondition):
    """The object is this version (needs `Capabilities.put_if_match`)."""

    version: Version


ALWAYS = Always()
IF_ABSENT = IfAbsent()


@dataclasses.dataclass(frozen=True, slots=True)
class DeleteResult:
    """What became of one key of a bulk delete (clause D3): `error` is `None` when it is gone."""

    key: str
    error: Exception | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Identity:
    """Where a backend really is, so that two spellings of one place are recognised.

    Attributes:
        namespace: the store: a scheme with its endpoint or host.
        root: the place in it, segments separated and ended by `/`.
    """

    namespace: str
    root: str

    def __str__(self) -> str:
        return f"{self.namespace} {self.root}"

    def overlaps(self, other: Identity) -> bool:
        """Tell whether one of the two places is, or lies inside, the other."""
        return self.namespace == other.namespace and (
            self.root.startswith(other.root) or other.root.startswith(self.root)
        )
