"""What a subscriber tells while it goes on."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Literal

from cloudsync_core.channels.update import Update
from cloudsync_core.errors import BackendError


@dataclasses.dataclass(frozen=True, slots=True)
class Delivered:
    """An update was delivered, and that is saved."""

    update: Update


@dataclasses.dataclass(frozen=True, slots=True)
class Failed:
    """An update could not be delivered, and will be tried again.

    Attributes:
        update: the update.
        error: what its delivery raised.
        attempts: how often it was tried.
        wait: seconds until it is tried again.
    """

    update: Update
    error: Exception
    attempts: int
    wait: float


@dataclasses.dataclass(frozen=True, slots=True)
class ParkedAway:
    """An update is not tried any more until somebody asks for it, and that is saved.

    Attributes:
        id: of the update; of the object where it could not be read.
        key: the object.
        topic: of the update; `None` where the object could not be read.
        error: why, in words for the user.
    """

    id: str
    key: str
    topic: str | None
    error: str


@dataclasses.dataclass(frozen=True, slots=True)
class Skipped:
    """Something in the channel is not delivered, and that holds up nothing.

    Attributes:
        key: the object.
        kind: "damaged": it is not what a publisher writes; "foreign": it has no name of an update; "newer": its format
            is too new, and it is parked for a newer cloudsync; "gone": it was removed before it was read.
        reason: what is wrong, in words for the user.
    """

    key: str
    kind: Literal["damaged", "foreign", "newer", "gone"]
    reason: str


@dataclasses.dataclass(frozen=True, slots=True)
class Unreachable:
    """The channel cannot be read for a passing reason.

    Attributes:
        error: what was raised.
        wait: seconds until it is tried again.
    """

    error: BackendError
    wait: float


@dataclasses.dataclass(frozen=True, slots=True)
class Pass:
    """What one look at a channel has brought.

    Attributes:
        listed: objects of updates that were there, from the cursor's floor on.
        delivered: updates that were delivered.
        parked: updates, or objects that could not be read, that were parked.
        skipped: objects that are not delivered; see `Skipped`.
        put_off: updates that wait for an earlier one of their topic, which is tried again, and that one itself.
        more: there is more to deliver right now.
    """

    listed: int = 0
    delivered: int = 0
    parked: int = 0
    skipped: int = 0
    put_off: int = 0
    more: bool = False

    def __add__(self, other: Pass) -> Pass:
        """Return what both have brought, with what the later one has left."""
        return Pass(
            self.listed + other.listed,
            self.delivered + other.delivered,
            self.parked + other.parked,
            self.skipped + other.skipped,
            other.put_off,
            other.more,
        )


@dataclasses.dataclass(frozen=True, slots=True)
class PassEnded:
    """A pass has ended."""

    result: Pass


Event = Delivered | Failed | ParkedAway | Skipped | Unreachable | PassEnded

Listener = Callable[[Event], None]
"""Called in the subscriber's own thread; what it raises ends the subscriber."""


def nobody(_: Event) -> None:
    """Hear an event, and do nothing."""
