"""The conformance suite: a test for every clause of the backend contract, to be run on a backend by its authors.

A plugin's tests subclass `BackendContract` and say how to open a backend; pytest does the rest::

    from cloudsync_core.testing import BackendContract

    class TestDemoBackend(BackendContract):
        @pytest.fixture
        def make_backend(self, demo_server):
            place = demo_server.make_container()
            return lambda root="first": open_demo(demo_server, place if root != "missing" else "no-such", root)

Where a capability is not declared, the same test asserts clause C1 instead, that what is not declared is refused and
changes nothing, and is then reported as skipped, with the capability. No other skip is possible, and a clause that is
not kept has to be declared: see `cloudsync_core.testing.wholeness`.
"""

from __future__ import annotations

from cloudsync_core.testing.clauses.conditions import ConditionClauses
from cloudsync_core.testing.clauses.deleting import DeletingClauses
from cloudsync_core.testing.clauses.failing import FailingClauses
from cloudsync_core.testing.clauses.listing import ListingClauses
from cloudsync_core.testing.clauses.reading import ReadingClauses
from cloudsync_core.testing.clauses.resuming import ResumingClauses
from cloudsync_core.testing.clauses.setting import MakeBackend, Root
from cloudsync_core.testing.clauses.sharing import SharingClauses
from cloudsync_core.testing.clauses.writing import WritingClauses

__all__ = ["BackendContract", "MakeBackend", "Root"]


class BackendContract(
    ListingClauses,
    ReadingClauses,
    WritingClauses,
    ResumingClauses,
    ConditionClauses,
    DeletingClauses,
    SharingClauses,
    FailingClauses,
):
    """Every clause. Subclass it in a test module, name the class `Test…`, and override `make_backend`.

    See `Setting` for what else may be declared: `departures`, `refuses`, `no_missing_container`, `leftovers` and
    `cut_off`.
    """
