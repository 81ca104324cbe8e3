"""docs/support-matrix.md says what the runs come to."""

from cloudsync_core.testing.corpus import CORPUS
from tests.equivalence.ends import Pair
from tests.equivalence.expectation import expected
from tests.equivalence.matrix import page
from tests.equivalence.names import LEFT_OUT, refusal
from tests.equivalence.writing import PAGE, writer_of


def test_the_page_is_what_the_runs_come_to(ends, fresh_place, request):
    """Each pair is held to what is expected of it by `test_equivalence`; here the page is."""
    records = {
        (source, target): expected(Pair(first, second)).records
        for source, first in ends.items()
        for target, second in ends.items()
    }
    refusals = refused(fresh_place, ends)
    writer = writer_of(request.config)
    if writer is not None:
        assert writer.records.keys() == records.keys(), "the runs of some pairs failed"
        PAGE.write_text(page(ends, writer.records, refusals))
    assert PAGE.read_text() == page(ends, records, refusals), "write it anew: python -m tests.equivalence --write"


def refused(fresh_place, ends):
    """Return what is told about the names that are left out: by the case, the stores that refuse it, and why."""
    found = {case.name: {} for case in CORPUS if case.name in LEFT_OUT}
    for name in ends:
        with fresh_place(name, f"names-{name}").open() as backend:
            for case in CORPUS:
                if (reason := refusal(backend, case)) is not None:
                    found[case.name][name] = reason
    return found
