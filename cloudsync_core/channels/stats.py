"""What a channel holds, and how far its subscribers have got; told by listings alone, with flat memory."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any

from cloudsync_core.backend import Backend
from cloudsync_core.channels import names
from cloudsync_core.channels.registry import Registration, registered
from cloudsync_core.channels.scan import scan


@dataclasses.dataclass(frozen=True, slots=True)
class Standing:
    """How far a registered subscriber has got.

    Attributes:
        name: of the subscriber.
        at: when it last told: RFC 3339, UTC, by its host's clock; "" where that cannot be read.
        floor: every update with an id below it was settled then; `None` where none is known to be.
        behind: objects of updates that have come since, or that it had not settled then.
        parked: objects that hold what it could not deliver.
        problem: why its registration cannot be read; `None` where it can.
    """

    name: str
    at: str
    floor: str | None
    behind: int
    parked: int
    problem: str | None


@dataclasses.dataclass(frozen=True, slots=True)
class ChannelStats:
    """What a channel holds.

    Attributes:
        updates: objects of updates; what was published at once is one.
        update_bytes: of these, as they are stored.
        payloads: objects of content beside updates.
        payload_bytes: of these, as they are stored.
        oldest: the lowest id; `None` in an empty channel.
        newest: the highest id.
        foreign: objects among the updates that are none.
        subscribers: those that are registered.
    """

    updates: int
    update_bytes: int
    payloads: int
    payload_bytes: int
    oldest: str | None
    newest: str | None
    foreign: int
    subscribers: tuple[Standing, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers as JSON values."""
        return dataclasses.asdict(self)


def stats(backend: Backend, *, clock: Callable[[], int] = time.time_ns) -> ChannelStats:
    """Return what a channel holds: one request a thousand objects or so, and one a subscriber.

    Args:
        backend: the channel.
        clock: tells nanoseconds since the epoch, UTC.

    Raises:
        BackendError: the channel cannot be read.
    """
    registrations = list(registered(backend))
    behind = [0] * len(registrations)
    updates = update_bytes = foreign = 0
    oldest = newest = None
    for page, others in scan(backend, None, clock=clock):
        foreign += len(others)
        for listed in page:
            update_bytes += listed.size
            for index, registration in enumerate(registrations):
                behind[index] += listed.id > _settled_up_to(registration)
        if page:
            updates += len(page)
            oldest, newest = oldest or page[0].id, page[-1].id
    payloads = payload_bytes = 0
    for payload_page in backend.list(names.PAYLOADS):
        payloads += len(payload_page)
        payload_bytes += sum(payload_page.sizes)
    standings = tuple(
        Standing(one.name, one.at, one.floor, count, len(one.parked), one.problem)
        for one, count in zip(registrations, behind, strict=True)
    )
    return ChannelStats(updates, update_bytes, payloads, payload_bytes, oldest, newest, foreign, standings)


def _settled_up_to(registration: Registration) -> str:
    return max(registration.newest, registration.floor or "")
