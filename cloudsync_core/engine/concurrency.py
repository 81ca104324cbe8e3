"""How many operations run at once: found out while they run.

More at once hide the latency of a store; once the line, the store or this machine's processors are busy, they only
cost. Where that point lies cannot be known, and it moves. So the width is doubled as long as what gets done grows with
it, then made smaller as long as nothing is lost, and tried again now and then. A store that throttles ends any growth.

How busy this process is tells where to begin: one that mostly waits is far from its limit, and its width grows by
leaps. One that uses most of a processor is near it, because Python runs in one thread at a time, and they fight for it.
"""

from __future__ import annotations

import enum
import threading
import time
from collections.abc import Callable

from cloudsync_core.errors import BackendError, ThrottledError

FIRST_WIDTH = 4
"""How many operations begin: what a near store needs."""

OBJECT_COST = 64 * 1024
"""Bytes that count as the work of an object besides its content: requests cost something, however small it is."""

_INTERVAL = 0.2
"""Seconds that a measurement takes at least: four round trips of 50 ms."""

_RAMP_INTERVAL = 0.1
"""The same at first, when a doubling shows clearly or not at all."""

_SLOW_INTERVAL = 2.0
"""Seconds after which it ends even if few operations have: those of large objects take longer."""

_LEAP, _RAMP, _STEP = 4.0, 2.0, 1.5
"""The factors by which the width grows at first where this process mostly waits, and where it does so partly; and by
which it changes where the process is busy, and later."""

_WAITING, _BUSY = 0.25, 0.7
"""Seconds of processor time that this process uses in a second: up to here it mostly waits, from here on it is busy."""

_GAIN = 0.15
"""The growth of throughput that doubling the width has to bring; smaller steps, in proportion."""

_LOSS = 0.06
"""The loss of throughput, in all, that a smaller width may cost."""

_FIRST_HOLD, _LONGEST_HOLD = 1.0, 16.0
"""Seconds until the next try; doubled after each one that changed nothing."""

_MOVED = 0.3
"""The change of throughput from which on something else is the bottleneck, and what was found out no longer holds."""

_COOLING = 0.5
"""Seconds after a step back in which further refusals are those of operations that had begun before it."""

_WARY = 10.0
"""Seconds for which the width at which a store throttled is not reached again."""

_SHORT = 0.25
"""The share of objects before which a worker had to wait for work, from which on more workers would not help."""


class _Phase(enum.Enum):
    GROWING = "growing"
    SHRINKING = "shrinking"
    SETTLED = "settled"


