"""What becomes of an object's attributes on the way from one store to another."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from cloudsync_core import keys
from cloudsync_core.content_types import guess
from cloudsync_core.models import Attributes
from tests.equivalence.ends import End
from tests.equivalence.story import is_ruled

ITS_OWN = -1
"""The modification time of what has one that no script gave it."""

Carried = Callable[[str, Attributes], Attributes]
"""What becomes of the attributes of the object of a key."""


def without_headers(key: str, attributes: Attributes) -> Attributes:
    """Return what a store keeps that has no headers."""
    del key
    return Attributes(mtime_ns=attributes.mtime_ns)


def guessed(key: str, attributes: Attributes) -> Attributes:
    """Return what a source without headers gives: a guess, and what the job's rules add."""
    ruled = is_ruled(key)
    return Attributes(
        content_type=guess(key),
        mtime_ns=attributes.mtime_ns,
        cache_control=attributes.cache_control if ruled else None,
        metadata=attributes.metadata if ruled else {},
    )


def own_time_of_folders(key: str, attributes: Attributes) -> Attributes:
    """Return what a marker carries that was a directory."""
    return dataclasses.replace(attributes, mtime_ns=ITS_OWN) if keys.is_marker(key) else attributes


def folders_carry_nothing(key: str, attributes: Attributes) -> Attributes:
    """Return what a marker carries that becomes a directory."""
    return Attributes() if keys.is_marker(key) else attributes


def as_kept(end: End) -> Carried:
    """Return what becomes of the attributes of an object that is written there."""

    def kept(key: str, attributes: Attributes) -> Attributes:
        if end.can.hierarchical:
            attributes = folders_carry_nothing(key, attributes)
        return attributes if end.can.user_metadata else without_headers(key, attributes)

    return kept
