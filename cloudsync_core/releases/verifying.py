"""Whether everything that a manifest names is there, and holds what it says."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator

from cloudsync_core.backend import Backend
from cloudsync_core.engine.concurrency import Concurrency
from cloudsync_core.errors import CancelledError
from cloudsync_core.layers.retry import RetryPolicy
from cloudsync_core.releases.draft import Draft
from cloudsync_core.releases.looking import find_earlier
from cloudsync_core.releases.manifest import Manifest
from cloudsync_core.releases.reading import read_digests
from cloudsync_core.runs import Action

_READERS = 64
"""Objects that are read at the same time at most."""


@dataclasses.dataclass(frozen=True, slots=True)
class Fault:
    """An object of a release that is not what the manifest says.

    Attributes:
        key: the object.
        reason: what is wrong, in words.
    """

    key: str
    reason: str


def verify(
    backend: Backend, found: Manifest, *, content: bool = False, stop: threading.Event | None = None
) -> Iterator[Fault]:
    """Yield what is wrong with the objects of a release; nothing for one that is complete.

    Args:
        backend: the location of the releases.
        found: its manifest.
        content: read every object and compare its digest, beside what listings tell: names and sizes.
        stop: ends it with `CancelledError`.

    Raises:
        BackendError: a listing cannot be completed.
    """
    stop = threading.Event() if stop is None else stop
    with Draft() as draft:
        draft.follow(found.entries())
        find_earlier(backend, draft)
        for entry in draft.lost():
            yield Fault(entry.key, f"it is not there, or has not its {entry.size} bytes")
        if content:
            yield from _read(backend, draft, stop)


def _read(backend: Backend, draft: Draft, stop: threading.Event) -> Iterator[Fault]:
    actions = (Action("add", key, str(digest)) for key, digest in draft.by_key())
    retry = RetryPolicy()
    for outcome in read_digests(backend, actions, concurrency=Concurrency(_READERS), retry=retry, stop=stop):
        if outcome.status != "done":
            yield Fault(outcome.action.key, f"it cannot be read: {outcome.error}")
        elif outcome.digest != outcome.action.reason:
            yield Fault(outcome.action.key, f"it has the digest {outcome.digest}, not {outcome.action.reason}")
    if stop.is_set():
        raise CancelledError("interrupted")
