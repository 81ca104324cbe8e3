"""How many bytes of content may pass in a second, by the time of the week."""

from __future__ import annotations

import bisect
import dataclasses
import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import Self

from cloudsync_core.engine.quantities import parse_bytes
from cloudsync_core.layers.pace import Pace

_BURST = 0.1
"""Seconds' worth that may pass at once: enough to keep a line busy, too little for anybody to notice."""

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAY = 24 * 60
_ENTRY = re.compile(r"(?:(?P<day>[A-Za-z]+)-)?(?P<hour>\d{1,2}):(?P<minute>\d{2}),(?P<rate>\S+)")


@dataclasses.dataclass(frozen=True, slots=True)
class Timetable:
    """Limits, each from a minute of the week until the next one's.

    Attributes:
        text: as `parse` takes it.
        minutes: of the week that begins on Monday at midnight, ascending.
        rates: bytes a second from each of them on, or `None` for no limit; the last one goes on into the next week.
    """

    text: str
    minutes: tuple[int, ...]
    rates: tuple[int | None, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the timetable that a user wrote: a rate, `10MiB` or `off`, or times with rates.

        `08:00,512KiB 19:00,off` is for every day, and `Mon-08:00,10MiB` for one; an entry of a day goes before one of
        every day for the same minute.

        Raises:
            ValueError: says which entry is wrong, and what would be right.
        """
        words = text.split()
        if not words:
            raise ValueError("must not be empty; write 'off' for no limit")
        if len(words) == 1 and "," not in words[0]:
            return cls(words[0], (0,), (_rate(words[0]),))
        every_day: dict[int, int | None] = {}
        one_day: dict[int, int | None] = {}
        for word in words:
            minutes, rate, named = _entry(word)
            entries = one_day if named else every_day
            if minutes[0] in entries:
                raise ValueError(f"'{word}': that time is there twice")
            entries.update(dict.fromkeys(minutes, rate))
        table = sorted((every_day | one_day).items())
        return cls(" ".join(words), tuple(minute for minute, _ in table), tuple(rate for _, rate in table))

    @property
    def limits(self) -> bool:
        """Whether there is a limit at any time."""
        return any(rate is not None for rate in self.rates)

    def rate(self, now: time.struct_time) -> int | None:
        """Return the bytes a second that may pass at a local time, or `None` for no limit."""
        minute = now.tm_wday * _DAY + now.tm_hour * 60 + now.tm_min
        # Before the first entry of the week it is the last one, at index -1, that goes on.
        return self.rates[bisect.bisect_right(self.minutes, minute) - 1]

    def __str__(self) -> str:
        return self.text


class Bandwidth:
    """The limit of one run on the bytes of its objects; many threads may take at once.

    Args:
        timetable: what holds when.
        stop: ends every wait.
        clock: returns seconds that never go back.
        now: returns the local time.
    """

    def __init__(
        self,
        timetable: Timetable,
        stop: threading.Event,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], time.struct_time] = time.localtime,
    ) -> None:
        self._pace = Pace(lambda: timetable.rate(now()), stop, burst=_BURST, clock=clock)

    def take(self, count: int) -> None:
        """Wait until `count` more bytes may pass.

        Raises:
            CancelledError: the run was stopped meanwhile.
        """
        self._pace.take(count)

    def give_back(self, count: int) -> None:
        """Let `count` bytes pass without a wait: as many were or are taken that do not have to pass after all."""
        self._pace.give_back(count)


def _entry(word: str) -> tuple[list[int], int | None, bool]:
    """Return the minutes of the week that an entry is for, its rate, and whether it names a day."""
    match = _ENTRY.fullmatch(word)
    if match is None:
        raise ValueError(f"'{word}' is no time and rate: write 08:00,512KiB or Mon-08:00,512KiB, with spaces between")
    hour, minute = int(match["hour"]), int(match["minute"])
    if hour > 23 or minute > 59:  # noqa: PLR2004 - a time of day
        raise ValueError(f"'{word}': there is no such time of day")
    minutes = [day * _DAY + hour * 60 + minute for day in _days(word, match["day"])]
    return minutes, _rate(match["rate"]), match["day"] is not None


def _days(word: str, name: str | None) -> Iterator[int]:
    if name is None:
        yield from range(len(_DAYS))
    elif name.capitalize() in _DAYS:
        yield _DAYS.index(name.capitalize())
    else:
        raise ValueError(f"'{word}': a day is one of {', '.join(_DAYS)}")


def _rate(text: str) -> int | None:
    if text.lower() == "off":
        return None
    rate = parse_bytes(text)
    if not rate:
        raise ValueError(f"'{text}' would let nothing pass; write 'off' for no limit")
    return rate
