"""What a bucket holds, and how it looks in a listing: written by clients, or rendered once and for all."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol
from xml.sax.saxutils import escape

DATE = "2026-01-01T00:00:00.000Z"
"""When every object was last modified; files that clients compare with objects are given the same time."""

Show = Callable[[str], str]
"""Writes a key into XML: escaped, or percent-encoded where the client asked for that."""


def percent_encoded(key: str) -> str:
    """Return `key` as `encoding-type=url` shows it."""
    return urllib.parse.quote(key, safe="/")


def md5(data: bytes) -> str:
    """Return the MD5 in hexadecimal: the ETag of what was written in one piece."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


@dataclasses.dataclass(frozen=True, slots=True)
class Stored:
    """One object; `body` is `None` where there is nothing behind the listing."""

    size: int
    etag: str
    body: bytes | None
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)


class Bucket(Protocol):
    """Objects in key order."""

    @property
    def keys(self) -> Sequence[str]:
        """The keys in their order."""

    def rows(self, first: int, last: int, show: Show) -> bytes:
        """Return the `Contents` elements of the keys from `first` up to but not including `last`."""

    def get(self, key: str) -> Stored | None:
        """Return an object."""


class Written:
    """What clients have written, in memory."""

    def __init__(self) -> None:
        self._objects: dict[str, Stored] = {}
        self._order: list[str] | None = []

    @property
    def keys(self) -> Sequence[str]:
        if self._order is None:
            self._order = sorted(self._objects)
        return self._order

    def rows(self, first: int, last: int, show: Show) -> bytes:
        keys = self.keys[first:last]
        return "".join(_row(show(key), self._objects[key].size, self._objects[key].etag) for key in keys).encode()

    def get(self, key: str) -> Stored | None:
        return self._objects.get(key)

    def store(self, key: str, stored: Stored) -> None:
        if key not in self._objects:
            self._order = None
        self._objects[key] = stored

    def remove(self, key: str) -> None:
        if self._objects.pop(key, None) is not None:
            self._order = None

    def load(self, directory: Path) -> None:
        """Take in every file under `directory`."""
        for path in directory.rglob("*"):
            if path.is_file():
                data = path.read_bytes()
                self.store(path.relative_to(directory).as_posix(), Stored(len(data), md5(data), data))

    def contents(self) -> dict[str, str]:
        """Return the MD5 of every object's bytes, by key."""
        return {key: md5(stored.body or b"") for key, stored in self._objects.items()}


class Names(Sequence[str]):
    """Keys that are made when somebody asks: 1,000 to a folder, all of one length, so their numbers are their order."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number):  # type: ignore[no-untyped-def] # slices are never asked for
        if not 0 <= number < self._count:
            raise IndexError(number)
        return f"folder-{number // 1000:06d}/object-{number:09d}.bin"


class Rendered:
    """Objects that are nothing but their listing, which is one piece of memory; any page is a slice of it."""

    SIZE = 4096

    def __init__(self, count: int) -> None:
        self.keys = Names(count)
        # No character of these keys is written differently in any encoding.
        self._rows = "".join(_row(key, self.SIZE, md5(key.encode())) for key in self.keys).encode()
        self._width = len(self._rows) // count if count else 0

    def rows(self, first: int, last: int, show: Show) -> bytes:
        del show
        return self._rows[first * self._width : last * self._width]

    def get(self, key: str) -> Stored | None:
        number = key[-13:-4]
        known = number.isdecimal() and int(number) < len(self.keys) and self.keys[int(number)] == key
        return Stored(self.SIZE, md5(key.encode()), None) if known else None


@functools.lru_cache
def rendered(count: int) -> Rendered:
    """Return a rendered bucket; two of one size are the same bytes."""
    return Rendered(count)


def _row(key: str, size: int, etag: str) -> str:
    return (
        f"<Contents><Key>{key}</Key><LastModified>{DATE}</LastModified><ETag>&quot;{etag}&quot;</ETag>"
        f"<Size>{size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
    )


def shown_by(encoding: str) -> Show:
    """Return how keys are written for the value of `encoding-type`."""
    return percent_encoded if encoding == "url" else escape
