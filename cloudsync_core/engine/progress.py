"""How far a run has come, as numbers that a display may read at any time."""

from __future__ import annotations

import dataclasses
import threading
from typing import Literal

from cloudsync_core.runs import Side

Phase = Literal["comparing", "transferring", "deleting", "done"]


@dataclasses.dataclass(slots=True)
class Progress:
    """The numbers of one run; written by the run's threads, read by whoever shows them.

    Attributes:
        phase: what the run is doing; transfers already go on while the listings are compared.
        source_listed: objects that the source's listing has shown so far.
        target_listed: likewise of the target.
        planned_objects: actions planned so far; final once `phase` is no longer "comparing".
        planned_bytes: content bytes of these.
        done_objects: actions finished, failed ones included.
        done_bytes: content bytes that have passed through this machine, those of failed attempts included.
    """

    phase: Phase = "comparing"
    source_listed: int = 0
    target_listed: int = 0
    planned_objects: int = 0
    planned_bytes: int = 0
    done_objects: int = 0
    done_bytes: int = 0
    _lock: threading.Lock = dataclasses.field(default_factory=threading.Lock, repr=False)

    def listed(self, side: Side, count: int) -> None:
        """Count objects that a listing has shown."""
        if side == "source":
            self.source_listed += count
        else:
            self.target_listed += count

    def add_bytes(self, count: int) -> None:
        """Count content bytes; called from many threads."""
        with self._lock:
            self.done_bytes += count
