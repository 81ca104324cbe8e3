"""The parts of an upload: how large, how many at a time, and how content is cut into them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from cloudsync_core.body import Body

_MIB = 1024 * 1024

LARGE_OBJECT = 256 * _MIB
LARGE_PART = 16 * _MIB
"""From `LARGE_OBJECT` on parts have at least so many bytes, so that what a request costs is no longer seen."""

BYTES_IN_FLIGHT = 64 * _MIB
"""Bytes of one upload that are on their way at a time, unless two parts have more."""

_MOST_IN_FLIGHT = 4
_LEAST_IN_FLIGHT = 2
_FEW_PIECES = 256


def part_size(size: int, wanted: int, most: int) -> int:
    """Return the bytes of each part of an object: `wanted`, or more where the object is large.

    More than `LARGE_PART` only where that would be too many parts.

    Args:
        size: bytes of the object.
        wanted: bytes of a part.
        most: parts that an object may have.
    """
    if size >= LARGE_OBJECT:
        wanted = max(wanted, LARGE_PART)
    least = -(-size // most)
    return wanted if least <= wanted else -(-least // _MIB) * _MIB


def part_size_of(body: Body, wanted: int, most: int) -> int:
    """Return the bytes of a part of some content; see `part_size`.

    Where the source's own digest is about parts that will do, it is the size of those, so that one digest is enough.
    Where nobody knows the size of the content, it is `wanted`.
    """
    if body.size is None:
        return wanted
    for digest in body.expected:
        algorithm, _, of_parts = digest.algorithm.partition("/")
        size = int(of_parts) if algorithm == "md5" and of_parts else 0
        if wanted <= size <= max(wanted, LARGE_PART) and body.size <= size * most:
            return size
    return part_size(body.size, wanted, most)


def in_flight(size: int) -> int:
    """Return how many parts of `size` bytes are on their way at a time."""
    return min(max(BYTES_IN_FLIGHT // size, _LEAST_IN_FLIGHT), _MOST_IN_FLIGHT)


def memory(size: int) -> int:
    """Return the bytes that an upload in parts of `size` bytes holds: those on their way, and one that is being cut."""
    return (in_flight(size) + 1) * size


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """A part of some content.

    Attributes:
        pieces: its bytes, in pieces of any size, which are not copied on their way.
        size: bytes.
        md5: of them, or nothing where whoever sends them computes it.
    """

    pieces: Sequence[bytes | memoryview]
    size: int
    md5: bytes


def cut(body: Body, size: int, *, hashed: bool = True) -> Iterator[Part]:
    """Yield the content of `body` in parts of exactly `size` bytes, the last one shorter unless it fits.

    Args:
        body: the content.
        size: bytes of a part.
        hashed: the body computes "md5/`size`", and so the MD5 of every part; otherwise `Part.md5` is empty.
    """
    held: list[bytes | memoryview] = []
    missing = size
    count = 0
    for chunk in body.chunks():
        view = memoryview(chunk)
        while len(view) >= missing:
            held.append(view[:missing])
            yield _part(held, size, body.part_md5(size, count) if hashed else b"")
            view = view[missing:]
            held, missing, count = [], size, count + 1
        if view:
            held.append(view)
            missing -= len(view)
    if held:
        yield _part(held, size - missing, body.part_md5(size, count) if hashed else b"")


def until(parts: Iterator[Part], limit: int) -> Iterator[Part]:
    """Yield parts until there are more than `limit` bytes of them: content that may be small enough for one request.

    Args:
        parts: from `cut`; the rest can be taken from it afterwards.
        limit: bytes.
    """
    total = 0
    for part in parts:
        total += part.size
        yield part
        if total > limit:
            return


def _part(pieces: list[bytes | memoryview], size: int, md5: bytes) -> Part:
    # Thousands of small pieces would cost more to send one by one than to put together.
    together = pieces if len(pieces) <= _FEW_PIECES else [b"".join(pieces)]
    return Part(together, size, md5)
