"""Preconditions of requests, and what a bucket keeps from being replaced or deleted.

https://cloud.google.com/storage/docs/request-preconditions: a `Match` that fails is 412, a `NotMatch` that fails is
304; a generation of 0 stands for "there is no live object". https://cloud.google.com/storage/docs/bucket-lock and
https://cloud.google.com/storage/docs/object-holds: what is retained or held can be neither replaced nor deleted.
A condition is judged first.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from tests.servers.gcs_errors import Refusal, condition_not_met, invalid
from tests.servers.gcs_objects import Stored
from tests.servers.gcs_store import Bucket


def check(query: Mapping[str, str], current: Stored | None, prefix: str = "if") -> None:
    """Raise `Refusal` unless the preconditions in `query` hold for the object that is there now.

    Args:
        query: parameters of a request, or `objectPreconditions` of a compose request.
        current: the object, or `None` where there is none.
        prefix: `if`, or `ifSource` for what is read by a copy.
    """
    generation = 0 if current is None else current.generation
    metageneration = 0 if current is None else current.metageneration
    for name, actual in (("Generation", generation), ("Metageneration", metageneration)):
        wanted = query.get(f"{prefix}{name}Match")
        if wanted is not None and _number(wanted, f"{prefix}{name}Match") != actual:
            raise condition_not_met()
    for name, actual in (("Generation", generation), ("Metageneration", metageneration)):
        unwanted = query.get(f"{prefix}{name}NotMatch")
        if unwanted is not None and (current is None or _number(unwanted, f"{prefix}{name}NotMatch") == actual):
            raise Refusal(304, "notModified", "Not Modified")


def check_kept(bucket: Bucket, current: Stored | None) -> None:
    """Raise `Refusal` where the live object may be neither replaced nor deleted."""
    if current is None:
        return
    name = f"{bucket.name}/{current.name}"
    for field, kind in (("temporaryHold", "Temporary"), ("eventBasedHold", "Event-Based")):
        if current.fields.get(field):
            raise Refusal(
                403,
                "forbidden",
                f"Object '{name}' is under active {kind} hold and cannot be deleted, overwritten or archived until "
                "hold is removed.",
            )
    period = int(bucket.settings.get("retentionPolicy", {}).get("retentionPeriod", 0))
    until = dt.datetime.fromisoformat(current.created) + dt.timedelta(seconds=period)
    if until > dt.datetime.now(dt.UTC):
        raise Refusal(
            403,
            "retentionPolicyNotMet",
            f"Object '{name}' is subject to bucket's retention policy or object retention and cannot be deleted or "
            f"overwritten until {until.isoformat()}",
        )


def _number(text: str | int, parameter: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise invalid(f"Invalid long value: '{text}'.", parameter) from None
