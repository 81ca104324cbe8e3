"""The key grammar: what an object may be called, and how keys relate to each other.

A key is the exact name of an object relative to the root of its backend: a non-empty string of Unicode
scalar values, with `/` between its segments. Keys are compared as they are: never normalised, never
decoded, never stripped (clause L4). Their order is that of their UTF-8 bytes, which for strings of scalar
values is the order in which Python compares `str`.
"""

from __future__ import annotations

import re

MARKER_SUFFIX = "/"
"""A key that ends so and holds no bytes is a directory marker, as the consoles of object stores write it."""

TEMPORARY = re.compile(r"\.cs-[0-9a-f]{12}\.tmp")
"""The last segment of what cloudsync writes before it renames: ours by name (P6), so never synchronised."""


def problem(key: str) -> str | None:
    """Say why `key` is no key at all, on any backend, or return `None` when it is one."""
    if not key:
        return "a key has at least one character"
    try:
        key.encode()
    except UnicodeEncodeError:
        return "the name is not valid Unicode"
    return None


def tree_problem(key: str) -> str | None:
    """Say why a directory tree cannot hold `key` exactly, or return `None` when it can.

    This is the containment rule of every hierarchical backend: a key that passes names one place under the
    root and no other key names the same place (P5, catalogue C01-C05).
    """
    if (why := problem(key)) is not None:
        return why
    if "\0" in key:
        return "a file name cannot hold a NUL character"
    segments = key.removesuffix(MARKER_SUFFIX).split("/")
    for segment in segments:
        if segment == "":
            return "an empty name between slashes cannot be a file name"
        if segment in {".", ".."}:
            return f"the segment {segment!r} would name another directory"
    if is_temporary(key):
        return "the name has the form of cloudsync's temporary files"
    return None


def is_marker(key: str) -> bool:
    """Tell whether `key` has the form of a directory marker (`photos/`)."""
    return key.endswith(MARKER_SUFFIX)


def is_temporary(key: str) -> bool:
    """Tell whether `key` is named like a temporary file of cloudsync (`.cs-0123456789ab.tmp`)."""
    return TEMPORARY.fullmatch(key.rpartition("/")[2]) is not None


def folder(prefix: str) -> str:
    """Return what every key under `prefix` starts with: whole segments, so `foo` never takes in `foobar/x`.

    >>> folder(""), folder("foo"), folder("foo/")
    ('', 'foo/', 'foo/')
    """
    return prefix if prefix == "" or prefix.endswith("/") else prefix + "/"


def under(key: str, prefix: str) -> bool:
    """Tell whether `key` lies under `prefix`, matched by whole segments (catalogue A23)."""
    return key.startswith(folder(prefix))


def parents(key: str) -> list[str]:
    """Return the folders that hold `key`, outermost first, without trailing slashes.

    >>> parents("a/b/c")
    ['a', 'a/b']
    """
    segments = key.removesuffix(MARKER_SUFFIX).split("/")
    return ["/".join(segments[:depth]) for depth in range(1, len(segments))]
