"""Removes what a test left behind, and says what it could not remove."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from cloudsync_core.backend import Backend
from cloudsync_core.errors import BackendError

_THREADS = 8
_LEAST = 20
_MOST = 1000
"""Keys that are deleted between two looks at whether to go on."""


def sweep(backend: Backend, prefix: str, stop: threading.Event) -> tuple[int, dict[str, str]]:
    """Delete every object under `prefix`; return how many there were, and why what is left could not be removed.

    A tree shows a folder once it is empty, so it is looked at again until nothing is left or nothing more can be done.

    Args:
        backend: on a root above the prefix.
        prefix: whole segments, never empty.
        stop: when it is set, no more is deleted.

    Raises:
        BackendError: what is there cannot be listed.
    """
    assert prefix, "everything would be deleted"
    removed: set[str] = set()
    left: dict[str, str] = {}
    while not stop.is_set():
        gaps, found = _listed(backend, prefix)
        wanted = [key for key in found if key not in left]
        if not wanted:
            return len(removed), {**gaps, **{key: left[key] for key in found}}
        before = len(removed)
        for key, why in _deleted(backend, wanted, stop).items():
            if why is None:
                removed.add(key)
            else:
                left[key] = why
        if len(removed) == before and not stop.is_set():
            # Deleted once more, and listed all the same.
            left.update((key, "it is still listed after it was deleted") for key in wanted if key not in left)
    _, found = _listed(backend, prefix)
    return len(removed), {key: left.get(key, "interrupted") for key in found}


def _listed(backend: Backend, prefix: str) -> tuple[dict[str, str], list[str]]:
    pages = list(backend.list(prefix))
    gaps = {gap.key: gap.reason for page in pages for gap in page.gaps}
    return gaps, [key for page in pages for key in page.keys]


def _deleted(backend: Backend, keys: list[str], stop: threading.Event) -> dict[str, str | None]:
    """Delete keys, several requests at a time; return why not, for each that was tried."""
    size = min(_MOST, max(backend.capabilities.bulk_delete_max, _LEAST))

    def delete(batch: list[str]) -> dict[str, str | None]:
        if stop.is_set():
            return {}
        try:
            results = list(backend.delete_many([(key, None) for key in batch]))
        except BackendError as error:
            return dict.fromkeys(batch, error.reason)
        return {result.key: str(result.error) if result.error is not None else None for result in results}

    batches = [keys[at : at + size] for at in range(0, len(keys), size)]
    with ThreadPoolExecutor(_THREADS) as pool:
        return {key: why for result in pool.map(delete, batches) for key, why in result.items()}
