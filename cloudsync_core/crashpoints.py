"""Named points between the steps of a run, at which tests let the process die (clause P6, catalogue T3).

The code says at each of them `hit("put.verified")`, which does nothing: nobody watches, and it costs some 50 ns, where
the cheapest object costs some 100,000. A test has the process end at one of them, with nothing cleaned up, as if it had
been killed there:

    CLOUDSYNC_CRASH_AT=put.verified:3 cloudsync run config.yaml

The names are the same for every provider. A plugin places those that it has a step for.
"""

from __future__ import annotations

import itertools
import os
import re
import threading
from collections.abc import Callable
from typing import Literal, get_args

EXIT_CODE = 137
"""Of a process that ended at a point: what a shell says of one that was killed."""

Point = Literal[
    "run.lock.acquired",  # no other process runs this job
    "list.source.page",  # a page of the source's listing is there
    "list.target.page",
    "list.done",  # both listings are complete
    "plan.spooled",  # a delete waits on the disk
    "lease.taken",  # no other run writes to the target, and nothing was written yet
    "op.claimed",  # a worker has an add or an update, and has not begun
    "get.temp.created",  # in a directory: a new file, without its final name
    "get.chunk.written",  # a part of the content is in that file
    "get.utime",  # it has its modification time
    "get.fsync.file",  # its content is durable
    "get.rename",  # it has its final name
    "get.fsync.dir",  # its name is durable
    "put.temp.opened",  # in a store: an upload in parts has begun
    "put.part.sent",  # a part of it was taken by the store
    "put.complete.sent",  # the request that makes the object visible is about to go
    "put.complete.acked",  # the store said that the object is visible
    "put.acked",  # the target has the object, whatever it is
    "put.verified",  # it is proven to hold what was sent, and nobody knows yet
    "copy.server.acked",  # the provider has copied an object
    "del.precheck",  # what is to be deleted was looked at
    "del.sent",  # the store has deleted, and what it says of that was not heard yet
    "del.acked",  # it was heard of one object
    "state.txn.begin",  # the state database is being written
    "state.txn.committed",  # what was written there is saved
    "del.state.committed",  # so is that an object is gone
    "run.summary.written",  # how the run ended is saved
    "release.base.read",  # what is live is known, and nothing of the new release is there
    "release.compared",  # what has to be sent is known
    "release.sent",  # every object of the new release is in its place
    "release.verified",  # that was looked at
    "release.manifest.written",  # the release is complete, and nothing points to it
    "release.pointer.moved",  # readers see it
    "release.pruned.manifest",  # the manifest of an old release is gone, its objects are not
    "subscription.delivered",  # an update was delivered, and nobody knows yet
    "subscription.settled",  # that is saved
    "subscription.parked",  # so is that it could not be delivered
    "subscription.floor.moved",  # what lies below the new floor is forgotten
    "subscription.registered",  # the channel says how far the subscriber is
    "channel.payload.put",  # content that goes beside its update is in the channel
    "channel.update.put",  # an update is in the channel, and its publisher does not know yet
    "channel.pruned.updates",  # old updates are gone, and their payloads are not
    "lease.removed",  # other runs may write to the target
    "shutdown.begin",  # the base is about to be saved for the last time
]
"""Every point. A `Literal`, so that a name that is not here is an error of types."""

POINTS: frozenset[str] = frozenset(get_args(Point))

_watchers: list[Callable[[str], None]] = []


def hit(point: Point) -> None:
    """Pass a point."""
    for watcher in _watchers:
        watcher(point)


def watch(watcher: Callable[[str], None]) -> None:
    """Have a function called at every point, in the thread that passes it, for as long as the process lives."""
    _watchers.append(watcher)


def arm(wanted: str, *, end: Callable[[], None] = lambda: os._exit(EXIT_CODE)) -> None:
    """End the process at a point.

    Args:
        wanted: which: `17` is the seventeenth point that any thread passes, `put.verified` the first of this name,
            `put.verified:3` the third of it.
        end: ends the process.

    Raises:
        ValueError: there is no such point.
    """
    match = re.fullmatch(r"(?P<any>\d+)|(?P<name>[^:]+)(?::(?P<number>\d+))?", wanted)
    name = match["name"] if match else ""
    if match is None or (name and name not in POINTS):
        raise ValueError(f"{wanted!r} is no crash point: write a number, or one of {', '.join(sorted(POINTS))}")
    number = int(match["any"] or match["number"] or 1)
    counter, lock = itertools.count(1), threading.Lock()

    def count(point: str) -> None:
        if point == name or not name:
            with lock:
                if next(counter) == number:
                    end()

    watch(count)
