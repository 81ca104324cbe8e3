"""One look at a channel: which objects of updates are new, in an order that keeps that of every publisher.

A listing is no snapshot. While it goes on, a publisher may write one update where the listing has been already, and the
next one where it has yet to come, so that only the later one is seen. Therefore a channel in which something is new is
listed twice: what the first listing has seen was there when the second one began, and so was everything that its
publisher wrote before it. Only up to there is delivered; what came in between is left to the next look. A channel in
which nothing is new costs one listing.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from typing import Final

from cloudsync_core.backend import Backend
from cloudsync_core.channels import ids
from cloudsync_core.channels.cursors import Cursor
from cloudsync_core.channels.scan import Foreign, Listed, scan

_SECOND_NS: Final = 1_000_000_000


@dataclasses.dataclass
class Look:
    """What the first listing has seen.

    Attributes:
        listed: objects.
        new: whether some of them are not settled.
        newest: the newest id of each publisher.
        newest_id: of all; "" where there is none.
        store_ns: the newest time of the store: nanoseconds since the epoch, UTC; 0 where it tells none.
        host_ns: what the clock of this host said at the beginning.
        lasted: seconds that it took.
    """

    listed: int = 0
    new: bool = False
    newest: dict[str, str] = dataclasses.field(default_factory=dict)
    newest_id: str = ""
    store_ns: int = 0
    host_ns: int = 0
    lasted: float = 0.0

    @property
    def horizon(self) -> str | None:
        """What every update that was not there yet has an id above, as a stamp; `None` where nobody can tell.

        Ids are at most half of `ids.OVERLAP_NS` from the store's clock when they become visible, and this clock was not
        behind what it said of any object. Neither does a publisher whose ids are ahead move it, nor one that is behind.
        """
        if not self.newest_id:
            return None
        newest_ns = min(ids.time_ns(self.newest_id), self.store_ns or self.host_ns)
        return ids.stamp(max(0, newest_ns - ids.OVERLAP_NS - int(self.lasted * _SECOND_NS)))


def look(
    backend: Backend,
    cursor: Cursor,
    *,
    clock: Callable[[], int],
    stopped: Callable[[], bool],
    foreign: Callable[[Foreign], None],
) -> Look:
    """List a channel from the cursor's floor on.

    Args:
        backend: the channel.
        cursor: of the subscription.
        clock: tells nanoseconds since the epoch, UTC.
        stopped: tells whether the rest is not wanted any more.
        foreign: is told what is no object of updates.

    Raises:
        BackendError: the listing cannot be completed.
        StateError: the state database cannot be used.
    """
    began, seen = time.monotonic(), Look(host_ns=clock())
    for page, others in scan(backend, cursor.floor, clock=clock):
        for other in others:
            foreign(other)
        for listed in page:
            seen.newest[listed.publisher] = listed.id
            seen.store_ns = max(seen.store_ns, listed.modified_ns)
        if page:
            seen.listed += len(page)
            seen.newest_id = page[-1].id
            seen.new = seen.new or len(cursor.settled([listed.id for listed in page])) < len(page)
        if stopped():
            break
    seen.lasted = time.monotonic() - began
    return seen


class Ordered:
    """The second listing: what is to be delivered, in order.

    Args:
        backend: the channel.
        cursor: of the subscription.
        seen: by the first listing.
        own: the name of the publisher whose updates are settled without being read, or `None`.
        waits: tells of an object whether all in it is known to wait.
        clock: tells nanoseconds since the epoch, UTC.

    Attributes:
        left: the oldest id of what was met and is not handed out; "" where there is none.
    """

    def __init__(
        self,
        backend: Backend,
        cursor: Cursor,
        seen: Look,
        *,
        own: str | None,
        waits: Callable[[Listed], bool],
        clock: Callable[[], int],
    ) -> None:
        self._backend = backend
        self._cursor = cursor
        self._seen = seen
        self._own = own
        self._waits = waits
        self._clock = clock
        self.left = ""

    def leave(self, object_id: str) -> None:
        """Hear that an object is not settled by this pass."""
        self.left = min(self.left, object_id) if self.left else object_id

    def __iter__(self) -> Iterator[Listed]:
        for page, _ in scan(self._backend, self._cursor.floor, clock=self._clock):
            settled = self._cursor.settled([listed.id for listed in page])
            quiet = []
            for listed in page:
                if listed.id in settled:
                    continue
                if listed.id > self._seen.newest.get(listed.publisher, ""):
                    self.leave(listed.id)
                elif listed.publisher == self._own or _came_at(listed) < self._cursor.since_ns:
                    quiet.append(listed.id)
                elif self._waits(listed):
                    self.leave(listed.id)
                else:
                    yield listed
            self._cursor.settle_objects(quiet)


def _came_at(listed: Listed) -> int:
    """Return when the store got an object, by its id where the store does not tell."""
    return listed.modified_ns or ids.time_ns(listed.id)
