"""Ids of updates: fixed width, in the order of time, and unique without anybody who hands them out.

    20261120T203540.123456Z-1a2b3c4d           an object, and the first update in it
    20261120T203540.123456Z-1a2b3c4d.0001      the second update in it

The time is UTC, in microseconds; eight random hexadecimal digits follow. Ids compare as text, and so do an id and the
time that ids begin with (`stamp`), which is lower than every id of that moment.
"""

from __future__ import annotations

import calendar
import functools
import re
import secrets
import time
from typing import Final

OBJECT_ID: Final = r"\d{8}T\d{6}\.\d{6}Z-[0-9a-f]{8}"
"""What the id of an object looks like, as a regular expression."""

OVERLAP_NS: Final = 15 * 60 * 1_000_000_000
"""Nanoseconds by which publishers' clocks may differ from the store's before an update could be missed."""

MAX_UPDATES: Final = 1000
"""Updates in one object, at most."""

_STAMP_LENGTH: Final = len("20261120T203540.123456Z")
_OBJECT_LENGTH: Final = _STAMP_LENGTH + len("-1a2b3c4d")
_OBJECT: Final = re.compile(OBJECT_ID, re.ASCII)
_UPDATE: Final = re.compile(rf"{OBJECT_ID}(?:\.(?!0000)0\d{{3}})?", re.ASCII)
_STAMP: Final = re.compile(r"\d{8}T\d{6}\.\d{6}Z", re.ASCII)


def stamp(moment_ns: int) -> str:
    """Return the text that ids of a moment begin with.

    Args:
        moment_ns: nanoseconds since the epoch, UTC; cut down to whole microseconds.
    """
    seconds, rest = divmod(moment_ns, 1_000_000_000)
    return f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(seconds))}.{rest // 1000:06d}Z"


def new(moment_ns: int) -> str:
    """Return a fresh id of an object, of this moment."""
    return f"{stamp(moment_ns)}-{secrets.token_hex(4)}"


def time_ns(of: str) -> int:
    """Return the moment of an id, or of a `stamp`: nanoseconds since the epoch, UTC.

    Raises:
        ValueError: it holds no time.
    """
    if not _STAMP.match(of):
        raise ValueError(f"{of!r} holds no time")
    minute, second, micros = int(of[11:13]), int(of[13:15]), int(of[16:22])
    if minute > 59 or second > 59:  # noqa: PLR2004 - of a clock; ids know no leap seconds, as POSIX time does not
        raise ValueError(f"{of!r} holds no time")
    return _hour_ns(of[:11]) + (minute * 60 + second) * 1_000_000_000 + micros * 1000


def hour(of: str) -> str:
    """Return the name of the folder of the hour of an id, or of a `stamp`: `2026-11-20T20`."""
    return f"{of[:4]}-{of[4:6]}-{of[6:11]}"


def is_object_id(text: str) -> bool:
    """Tell whether `text` is the id of an object."""
    return _OBJECT.fullmatch(text) is not None and _holds_time(text)


def is_update_id(text: str) -> bool:
    """Tell whether `text` is the id of an update."""
    return _UPDATE.fullmatch(text) is not None and _holds_time(text)


def nth(object_id: str, index: int) -> str:
    """Return the id of an update of an object.

    Args:
        object_id: of the object.
        index: from 0, below `MAX_UPDATES`.
    """
    return object_id if index == 0 else f"{object_id}.{index:04d}"


def object_of(update_id: str) -> str:
    """Return the id of the object that holds an update."""
    return update_id[:_OBJECT_LENGTH]


def _holds_time(text: str) -> bool:
    try:
        time_ns(text)
    except ValueError:
        return False
    return True


@functools.lru_cache(maxsize=256)
def _hour_ns(text: str) -> int:
    # `time.strptime` knows how many days a month has.
    return calendar.timegm(time.strptime(text, "%Y%m%dT%H")) * 1_000_000_000
