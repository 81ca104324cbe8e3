"""What plugin authors test with; it ships in the wheel.

Everything but `faults` needs pytest (`pip install cloudsync-core[testing]`).
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

if importlib.util.find_spec("pytest") is not None:
    import pytest

    # Without this a failing clause would say "AssertionError" and nothing else: pytest rewrites only test modules.
    pytest.register_assert_rewrite("cloudsync_core.testing.clauses")

if TYPE_CHECKING:
    from cloudsync_core.testing.conformance import BackendContract, MakeBackend
    from cloudsync_core.testing.corpus import CORPUS, Case

__all__ = ["CORPUS", "BackendContract", "Case", "MakeBackend"]

_HOMES = {"CORPUS": "corpus", "Case": "corpus", "BackendContract": "conformance", "MakeBackend": "conformance"}


def __getattr__(name: str) -> Any:
    """Import the clauses at their first use: `cloudsync testremote` comes here before pytest can rewrite them."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
