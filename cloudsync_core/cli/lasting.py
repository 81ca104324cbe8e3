"""How jobs are that go on until they are stopped, as the state database knows it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from cloudsync_core.channels.ids import time_ns
from cloudsync_core.channels.parking import Subscribed, subscriptions
from cloudsync_core.cli.formats import moment, plural
from cloudsync_core.engine.state import State
from cloudsync_core.engine.vigil import VigilStatus, vigils
from cloudsync_core.errors import printable


@dataclasses.dataclass(frozen=True, slots=True)
class Lasting:
    """How one of them is.

    Attributes:
        watches: it keeps a target in step; otherwise it subscribes to a channel.
        values: of the event.
        line: for people.
    """

    watches: bool
    values: dict[str, Any]
    line: str


def lasting_jobs(database: State, jobs: Mapping[str, str]) -> list[Lasting]:
    """Return how the jobs are.

    Args:
        database: the open state database.
        jobs: the names of those that are wanted, each with the name of its subscriber; none means all there are.

    Raises:
        StateError: the database cannot be used.
    """
    names = {subscriber: job for job, subscriber in jobs.items()}
    found = [
        _of_subscription(names.get(one.name, one.name), one)
        for one in subscriptions(database)
        if not jobs or one.name in names
    ]
    return found + [_of_watch(name, one) for name, one in vigils(database) if not jobs or name in jobs]


def _of_subscription(job: str, one: Subscribed) -> Lasting:
    values = {
        "job": job,
        "subscriber": one.name,
        "channel": one.channel,
        "looked": one.looked,
        "settled": one.newest or None,
        "parked": one.parked,
    }
    parts = ["nothing was looked at yet" if one.looked is None else f"looked at {moment(one.looked)}"]
    if one.newest:
        parts.append(f"all is settled up to {moment(time_ns(one.newest) / 1e9)}")
    if one.parked:
        parts.append(f"{plural(one.parked, 'update')} parked: see 'cloudsync channel parked'")
    return Lasting(False, values, f"{job}: {', '.join(parts)}")


def _of_watch(job: str, one: VigilStatus) -> Lasting:
    parts = [f"watched by process {one.process}, alive at {moment(one.alive)}", f"{one.dirty} to look at"]
    if one.reconciled is not None:
        parts.append(f"all was looked at {moment(one.reconciled)}")
    if one.halted is not None:
        parts.append(f"stands still: {printable(one.halted)}")
    elif one.error is not None and one.error_at is not None:
        parts.append(f"last error at {moment(one.error_at)}: {printable(one.error)}")
    return Lasting(True, {"job": job, **one.to_dict()}, f"{job}: {', '.join(parts)}")
