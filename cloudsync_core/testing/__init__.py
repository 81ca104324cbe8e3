"""What plugin authors test with; it ships in the wheel and needs pytest (`pip install cloudsync-core[testing]`)."""

import pytest

# Without this a failing clause would say "AssertionError" and nothing else: pytest rewrites only test modules.
pytest.register_assert_rewrite("cloudsync_core.testing.clauses")

from cloudsync_core.testing.conformance import BackendContract, MakeBackend  # noqa: E402 - after the line above
from cloudsync_core.testing.corpus import CORPUS, Case  # noqa: E402 - likewise

__all__ = ["CORPUS", "BackendContract", "Case", "MakeBackend"]
