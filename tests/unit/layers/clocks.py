"""A clock that goes on when somebody waits: limits in time are tested without any."""

import threading


class Clock:
    """Seconds that pass when `stop.wait` is called.

    Attributes:
        now: seconds.
        stop: an event whose waits take no time; set, it returns at once.
        stop_at: the moment at which somebody sets it.
    """

    def __init__(self):
        self.now = 100.0
        self.stop_at = float("inf")
        self.stop = _Waits(self)

    def __call__(self):
        return self.now


class _Waits(threading.Event):
    def __init__(self, clock):
        super().__init__()
        self._clock = clock

    def wait(self, timeout=None):
        assert timeout is not None
        self._clock.now = min(self._clock.now + timeout, max(self._clock.now, self._clock.stop_at))
        if self._clock.now >= self._clock.stop_at:
            self.set()
        return self.is_set()
