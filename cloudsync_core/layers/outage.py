"""When a store that serves nothing any more ends a run, instead of failing every object after a wait of its own."""

from __future__ import annotations

import threading


class Outage:
    """For how long every operation that was tried has failed for a passing reason; many threads may tell at once.

    Args:
        operations: that must have failed in a row, with all their attempts.
        seconds: that must lie between the first of these failures and the last.
    """

    def __init__(self, *, operations: int = 20, seconds: float = 120.0) -> None:
        self._operations = operations
        self._seconds = seconds
        self._lock = threading.Lock()
        self._failed = 0
        self._since = 0.0

    def over(self) -> None:
        """Hear that an operation has succeeded."""
        # Without the lock: this is on the way of every object, and a failure that it races with may count or not.
        self._failed = 0

    def goes_on(self, now: float) -> float | None:
        """Hear that an operation has failed for good; return for how many seconds all have, when that is too long.

        Args:
            now: seconds of a clock that never goes back.
        """
        with self._lock:
            if not self._failed:
                self._since = now
            self._failed += 1
            lasted = now - self._since
            return lasted if self._failed >= self._operations and lasted >= self._seconds else None
