"""How fast a run goes and when it will be done, from the numbers that it keeps."""

from __future__ import annotations

import collections
import dataclasses
import time
from collections.abc import Callable

from cloudsync_core.engine.progress import Phase, Progress

WINDOW_SECONDS = 15.0
"""How far the rate looks back: long enough to be calm, short enough to be true."""


@dataclasses.dataclass(frozen=True, slots=True)
class Reading:
    """The progress of a run at one moment.

    Attributes:
        phase: what the run is doing.
        source_listed: objects of the source seen so far; likewise of the target.
        target_listed: see above.
        planned_objects: actions planned so far; likewise their bytes.
        planned_bytes: see above.
        done_objects: actions finished; likewise bytes moved.
        done_bytes: see above.
        bytes_per_second: of late.
        seconds_left: `None` while the plan is not complete, or nothing moves.
    """

    phase: Phase
    source_listed: int
    target_listed: int
    planned_objects: int
    planned_bytes: int
    done_objects: int
    done_bytes: int
    bytes_per_second: float
    seconds_left: float | None

    @property
    def plan_is_complete(self) -> bool:
        """Whether what is planned is all there will be; until then it runs just ahead of what is done."""
        return self.phase != "comparing"

    @property
    def activity(self) -> str:
        """What the run is doing, in words."""
        return "comparing and transferring" if self.phase == "comparing" and self.planned_objects else self.phase


class Meter:
    """Reads the progress of one run; each reading adds to what the rate is computed from.

    Args:
        progress: the run's numbers.
        clock: returns seconds.
    """

    def __init__(self, progress: Progress, clock: Callable[[], float] = time.monotonic) -> None:
        self._progress = progress
        self._clock = clock
        self._past: collections.deque[tuple[float, int, int]] = collections.deque([(clock(), 0, 0)])

    def read(self) -> Reading:
        """Return the progress now."""
        progress, now = self._progress, self._clock()
        objects, moved = progress.done_objects, progress.done_bytes
        while len(self._past) > 1 and now - self._past[0][0] > WINDOW_SECONDS:
            self._past.popleft()
        then, moved_then, objects_then = self._past[0]
        self._past.append((now, moved, objects))
        elapsed = max(now - then, 1e-3)
        rates = ((moved - moved_then) / elapsed, (objects - objects_then) / elapsed)
        left = (progress.planned_bytes - moved, progress.planned_objects - objects)
        return Reading(
            phase=progress.phase,
            source_listed=progress.source_listed,
            target_listed=progress.target_listed,
            planned_objects=progress.planned_objects,
            planned_bytes=progress.planned_bytes,
            done_objects=objects,
            done_bytes=moved,
            bytes_per_second=rates[0],
            seconds_left=None if progress.phase == "comparing" else _time_left(left, rates),
        )


def _time_left(left: tuple[int, int], rates: tuple[float, float]) -> float | None:
    """Return the longer of the times that bytes and objects need: small objects cost requests, large ones bytes."""
    times = [amount / rate for amount, rate in zip(left, rates, strict=True) if rate > 0]
    return max(0.0, *times) if times else None
