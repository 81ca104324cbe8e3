"""What a run tells while it goes on, beside the numbers of `Progress`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Literal

from cloudsync_core.runs import Action, Outcome, RunInfo, RunReport


@dataclasses.dataclass(frozen=True, slots=True)
class RunStarted:
    """A run starts."""

    run: RunInfo


@dataclasses.dataclass(frozen=True, slots=True)
class ActionPlanned:
    """A dry run would do this.

    Attributes:
        action: the action.
        kept: the target's object would be kept aside first.
    """

    action: Action
    kept: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class ActionFinished:
    """Something happened to a key."""

    outcome: Outcome


@dataclasses.dataclass(frozen=True, slots=True)
class KeyLeftOut:
    """A key was skipped, or its state is unknown, for a reason that the user should see.

    Attributes:
        status: "skipped" or "unknown".
        key: the key.
        reason: why.
    """

    status: Literal["skipped", "unknown"]
    key: str
    reason: str


@dataclasses.dataclass(frozen=True, slots=True)
class DifferenceFound:
    """A check found a key whose sides are not proven equal.

    Attributes:
        key: the key.
        kind: "differs", "only-on-source", "only-on-target" or "unknown".
        reason: why.
    """

    key: str
    kind: Literal["differs", "only-on-source", "only-on-target", "unknown"]
    reason: str


@dataclasses.dataclass(frozen=True, slots=True)
class RunFinished:
    """A run ended, whatever its status."""

    report: RunReport


@dataclasses.dataclass(frozen=True, slots=True)
class LookFinished:
    """A job that watches has looked at everything or at some keys, and done what followed from that.

    Attributes:
        report: what it did.
        everything: whether all was looked at.
    """

    report: RunReport
    everything: bool


@dataclasses.dataclass(frozen=True, slots=True)
class SubscriberTold:
    """A job that subscribes to a channel tells of its updates.

    Attributes:
        event: one of `cloudsync_core.channels.events`.
    """

    event: object


Event = (
    RunStarted
    | ActionPlanned
    | ActionFinished
    | KeyLeftOut
    | DifferenceFound
    | LookFinished
    | SubscriberTold
    | RunFinished
)

Listener = Callable[[Event], None]
"""Called in the run's own thread; what it raises ends the run."""


def nobody(event: Event) -> None:
    """Listen to nothing."""
    del event