class Concurrency:
    """The width: how many operations may run at once.

    It is read by any thread, told of throttling by any, and looks at what gets done in one.

    Attributes:
        width: from 1 to the most allowed.

    Args:
        most: the upper bound.
        passed: returns the bytes of content that have passed so far.
        clock: returns seconds that never go back.
        used: returns the seconds of processor time that this process has used.
    """

    def __init__(
        self,
        most: int,
        *,
        passed: Callable[[], int] = lambda: 0,
        clock: Callable[[], float] = time.monotonic,
        used: Callable[[], float] = time.process_time,
    ) -> None:
        self._most = most
        self._passed = passed
        self._clock = clock
        self._used = used
        self._lock = threading.Lock()
        self._ceiling = most
        self._wary_until = self._cool_at = float("-inf")
        self.begin()

    def begin(self, most: int | None = None) -> None:
        """Start anew, with other work: nothing is known of it.

        Args:
            most: the upper bound from now on, where it is another one.
        """
        with self._lock:
            self._most = self._most if most is None else most
            now = self._clock()
            self.width = self._good = self._tried_from = min(FIRST_WIDTH, self._limit(now))
            self._phase = _Phase.GROWING
            self._ramping, self._grown, self._interval = True, 1.0, _RAMP_INTERVAL
            self._reference: float | None = None
            self._hold = _FIRST_HOLD
            self._settled_at = now
            self._warming = True
            self._measure_from(now, 0, 0)

    def hear(self, error: BackendError) -> None:
        """Step back at once if the store refused an operation because there were too many; from any thread."""
        if not isinstance(error, ThrottledError):
            return
        with self._lock:
            now = self._clock()
            if now < self._cool_at:
                return
            self._cool_at = now + _COOLING
            self._wary_until = now + _WARY
            self._ceiling = max(1, self.width - 1)
            self._good = max(1, self.width // 2)
            self._settle(now)
            self._reference, self._warming = None, True

    def look(self, finished: int, starved: int = 0) -> None:
        """Look at what gets done, and change the width if that tells something; from one thread, as often as it likes.

        Args:
            finished: objects finished since `begin`.
            starved: how often since `begin` a worker found nothing to do.
        """
        now = self._clock()
        if now - self._since < self._interval and not self._warming:
            return
        with self._lock:
            done, seconds = finished - self._finished, now - self._since
            if self._warming:
                # Those under way when the width changed, and those that had to open a connection, tell nothing.
                if done >= self.width or seconds >= _SLOW_INTERVAL:
                    self._warming = False
                    self._measure_from(now, finished, starved)
                return
            if done < 2 * self.width and seconds < _SLOW_INTERVAL:
                return
            rate = (done * OBJECT_COST + self._passed() - self._bytes) / seconds
            width = self.width
            self._busy = (self._used() - self._used_before) / seconds
            self._decide(now, rate, enough=starved - self._starved < _SHORT * done)
            self._warming = self.width != width
            self._measure_from(now, finished, starved)

    def _decide(self, now: float, rate: float, *, enough: bool) -> None:
        if self._phase is _Phase.GROWING:
            self._grow(now, rate, enough=enough)
        elif self._phase is _Phase.SHRINKING:
            self._shrink(now, rate)
        else:
            self._rest(now, rate, enough=enough)

    def _grow(self, now: float, rate: float, *, enough: bool) -> None:
        before = self._reference
        if before is None or rate >= before * (1 + _GAIN * (self._grown - 1)):
            self._good, self._reference = self.width, rate
            if enough and self._widen(now):
                return
            if before is not None and enough:
                # As wide as it may be, and it was worth it.
                self._settle(now)
                return
        self.width = self._good
        self._narrow(now)

    def _shrink(self, now: float, rate: float) -> None:
        assert self._reference is not None
        # Held against what was before the first step, so that small losses do not add up.
        if rate >= self._reference * (1 - _LOSS):
            self._good = self.width
            # Half of what is better than before may be chance.
            self._reference = max(self._reference, (self._reference + rate) / 2)
            self._narrow(now)
        else:
            self._settle(now)

    def _rest(self, now: float, rate: float, *, enough: bool) -> None:
        if self._reference is None:
            self._reference = rate
        moved = abs(rate - self._reference) > _MOVED * self._reference
        if now < self._settled_at + (_FIRST_HOLD if moved else self._hold):
            return
        self._reference, self._good, self._tried_from, self._ramping = rate, self.width, self.width, moved
        if enough and self._widen(now):
            self._phase = _Phase.GROWING
        else:
            self._narrow(now)

    def _widen(self, now: float) -> bool:
        """Make the width larger, or return false where it is as large as it may be."""
        factor = _STEP
        if self._ramping and self._busy < _BUSY:
            factor = _LEAP if self._busy < _WAITING else _RAMP
        wider = min(self._limit(now), max(self.width + 1, round(self.width * factor)))
        if wider <= self.width:
            return False
        self._grown, self.width = wider / self.width, wider
        return True

    def _narrow(self, now: float) -> None:
        """Make the width smaller by a step, and see what becomes of it."""
        narrower = max(int(self.width / _STEP), FIRST_WIDTH)
        if narrower >= self.width:
            # Only a store that throttles gets fewer than it began with: some wait while others work.
            self._settle(now)
            return
        self.width = narrower
        self._phase, self._interval = _Phase.SHRINKING, _INTERVAL

    def _settle(self, now: float) -> None:
        """Stay at the last width that was good."""
        self.width = self._good
        self._phase, self._interval = _Phase.SETTLED, _INTERVAL
        self._settled_at = now
        self._hold = min(self._hold * 2, _LONGEST_HOLD) if self._good == self._tried_from else _FIRST_HOLD
        self._tried_from = self._good

    def _limit(self, now: float) -> int:
        return min(self._most, self._ceiling) if now < self._wary_until else self._most

    def _measure_from(self, now: float, finished: int, starved: int) -> None:
        self._since, self._finished, self._starved, self._bytes = now, finished, starved, self._passed()
        self._used_before = self._used()
