"""What a store can do, found out by trying: each capability beside what the backend declares."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Literal

from cloudsync_core.backend import Backend
from cloudsync_core.body import Body
from cloudsync_core.errors import (
    BackendError,
    KeyBlockedError,
    ObjectExistsError,
    PreconditionFailedError,
    UnsupportedOperationError,
)
from cloudsync_core.models import IF_ABSENT, Attributes, ByteRange, IfMatch, ObjectInfo

Found = Literal["yes", "no", "refused", "unknown", ""]
OpenRoot = Callable[[str], Backend]
"""Opens an empty root of that name."""

_UNORDERED = ("b", "a/b", "a-b", "\U0001f600", "\ufffd", "a.b", "Z", "ab")
_MTIME_NS = 1_234_567_890_000_000_000


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """One capability.

    Attributes:
        capability: its name, a field of `Capabilities`.
        declared: what the backend says.
        found: what trying it has shown: "yes", "no", "refused" (by the backend, so that the store was not asked),
            "unknown" (trying it failed), or "" for what cannot be tried.
        note: what is to be said about it, or "".
    """

    capability: str
    declared: object
    found: Found = ""
    note: str = ""

    @property
    def overstated(self) -> bool:
        """Whether the backend declares what the store does not do."""
        return self.declared is True and self.found in {"no", "refused"}


def probe(open_root: OpenRoot) -> Iterator[Finding]:
    """Yield what is found about each capability.

    Args:
        open_root: each probe has a root of its own.

    Raises:
        BackendError: nothing can be written at all.
    """
    with open_root("probe-write") as backend:
        _put(backend, "object")
        backend.delete("object")
        # What the backend finds out for itself, before a run writes.
        known = backend.probe()
        declared = backend.capabilities
    for field in dataclasses.fields(declared):
        value = getattr(declared, field.name)
        if field.name not in _PROBES:
            yield Finding(field.name, value)
            continue
        with open_root(f"probe-{field.name.replace('_', '-')}") as backend:
            backend.probe(known)
            yield Finding(field.name, value, *_tried(_PROBES[field.name], backend))


def _tried(probe: Callable[[Backend], bool], backend: Backend) -> tuple[Found, str]:
    try:
        return ("yes" if probe(backend) else "no"), ""
    except UnsupportedOperationError:
        return "refused", "the backend refuses it, so the store was not asked"
    except BackendError as error:
        return "unknown", error.reason
    except Exception as error:  # noqa: BLE001 - a backend that lets it out breaks clause E1, which the suite will say
        return "unknown", f"{type(error).__name__}: {error}"


def _put(backend: Backend, key: str, data: bytes = b"content") -> ObjectInfo:
    return backend.put(key, Body(data))


def _lists_in_order(backend: Backend) -> bool:
    for key in _UNORDERED:
        _put(backend, key)
    return [key for page in backend.list() for key in page.keys] == sorted(_UNORDERED)


def _is_a_tree(backend: Backend) -> bool:
    _put(backend, "a")
    try:
        _put(backend, "a/b")
    except KeyBlockedError:
        return True
    return False


def _honours_if_absent(backend: Backend) -> bool:
    _put(backend, "object")
    try:
        backend.put("object", Body(b"other"), condition=IF_ABSENT)
    except ObjectExistsError:
        return True
    return False


def _honours_if_match(backend: Backend) -> bool:
    old = _put(backend, "object").version
    _put(backend, "object", b"newer")
    try:
        backend.put("object", Body(b"other"), condition=IfMatch(old))
    except PreconditionFailedError:
        return True
    return False


def _honours_if_match_of_deletes(backend: Backend) -> bool:
    old = _put(backend, "object").version
    _put(backend, "object", b"newer")
    try:
        backend.delete("object", if_match=old)
    except PreconditionFailedError:
        return True
    return False


def _reads_ranges(backend: Backend) -> bool:
    _put(backend, "object", bytes(range(200)))
    with backend.get("object", byte_range=ByteRange(10, 20)) as reader:
        return reader.read() == bytes(range(10, 20))


def _copies(backend: Backend) -> bool:
    info = _put(backend, "object", b"copied")
    backend.copy(backend, info, "copy")
    with backend.get("copy") as reader:
        return reader.read() == b"copied"


def _stores_metadata(backend: Backend) -> bool:
    given = {"owner": "me"}
    backend.put("object", Body(b"content"), attributes=Attributes(content_type="text/x-demo", metadata=given))
    told = backend.stat("object").attributes
    return told is not None and (told.content_type, dict(told.metadata)) == ("text/x-demo", given)


def _stores_times(backend: Backend) -> bool:
    backend.put("object", Body(b"content"), attributes=Attributes(mtime_ns=_MTIME_NS))
    told = backend.stat("object").attributes
    return told is not None and told.mtime_ns == _MTIME_NS


_PROBES: dict[str, Callable[[Backend], bool]] = {
    "ordered_listing": _lists_in_order,
    "hierarchical": _is_a_tree,
    "put_if_absent": _honours_if_absent,
    "put_if_match": _honours_if_match,
    "delete_if_match": _honours_if_match_of_deletes,
    "range_get": _reads_ranges,
    "server_copy": _copies,
    "user_metadata": _stores_metadata,
    "stores_mtime": _stores_times,
}
