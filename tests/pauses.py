"""Runs without their pauses, for tests of what comes of a run and not of when.

How long attempts wait for each other is shown by `tests/faults/test_retries.py`, and what the moment is good for that a
lease is watched after it was taken over by `tests/engine/test_lease.py`.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING

from cloudsync_core.engine.lease import PACE, Lease
from cloudsync_core.layers.retry import RetryPolicy
from cloudsync_core.workflows import sides

if TYPE_CHECKING:
    import pytest

HASTY = dataclasses.replace(PACE, settle=0.02)
"""Nobody else takes over the lease of a run that has died."""


def leave_out(patch: pytest.MonkeyPatch) -> None:
    """Let attempts follow each other at once, and let a lease that was taken over be held at once."""
    patch.setattr(sides, "RetryPolicy", functools.partial(RetryPolicy, first_wait=0))
    patch.setattr(sides, "Lease", functools.partial(Lease, pace=HASTY))
