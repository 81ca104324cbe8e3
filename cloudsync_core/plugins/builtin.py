"""What the core itself brings, registered through the same hooks as any plugin."""

from __future__ import annotations

from typing import Final

from cloudsync_core.plugins.hookspecs import hookimpl
from cloudsync_core.plugins.records import BackendInfo, ComparatorInfo, EventSourceInfo

FALLBACK: Final = BackendInfo(
    schemes=(),
    summary="any filesystem that fsspec knows by that protocol",
    factory="cloudsync_core.backends.fsspec:FsspecBackend",
    options="cloudsync_core.backends.fsspec:FsspecOptions",
)
"""Serves the schemes that no plugin claims and for which `FALLBACK_AVAILABLE` returns true."""

FALLBACK_AVAILABLE: Final = "cloudsync_core.backends.fsspec:available"


@hookimpl
def cloudsync_register_backends() -> list[BackendInfo]:
    """Offer the backends that need nothing but the core."""
    return [
        BackendInfo(
            schemes=("file",),
            summary="a directory of this machine; also plain paths",
            factory="cloudsync_core.backends.file:FileBackend",
            options="cloudsync_core.backends.file:FileOptions",
        ),
        BackendInfo(
            schemes=("memory",),
            summary="objects in the memory of this process, for tests and examples",
            factory="cloudsync_core.backends.memory:MemoryBackend",
            options="cloudsync_core.backends.memory:MemoryOptions",
        ),
    ]


@hookimpl
def cloudsync_register_comparators() -> list[ComparatorInfo]:
    """Offer the comparators that `compare:` names."""
    return [
        ComparatorInfo("auto", "by evidence: what the last run recorded, else digests", _compare("Auto")),
        ComparatorInfo("size", "equal sizes are equal objects", _compare("Size")),
        ComparatorInfo("mtime", "equal sizes and equal modification times are equal objects", _compare("Mtime")),
        ComparatorInfo("checksum", "equal digests are equal objects; reads what has none", _compare("Checksum")),
        ComparatorInfo("always", "no two objects are equal: everything is transferred", _compare("Always")),
    ]


@hookimpl
def cloudsync_register_event_sources() -> list[EventSourceInfo]:
    """Offer the event sources that need nothing but the core."""
    return [
        EventSourceInfo(
            "local",
            "what the system tells of changes in a directory",
            "cloudsync_core.eventsources.local:LocalEvents",
            schemes=("file",),
            options="cloudsync_core.eventsources.local:LocalOptions",
        ),
        EventSourceInfo(
            "poll",
            "listings, compared with the one before: more often while something changes",
            "cloudsync_core.eventsources.poll:PollEvents",
            options="cloudsync_core.eventsources.poll:PollOptions",
        ),
    ]


def _compare(name: str) -> str:
    return f"cloudsync_core.engine.compare:{name}"
