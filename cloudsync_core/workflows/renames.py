"""Finds objects that were only renamed: the target has their content already, under the name that is gone."""

from __future__ import annotations

import itertools
import threading
from typing import Final

from cloudsync_core.backend import Backend
from cloudsync_core.engine.base import JobState
from cloudsync_core.engine.part import Part
from cloudsync_core.errors import BackendError, CancelledError, ObjectNotFoundError
from cloudsync_core.models import Digest, ObjectInfo
from cloudsync_core.runs import Action

_MOST: Final = 10_000
"""Names that are looked through, at most."""

_SMALLEST: Final = 64 * 1024
"""Bytes below which an object is sent again: that costs no more than to find out."""


class Renames:
    """What of a part of the keys is gone from the source while the target still has it, by content.

    Only a source that is read without a network is looked through: elsewhere, it would cost as much as it saves.

    Args:
        base: knows the digests of what is gone.
        part: the keys.
        source: the side read.
        target: the side written.
        stop: ends the reading of content.
    """

    def __init__(self, base: JobState, part: Part, source: Backend, target: Backend, stop: threading.Event) -> None:
        self._source = source
        self._target = target
        self._stop = stop
        self._base = base
        self._part = part
        self._gone: dict[str, tuple[str, str]] = {}
        self._algorithms: set[str] = set()
        self._waits = source.capabilities.local_reads and target.can_copy_from(target)

    def expect(self, action: Action) -> None:
        """Look what is gone once an add is planned that may want it; called in the thread of the run."""
        if self._waits and _may_be_renamed(action):
            self._waits = False
            self._look()

    def origin(self, action: Action) -> ObjectInfo | None:
        """Return the target's object whose content an add wants, or `None`; called in worker threads."""
        found = action.source
        if found is None or not _may_be_renamed(action):
            return None
        try:
            for algorithm in self._algorithms:
                known = self._gone.get(str(self._digest(found, algorithm)))
                if known is not None:
                    key, fingerprint = known
                    kept = self._target.stat(key)
                    return kept if kept.fingerprint == fingerprint and kept.size == found.size else None
        except BackendError:
            # It is sent as any other; what is wrong will show then.
            return None
        return None

    def _look(self) -> None:
        rows = (
            (page.keys[index], page[index]) for page in self._base.pages(self._part) for index in range(len(page.keys))
        )
        for key, row in itertools.islice(rows, _MOST):
            if row.digest is not None and row.target and self._is_gone(key):
                self._gone[row.digest] = (key, row.target)
                self._algorithms.add(Digest.parse(row.digest).algorithm)

    def _is_gone(self, key: str) -> bool:
        try:
            self._source.stat(key)
        except ObjectNotFoundError:
            return True
        except BackendError:
            return False
        return False

    def _digest(self, found: ObjectInfo, algorithm: str) -> Digest | None:
        with self._source.get(found.key) as reader:
            if reader.info.fingerprint != found.fingerprint:
                return None
            body = reader.body(on_chunk=self._on_chunk)
            body.require(algorithm)
            for _ in body.chunks():
                pass
            return body.digest(algorithm)

    def _on_chunk(self, _: int) -> None:
        if self._stop.is_set():
            raise CancelledError("interrupted")


def _may_be_renamed(action: Action) -> bool:
    found = action.source
    return action.kind == "add" and found is not None and found.size >= _SMALLEST and bool(found.fingerprint)
