"""Topics whose oldest update could not be delivered: it is tried again, and what comes after it waits."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterable
from typing import Final

from cloudsync_core.channels.scan import Listed

MANY: Final = 1000
"""Topics that may fail at a time; then nothing else is delivered until some of them have come to an end."""

_REMEMBERED: Final = 10_000
"""Objects of which is remembered that all in them waits."""


@dataclasses.dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before an update is delivered again.

    Half of each wait is random, which spreads what has failed together.

    Attributes:
        first: seconds, at most, after the first attempt; twice as many after each further one.
        most: seconds, at most.
    """

    first: float = 1.0
    most: float = 60.0

    def __call__(self, failed: int) -> float:
        """Return the seconds to wait after so many attempts."""
        return min(self.most, self.first * 2.0 ** (failed - 1)) * random.uniform(0.5, 1.0)  # noqa: S311 - no secret


@dataclasses.dataclass(frozen=True, slots=True)
class Waiting:
    """An update that is tried again.

    Attributes:
        listed: the object that holds it.
        id: of the update.
        topic: of the update.
        attempts: how often it was tried.
        due: when it is tried again: seconds of the monotonic clock.
        succeeded: which of the deliverers have delivered it.
    """

    listed: Listed
    id: str
    topic: str
    attempts: int
    due: float
    succeeded: frozenset[int]


class Failing:
    """The topics that fail, and what is put off because of them; in memory, and bounded."""

    def __init__(self) -> None:
        self._waiting: dict[str, Waiting] = {}
        self._behind: set[str] = set()
        self._put_off: dict[str, tuple[frozenset[str], frozenset[str]]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def next_due(self) -> float | None:
        """When the next update is tried again: seconds of the monotonic clock; `None` where none is."""
        return min((one.due for one in self._waiting.values()), default=None)

    @property
    def freed(self) -> bool:
        """Whether something that was put off can be delivered now."""
        return not self._behind <= self._waiting.keys()

    def due(self, now: float) -> list[Waiting]:
        """Return the updates that are to be tried again, in the order of their ids."""
        return sorted((one for one in self._waiting.values() if one.due <= now), key=lambda one: one.id)

    def begin_pass(self) -> None:
        """Hear that all that was put off comes again, in order."""
        self._behind.clear()

    def has(self, topic: str, update_id: str) -> bool:
        """Tell whether it is this update that is tried again."""
        found = self._waiting.get(topic)
        return found is not None and found.id == update_id

    def blocks(self, topic: str) -> bool:
        """Tell whether a later update of a topic has to wait in this pass."""
        return topic in self._waiting or topic in self._behind

    def wait(self, waiting: Waiting) -> None:
        """Have an update tried again."""
        self._waiting[waiting.topic] = waiting

    def end(self, topic: str) -> None:
        """Hear that the update of a topic that was tried again is settled."""
        self._waiting.pop(topic, None)

    def put_off(self, object_id: str, behind: Iterable[str], failed: Iterable[str], *, nothing_else: bool) -> None:
        """Hear that updates of an object wait.

        Args:
            object_id: the object.
            behind: the topics of those that come after one that is tried again.
            failed: the topics of those that are tried again themselves.
            nothing_else: all else in it is settled, so that it need not be read while they wait.
        """
        after = frozenset(behind)
        self._behind |= after
        if nothing_else and len(self._put_off) < _REMEMBERED:
            self._put_off[object_id] = (after, frozenset(failed))

    def still_put_off(self, object_id: str) -> bool:
        """Tell whether all that is not settled of an object is known to wait; forget it where that has changed."""
        found = self._put_off.get(object_id)
        if found is None:
            return False
        behind, failed = found
        if failed <= self._waiting.keys() and all(self.blocks(topic) for topic in behind):
            self._behind |= behind
            return True
        del self._put_off[object_id]
        return False
