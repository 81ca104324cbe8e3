"""One file of a release, and the order and the rules of all of them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, Final

from cloudsync_core.backend import NO_ATTRIBUTES
from cloudsync_core.errors import printable
from cloudsync_core.models import Attributes, Digest
from cloudsync_core.releases.fields import WrongFieldError, check_text, count, digest, field, optional, parse
from cloudsync_core.releases.names import parse_place, path_problem, place

_HEADERS: Final = ("content_type", "cache_control", "content_encoding", "content_disposition", "content_language")


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """One file of a release.

    Attributes:
        path: where it is in the tree.
        size: bytes.
        digest: of the content: SHA-256.
        key: the object that holds the content, relative to the location; in the release's own tree, or in that of an
            earlier one.
        attributes: what the object carries; `mtime_ns` is that of the source's file, also where an earlier release has
            written the object with another one.
    """

    path: str
    size: int
    digest: Digest
    key: str
    attributes: Attributes = NO_ATTRIBUTES


def encode(entry: Entry, release: str) -> bytes:
    """Return the line of a file in the manifest of a release, ended by a newline."""
    values: dict[str, Any] = {"path": entry.path, "size": entry.size, "digest": str(entry.digest)}
    if entry.key != place(release, entry.path):
        values["key"] = entry.key
    values.update(headers(entry.attributes))
    if entry.attributes.mtime_ns is not None:
        values["mtime_ns"] = entry.attributes.mtime_ns
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes, release: str) -> Entry:
    """Return the file that a line of the manifest of a release tells of.

    Raises:
        WrongFieldError: it is no such line, or names a place outside the tree.
    """
    values = parse(line)
    path = field(values, "path", str)
    if (why := path_problem(path)) is not None:
        raise WrongFieldError(f"the path {printable(path)!r} is refused: {why}")
    own = place(release, path)
    key = optional(values, "key", str) or own
    if key != own and parse_place(key) is None:
        raise WrongFieldError(f"the key {printable(key)!r} of {printable(path)} is not in a release")
    return Entry(path, count(values, "size"), digest(values, "digest"), key, _attributes(values))


def headers(attributes: Attributes) -> dict[str, Any]:
    """Return what an object carries beside its modification time, as JSON values; what is not set is left out."""
    values: dict[str, Any] = {name: value for name in _HEADERS if (value := getattr(attributes, name)) is not None}
    if attributes.metadata:
        values["metadata"] = dict(sorted(attributes.metadata.items()))
    return values


def _attributes(values: Mapping[str, Any]) -> Attributes:
    metadata = optional(values, "metadata", dict) or {}
    for name, value in metadata.items():
        if not isinstance(value, str):
            raise WrongFieldError("'metadata' holds something else than text")
        check_text(name + value, "metadata")
    return Attributes(
        **{name: optional(values, name, str) for name in _HEADERS},
        mtime_ns=optional(values, "mtime_ns", int),
        metadata=metadata,
    )


class Sequence:
    """Sees the paths of a tree one after the other, and whether a tree can be made of them.

    The order is that of the paths' UTF-8 bytes, each once, and no file is a folder of another (`a` and `a/b`).
    """

    def __init__(self) -> None:
        self._last: str | None = None
        # The paths that the current one begins with, as text: in this order, what follows them comes right after them.
        self._begins: list[str] = []

    def take(self, path: str) -> None:
        """Take in the next path.

        Raises:
            WrongFieldError: it cannot follow those before it.
        """
        if self._last is not None and path <= self._last:
            how = "comes twice" if path == self._last else f"comes after {printable(self._last)!r}"
            raise WrongFieldError(f"the path {printable(path)!r} {how}")
        while self._begins and not path.startswith(self._begins[-1]):
            self._begins.pop()
        for begin in self._begins:
            if path[len(begin)] == "/":
                raise WrongFieldError(f"{printable(begin)!r} would be a file and the folder of {printable(path)!r}")
        self._begins.append(path)
        self._last = path
