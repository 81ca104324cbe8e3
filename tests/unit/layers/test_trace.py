"""The requests of the report are the ones that were made."""

import concurrent.futures

import pytest

from cloudsync_core.backends.memory import PAGE_SIZE
from cloudsync_core.body import Body
from cloudsync_core.errors import ObjectNotFoundError, UnavailableError
from cloudsync_core.layers.retry import Retry, RetryPolicy
from cloudsync_core.layers.trace import RequestCounts, Trace

from .scripted import Fault, Scripted


@pytest.fixture
def counts() -> RequestCounts:
    return RequestCounts()


def test_each_verb_is_counted(memory, counts):
    side = Trace(memory, counts)
    info = side.put("k", Body(b"content"))
    side.put("l", Body(b"content"))
    with side.get("k"):
        pass
    side.copy(side, info, "copied")
    side.delete("k")
    with pytest.raises(ObjectNotFoundError):
        side.stat("k")
    assert counts.as_dict() == {"stat": 1, "get": 1, "put": 2, "copy": 1, "delete": 1}


def test_a_listing_counts_its_pages(memory, counts):
    for number in range(PAGE_SIZE + 1):
        memory.put(f"{number}", Body(b""))
    assert sum(len(page) for page in Trace(memory, counts).list()) == PAGE_SIZE + 1
    assert counts.as_dict() == {"list": 2}


def test_an_empty_listing_counts_its_one_request(memory, counts):
    assert list(Trace(memory, counts).list()) == []
    assert counts.as_dict() == {"list": 1}


def test_the_page_that_fails_counts(memory, counts):
    memory.put("k", Body(b""))
    inner = Scripted(memory)
    inner.faults["list"] = [Fault(UnavailableError("down"), after_pages=1)]
    with pytest.raises(UnavailableError):
        list(Trace(inner, counts).list())
    assert counts.as_dict() == {"list": 2}


@pytest.mark.parametrize(("bulk_delete_max", "requests"), [(1, 5), (2, 3), (5, 1), (1000, 1)])
def test_a_bulk_delete_counts_its_batches(memory, counts, bulk_delete_max, requests):
    side = Trace(Scripted(memory, bulk_delete_max=bulk_delete_max), counts)
    assert len(list(side.delete_many([(f"{number}", None) for number in range(5)]))) == 5
    assert counts.as_dict() == {"delete": requests}


def test_inside_retry_every_attempt_counts(memory, counts):
    memory.put("k", Body(b""))
    inner = Scripted(memory)
    inner.faults["stat"] = [Fault(UnavailableError("down"))] * 2
    Retry(Trace(inner, counts), RetryPolicy(first_wait=0)).stat("k")
    assert counts.as_dict() == {"stat": 3}


def test_no_count_is_lost_between_threads(counts):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: [counts.add("stat") for _ in range(5_000)], range(8)))
    assert counts.as_dict() == {"stat": 40_000}
