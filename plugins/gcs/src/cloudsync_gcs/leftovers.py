"""leftovers and discard: sessions of uploads that are recorded.

Nobody can list others, which Google drops a week after they were begun.

https://cloud.google.com/storage/docs/resumable-uploads
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cloudsync_core.unfinished import Leftover
from cloudsync_gcs import operations
from cloudsync_gcs.errors import Refusal
from cloudsync_gcs.place import Place
from cloudsync_gcs.resuming import GONE, held_bytes, session_of


def find(place: Place, recorded: Sequence[tuple[str, str]]) -> Iterator[Leftover]:
    """Yield the recorded sessions that still wait for more; see `Backend.leftovers`."""
    for key, token in recorded:
        found = session_of(token)
        if found is None:
            continue
        with place.errors("list", key):
            size = held_bytes(place.connection, found[0], None)
        if size is not None:
            yield Leftover("unfinished upload", key, token, None, size, recorded=True, ours=True)


def discard(place: Place, key: str, token: str) -> None:
    """Cancel a session; see `Backend.discard`."""
    found = session_of(token)
    if found is None:
        return
    with place.errors("discard", key):
        try:
            place.connection.request(operations.cancel(found[0]))
        except Refusal as refusal:
            if refusal.status not in GONE:
                raise
