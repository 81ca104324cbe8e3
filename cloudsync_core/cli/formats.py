"""Numbers as people read them."""

from __future__ import annotations

import datetime as dt

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def size(count: float) -> str:
    """Return a number of bytes: `900 B`, `1.2 KiB`."""
    unit = 0
    # Before 1023.95 would be shown as 1024.0 of the smaller unit.
    while unit < len(_UNITS) - 1 and round(count, 1 if unit else 0) >= 1024:  # noqa: PLR2004 - what the units are
        count /= 1024
        unit += 1
    return f"{count:.1f} {_UNITS[unit]}" if unit else f"{count:.0f} B"


def number(count: int) -> str:
    """Return a number of objects: `1,234,567`."""
    return f"{count:,}"


def plural(count: int, noun: str) -> str:
    """Return a number with its noun: `1 object`, `2 objects`."""
    return f"{number(count)} {noun}" if count == 1 else f"{number(count)} {noun}s"


def seconds(value: float) -> str:
    """Return a time span in seconds: `0.4 s`, `75 s`."""
    return f"{value:.1f} s" if value < 10 else f"{value:,.0f} s"  # noqa: PLR2004 - two digits are enough


def clock(value: float) -> str:
    """Return a time span that is still to come: `0:01:15`."""
    return str(dt.timedelta(seconds=round(value)))


def moment(timestamp: float) -> str:
    """Return a moment, from seconds since the epoch: `2026-11-20T10:15:00Z`."""
    return f"{dt.datetime.fromtimestamp(timestamp, dt.UTC):%Y-%m-%dT%H:%M:%SZ}"
