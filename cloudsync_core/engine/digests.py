"""Which digests of one content can be compared with each other."""

from __future__ import annotations

import hashlib

from cloudsync_core.models import Digest


def alike(first: Digest, second: Digest, size: int) -> tuple[Digest, Digest] | None:
    """Return both digests as ones of the same algorithm, or `None` when there is no way from one to the other.

    Args:
        first: of content of `size` bytes, that may differ from the other's.
        second: likewise.
        size: bytes.
    """
    if (changed := in_algorithm(first, second.algorithm, size)) is not None:
        return changed, second
    changed = in_algorithm(second, first.algorithm, size)
    return None if changed is None else (first, changed)


def in_algorithm(digest: Digest, algorithm: str, size: int) -> Digest | None:
    """Return the digest that another algorithm makes of the same content, or `None` when that cannot be told.

    An MD5 tells the MD5 of the MD5s of parts ("md5/N") where the content is a single part. Some stores know a small
    object by the one, others by the other, depending on how it got there.

    Args:
        digest: of the content.
        algorithm: the other one.
        size: bytes of the content.
    """
    if digest.algorithm == algorithm:
        return digest
    if size == 0 or not _is_of_one_part(algorithm, size):
        return None
    if digest.algorithm == "md5":
        return Digest(algorithm, hashlib.md5(bytes.fromhex(digest.value), usedforsecurity=False).hexdigest())
    return Digest(algorithm, digest.value) if _is_of_one_part(digest.algorithm, size) else None


def _is_of_one_part(algorithm: str, size: int) -> bool:
    name, _, part_size = algorithm.partition("/")
    return name == "md5" and part_size.isdecimal() and size <= int(part_size)
