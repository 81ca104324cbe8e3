"""The parts of an upload: how large, how many at a time, and how content is cut into them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from cloudsync_core.body import Body
from cloudsync_s3.config import MIB

MOST_PARTS = 10_000
"""Parts of one upload (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html)."""

LARGE_OBJECT = 256 * MIB
LARGE_PART = 16 * MIB
"""From `LARGE_OBJECT` on parts have at least so many bytes, so that what a request costs is no longer seen."""

BYTES_IN_FLIGHT = 64 * MIB
"""Bytes of one upload that are on their way at a time, unless two parts have more."""

_MOST_IN_FLIGHT = 4
_LEAST_IN_FLIGHT = 2
_FEW_PIECES = 256


def part_size(size: int, wanted: int) -> int:
    """Return the bytes of each part of an object of `size` bytes: `wanted`, or more where the object is large.

    More than `LARGE_PART` only where that would be too many parts: from 156 GiB on.
    """
    if size >= LARGE_OBJECT:
        wanted = max(wanted, LARGE_PART)
    least = -(-size // MOST_PARTS)
    return wanted if least <= wanted else -(-least // MIB) * MIB


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
        md5: of them.
    """

    pieces: Sequence[bytes | memoryview]
    size: int
    md5: bytes


def cut(body: Body, size: int) -> Iterator[Part]:
    """Yield the content of `body` in parts of exactly `size` bytes, the last one shorter unless it fits.

    The body computes "md5/`size`", and so the MD5 of every part.
    """
    held: list[bytes | memoryview] = []
    missing = size
    count = 0
    for chunk in body.chunks():
        view = memoryview(chunk)
        while len(view) >= missing:
            held.append(view[:missing])
            yield _part(body, size, count, held, size)
            view = view[missing:]
            held, missing, count = [], size, count + 1
        if view:
            held.append(view)
            missing -= len(view)
    if held:
        yield _part(body, size, count, held, size - missing)


def _part(body: Body, part: int, index: int, pieces: list[bytes | memoryview], size: int) -> Part:
    # Thousands of small pieces would cost more to send one by one than to put together.
    together = pieces if len(pieces) <= _FEW_PIECES else [b"".join(pieces)]
    return Part(together, size, body.part_md5(part, index))
