"""What is known of a tree on this machine: a record of the files that were put there, which lies beside the tree."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from cloudsync_core.errors import RunError, UnsupportedFormatError, printable
from cloudsync_core.models import Digest
from cloudsync_core.releases.entries import Entry
from cloudsync_core.releases.fields import (
    WrongFieldError,
    check_format,
    count,
    digest,
    field,
    optional,
    parse,
)
from cloudsync_core.releases.names import FORMAT

Value = TypeVar("Value")

_LONGEST: Final = 1024 * 1024
"""Bytes of a line of a record at most; a longer one ends what is believed of it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Put:
    """One file as it was put into a tree.

    Attributes:
        path: where it is in the tree.
        size: bytes.
        digest: of the content.
        mtime_ns: the modification time that the manifest tells, or `None`.
        found_ns: the one that the file had when it was in its place: file systems keep times as exactly as they can.
    """

    path: str
    size: int
    digest: Digest
    mtime_ns: int | None
    found_ns: int

    def is_of(self, entry: Entry) -> bool:
        """Tell whether a release has the same file."""
        same = (self.size, self.digest) == (entry.size, entry.digest)
        return same and self.mtime_ns == entry.attributes.mtime_ns

    def is_still(self, size: int, mtime_ns: int) -> bool:
        """Tell whether a file of that size and modification time is the one that was put there."""
        return (size, mtime_ns) == (self.size, self.found_ns)


def read_record(record: Path) -> Iterator[Put]:
    """Yield what a record tells, in the order of the paths; nothing where there is none.

    A record that is damaged ends where it is: of the files that it does not tell, nothing is believed.
    """
    try:
        file = record.open("rb")
    except FileNotFoundError:
        return
    with file, contextlib.suppress(WrongFieldError, UnsupportedFormatError):
        check_format(parse(file.readline(_LONGEST)), printable(str(record)))
        while line := file.readline(_LONGEST):
            values = parse(line)
            yield Put(
                field(values, "path", str),
                count(values, "size"),
                digest(values, "digest"),
                optional(values, "mtime_ns", int),
                field(values, "found_ns", int),
            )


def write_record(record: Path, release: str, tree: Path, entries: Iterable[Entry]) -> None:
    """Write the record of a tree that is complete, and return when it is durable.

    Args:
        record: the file.
        release: the id.
        tree: the directory.
        entries: the files of the release, in the order of their paths.

    Raises:
        RunError: the tree is not what the release is.
        OSError: the record cannot be written.
    """
    descriptor, name = tempfile.mkstemp(dir=record.parent, prefix="record-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(_line({"format": FORMAT, "release": release}))
            for entry in entries:
                file.write(_line(_looked_at(tree, entry)))
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(record)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
    sync_folder(record.parent)


def sync_tree(tree: Path) -> None:
    """Make the names in a tree durable.

    Raises:
        OSError: a folder cannot be read.
    """

    def refuse(error: OSError) -> None:
        raise error

    for folder, _, _ in os.walk(tree, onerror=refuse):
        sync_folder(Path(folder))


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable, as far as its file system can."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # Some network file systems have nothing to sync a directory with.
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Beside(Generic[Value]):
    """Answers for one key after the other, in ascending order, what a stream in the same order has of it.

    Args:
        items: keys and values, in ascending order of the keys.
        passed: is told the items for whose keys nobody asks.
    """

    def __init__(
        self, items: Iterator[tuple[str, Value]], passed: Callable[[str, Value], None] = lambda _key, _value: None
    ) -> None:
        self._items = items
        self._passed = passed
        self._next = next(items, None)

    def at(self, key: str) -> Value | None:
        """Return what the stream has of a key, or `None`."""
        while self._next is not None and self._next[0] < key:
            self._pass()
        if self._next is None or self._next[0] != key:
            return None
        value = self._next[1]
        self._next = next(self._items, None)
        return value

    def end(self) -> None:
        """Pass everything that is left."""
        while self._next is not None:
            self._pass()

    def _pass(self) -> None:
        assert self._next is not None
        self._passed(*self._next)
        self._next = next(self._items, None)


def _looked_at(tree: Path, entry: Entry) -> dict[str, Any]:
    try:
        status = os.lstat(tree / entry.path)
    except FileNotFoundError:
        status = None
    if status is None or status.st_size != entry.size:
        raise RunError(
            f"{printable(str(tree / entry.path))} was changed while the release was fetched",
            hint="Nothing but cloudsync may write there. Fetch again.",
        )
    values = {"path": entry.path, "size": entry.size, "digest": str(entry.digest), "found_ns": status.st_mtime_ns}
    return values if entry.attributes.mtime_ns is None else {**values, "mtime_ns": entry.attributes.mtime_ns}


def _line(values: dict[str, Any]) -> bytes:
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
