"""So much a second, and no more: the token bucket under the limits of a run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from cloudsync_core.errors import CancelledError

LOOK_AGAIN = 1.0
"""Seconds after which somebody who waits asks for the rate again: it may have changed by the clock."""

_NEGLIGIBLE = 1e-6
"""Seconds that are not worth a wait, nor what rounding makes of none."""


class Pace:
    """Lets amounts pass at a rate, in the order in which they are asked for; many threads may ask at once.

    After a pause, what would have passed in `burst` seconds may pass at once. An amount that is larger than that waits
    for its whole time and is not cut.

    Args:
        rate: returns how much may pass in a second from now on, or `None` for no limit.
        stop: ends every wait.
        burst: seconds.
        clock: returns seconds that never go back.
    """

    def __init__(
        self,
        rate: Callable[[], float | None],
        stop: threading.Event,
        *,
        burst: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rate = rate
        self._stop = stop
        self._burst = burst
        self._clock = clock
        self._lock = threading.Lock()
        # Both are sums since the beginning: whoever has asked passes when what is allowed has reached his place.
        self._asked = 0.0
        self._allowed = 0.0
        self._given_back = 0.0
        self._filled_at: float | None = None

    def give_back(self, amount: float) -> None:
        """Let `amount` pass without a wait, now or later: as much was or will be taken that does not have to pass."""
        with self._lock:
            self._given_back += amount

    def take(self, amount: float) -> None:
        """Wait until `amount` more may pass.

        Raises:
            CancelledError: the run was stopped meanwhile.
        """
        with self._lock:
            # Before the amount is added: a pause fills the bucket, waiting for this amount does not.
            self._fill()
            free = min(self._given_back, amount)
            self._given_back -= free
            if amount and free == amount:
                return
            self._asked += amount - free
            place = self._asked
        while (wait := self._seconds_until(place)) > _NEGLIGIBLE:
            if self._stop.wait(min(wait, LOOK_AGAIN)):
                raise CancelledError("interrupted")

    def _seconds_until(self, place: float) -> float:
        with self._lock:
            rate = self._fill()
            return 0.0 if rate is None else (place - self._allowed) / rate

    def _fill(self) -> float | None:
        """Allow what the time that has passed allows, and return the rate from now on."""
        now, rate = self._clock(), self._rate()
        if rate is None:
            self._allowed = max(self._allowed, self._asked)
        else:
            full = self._asked + rate * self._burst
            passed = self._burst if self._filled_at is None else now - self._filled_at
            self._allowed = min(self._allowed + rate * passed, full)
        self._filled_at = now
        return rate
