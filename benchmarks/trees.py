"""Files to synchronise: the same bytes every time, different in every file."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import os
import random
from collections.abc import Mapping
from pathlib import Path

from benchmarks.measuring import WrongResultError
from benchmarks.synthetic.buckets import DATE

_PIECE = 1024 * 1024
_MTIME_NS = int(dt.datetime.fromisoformat(DATE).timestamp()) * 10**9
"""What the synthetic server says of its objects: for tools that compare times, equal."""


@dataclasses.dataclass(frozen=True)
class Tree:
    """A directory of equal-sized files, 100 to a folder.

    Attributes:
        root: the directory.
        files: how many.
        size: bytes of each.
        digests: the MD5 of each, by its path below `root`.
    """

    root: Path
    files: int
    size: int
    digests: Mapping[str, str]

    @classmethod
    def grow(cls, root: Path, files: int, size: int) -> Tree:
        """Write the files."""
        digests = {}
        for number in range(files):
            key = f"folder-{number // 100:04d}/file-{number:06d}.bin"
            path = root / key
            path.parent.mkdir(parents=True, exist_ok=True)
            digests[key] = _write(path, number, size)
        return cls(root, files, size, digests)

    def link(self, root: Path, *, files: int | None = None) -> Path:
        """Make `root` the same directory, or the first files of it, without copying a byte; return it."""
        for key in list(self.digests)[:files]:
            path = root / key
            path.parent.mkdir(parents=True, exist_ok=True)
            os.link(self.root / key, path)
        return root

    def change(self, root: Path, *, files: int) -> dict[str, str]:
        """Write other bytes into some files of a directory that `link` has made; return their new digests."""
        digests = {}
        for number, key in enumerate(list(self.digests)[:: max(1, self.files // files)][:files], self.files):
            (root / key).unlink()
            digests[key] = _write(root / key, number, self.size)
            os.utime(root / key, ns=(_MTIME_NS + 1_000_000_000, _MTIME_NS + 1_000_000_000))
        return digests


def digests_below(root: Path) -> dict[str, str]:
    """Return the MD5 of every file below `root`, by its path there."""
    return {path.relative_to(root).as_posix(): _digest(path) for path in sorted(root.rglob("*")) if path.is_file()}


def expect(found: Mapping[str, str], wanted: Mapping[str, str]) -> None:
    """Raise `WrongResultError` unless every object is there with its content, and no other."""
    missing = wanted.keys() - found.keys()
    surplus = found.keys() - wanted.keys()
    differing = {key for key in wanted.keys() & found.keys() if wanted[key] != found[key]}
    for what, keys in (("are missing", missing), ("should not be there", surplus), ("have other bytes", differing)):
        if keys:
            raise WrongResultError(f"{len(keys)} objects {what}, for instance {min(keys)}")


def _write(path: Path, seed: int, size: int) -> str:
    source = random.Random(seed)
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("wb") as file:
        for start in range(0, size, _PIECE):
            piece = source.randbytes(min(_PIECE, size - start))
            digest.update(piece)
            file.write(piece)
    os.utime(path, ns=(_MTIME_NS, _MTIME_NS))
    return digest.hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()
