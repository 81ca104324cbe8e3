"""What may have changed and is still being written, for all that anybody knows: it is left alone until it is quiet."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable
from typing import Final

from cloudsync_core.engine.part import Part
from cloudsync_core.event_source import Hints
from cloudsync_core.models import ObjectInfo, Version

MOST: Final = 10_000
"""Keys and folders that are remembered one by one; where there are more, everything is looked at instead."""

_SECOND_NS: Final = 1_000_000_000


@dataclasses.dataclass(slots=True)
class _Mark:
    """When a key is to be looked at, and what it was when it was looked at last."""

    due: float
    version: Version | None = None


class Unsettled:
    """The keys that are to be looked at, and when; of a bounded size.

    Each hint at a key puts off the look, so that what is written in many steps is looked at once.

    Args:
        quiet: seconds for which an object must not have changed.
        clock: returns seconds that never go back.
        now_ns: returns nanoseconds since the epoch, by the clock that the objects' times are by.
    """

    def __init__(
        self,
        quiet: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._quiet = quiet
        self._clock = clock
        self._now_ns = now_ns
        self._marks: dict[str, _Mark] = {}
        self._looked_at: dict[str, _Mark] = {}
        self._everything: float | None = None

    def __len__(self) -> int:
        return len(self._marks)

    @property
    def due(self) -> float | None:
        """When the next look is due, by the clock; `None` where none is."""
        times = [mark.due for mark in self._marks.values()]
        if self._everything is not None:
            times.append(self._everything)
        return min(times, default=None)

    def hint(self, hints: Hints) -> None:
        """Put off the look at what may be changing just now."""
        due = self._clock() + self._quiet
        for name in (*hints.keys, *hints.folders):
            self._put(name, due)

    def everything_within(self, seconds: float) -> None:
        """Have everything looked at in so many seconds, or earlier if that was due anyway."""
        due = self._clock() + seconds
        self._everything = due if self._everything is None else min(due, self._everything)

    def again(self, keys: Iterable[str], seconds: float) -> None:
        """Have keys looked at once more in so many seconds."""
        due = self._clock() + seconds
        for key in keys:
            self._put(key, due)

    def take_everything(self) -> bool:
        """Tell whether a look at everything is due; it is one at what is due of the rest, too."""
        if self._everything is None or self._everything > self._clock():
            return False
        self._everything = None
        self._take_due()
        return True

    def take(self) -> Part | None:
        """Return the keys and folders that are due, or `None`."""
        due = self._take_due()
        if not due:
            return None
        return Part([name for name in due if not name.endswith("/")], [name for name in due if name.endswith("/")])

    def settled(self, info: ObjectInfo) -> bool:
        """Tell whether an object is quiet: nothing says that it is still being written.

        It is when there was no hint at it for so many seconds and it is the same as then, by its version, or has not
        changed for so long, by its own time. One that is not quiet is due once more when it may be.
        """
        now = self._clock()
        if info.key in self._marks:
            # There was a hint since the look began.
            return False
        seen = self._looked_at.get(info.key)
        age_ns = self._now_ns() - info.modified_ns
        if age_ns >= self._quiet * _SECOND_NS or (seen is not None and seen.version == info.version and info.version):
            return True
        # Of an object of the future nothing but a second look tells.
        rest = self._quiet - age_ns / _SECOND_NS if age_ns >= 0 else self._quiet
        self._put(info.key, now + rest, info.version)
        return False

    def _take_due(self) -> list[str]:
        now = self._clock()
        self._looked_at = {name: mark for name, mark in self._marks.items() if mark.due <= now}
        for name in self._looked_at:
            del self._marks[name]
        return list(self._looked_at)

    def _put(self, name: str, due: float, version: Version | None = None) -> None:
        if name not in self._marks and len(self._marks) >= MOST:
            self._marks.clear()
            self.everything_within(self._quiet)
            return
        self._marks[name] = _Mark(due, version)
