"""What the retry layer repeats, what it does not, and how it tells its own success from a refusal."""

import pytest

from cloudsync_core.body import Body
from cloudsync_core.errors import (
    AccessDeniedError,
    ObjectExistsError,
    PreconditionFailedError,
    ThrottledError,
    UnavailableError,
)
from cloudsync_core.layers.layer import Layer
from cloudsync_core.layers.retry import Retry, RetryPolicy
from cloudsync_core.models import IF_ABSENT, DeleteResult, Gap, ObjectInfo, Page, Version

from .scripted import Fault, Scripted

POLICY = RetryPolicy(first_wait=0)


def down(**kwargs) -> Fault:
    return Fault(UnavailableError("down"), **kwargs)


@pytest.fixture
def inner(memory) -> Scripted:
    return Scripted(memory)


@pytest.fixture
def side(inner) -> Retry:
    return Retry(inner, POLICY)


class TestReading:
    def test_stat_is_retried(self, side, inner):
        inner.put("k", Body(b"content"))
        inner.faults["stat"] = [down(), down()]
        assert side.stat("k").size == 7

    def test_opening_a_get_is_retried(self, side, inner):
        inner.put("k", Body(b"content"))
        inner.faults["get"] = [down()]
        with side.get("k") as reader:
            assert reader.read() == b"content"
        assert len(inner.called("get")) == 2

    def test_an_error_of_the_bytes_is_not_retried(self, side, inner):
        inner.put("k", Body(b"content"))
        with pytest.raises(UnavailableError), side.get("k"):
            raise UnavailableError("down")
        assert len(inner.called("get")) == 1

    def test_a_get_closes_what_it_opened(self, memory):
        class Counting(Layer):
            opened = closed = 0

            def get(self, key, **kwargs):
                return self

            def __enter__(self):
                self.opened += 1
                return object()

            def __exit__(self, *_):
                self.closed += 1

        inner = Counting(memory)
        with Retry(inner, POLICY).get("k"):
            assert (inner.opened, inner.closed) == (1, 0)
        with pytest.raises(UnavailableError), Retry(inner, POLICY).get("k"):
            raise UnavailableError("down")
        assert (inner.opened, inner.closed) == (2, 2)


class TestPut:
    def test_a_put_is_not_retried_because_its_body_is_spent(self, side, inner):
        inner.faults["put"] = [down()]
        with pytest.raises(UnavailableError):
            side.put("k", Body(iter([b"content"])))
        assert len(inner.called("put")) == 1

    def test_a_whole_transfer_is_retried_by_the_policy_alone(self, side, inner):
        inner.put("from", Body(b"content"))
        inner.faults["get"] = [down(), None, down()]
        inner.faults["put"] = [down()]
        inner.calls.clear()

        def transfer():
            with side.get("from") as reader:
                return side.put("to", Body(reader.chunks(), reader.size))

        assert POLICY.call(transfer).size == 7
        assert [verb for verb, _ in inner.calls] == ["get", "get", "put", "get", "get", "put"]

    def test_a_transfer_that_keeps_failing_ends_after_the_policys_attempts(self, side, inner):
        inner.faults["get"] = [down()] * 100

        def transfer():
            with side.get("from"):
                raise AssertionError("unreachable")

        with pytest.raises(UnavailableError):
            POLICY.call(transfer)
        assert len(inner.called("get")) == POLICY.attempts


class TestDelete:
    def test_a_delete_is_retried(self, side, inner, memory):
        inner.put("k", Body(b"content"))
        inner.faults["delete"] = [down()]
        side.delete("k")
        assert list(memory.list()) == []

    def test_F01_a_delete_whose_answer_was_lost_succeeds(self, side, inner):
        info = inner.put("k", Body(b"content"))
        inner.faults["delete"] = [down(answer_lost=True)]
        side.delete("k", if_match=info.version)

    def test_F01_a_provider_that_calls_its_own_success_a_failed_precondition(self, side, inner, memory):
        info = inner.put("k", Body(b"content"))
        inner.faults["delete"] = [down(answer_lost=True), Fault(PreconditionFailedError("no such version"))]
        side.delete("k", if_match=info.version)
        assert list(memory.list()) == []

    def test_a_refused_precondition_is_believed_while_the_object_is_there(self, side, inner, memory):
        stale = inner.put("k", Body(b"old")).version
        inner.put("k", Body(b"new"))
        inner.faults["delete"] = [down()]
        with pytest.raises(PreconditionFailedError):
            side.delete("k", if_match=stale)
        assert memory.stat("k").size == 3
        assert len(inner.called("delete")) == 2

    def test_a_refused_precondition_is_believed_when_nobody_can_look(self, side, inner):
        info = inner.put("k", Body(b"content"))
        inner.faults["delete"] = [down(answer_lost=True), Fault(PreconditionFailedError("no such version"))]
        inner.faults["stat"] = [Fault(AccessDeniedError("no reading here"))]
        with pytest.raises(PreconditionFailedError):
            side.delete("k", if_match=info.version)

    def test_a_first_attempt_that_is_refused_asks_no_further(self, side, inner):
        inner.faults["delete"] = [Fault(PreconditionFailedError("no such version"))]
        with pytest.raises(PreconditionFailedError):
            side.delete("never-there", if_match=Version("x"))
        assert inner.called("stat") == []


class TestDeleteMany:
    KEYS = ("a", "b", "c")

    @pytest.fixture
    def items(self, inner):
        return [(key, inner.put(key, Body(b"content")).version) for key in self.KEYS]

    def test_only_the_keys_that_may_pass_are_retried(self, side, inner, items, memory):
        inner.faults["delete_many"] = [Fault(ThrottledError("slow"), keys=frozenset("b"))]
        assert sorted(side.delete_many(items), key=lambda result: result.key) == [DeleteResult(key) for key in "abc"]
        assert inner.called("delete_many") == [["a", "b", "c"], ["b"]]
        assert list(memory.list()) == []

    def test_D3_every_key_is_reported_once_when_retries_end(self, side, inner, items):
        inner.faults["delete_many"] = [Fault(ThrottledError("slow"), keys=frozenset("bc"))] * 10
        results = list(side.delete_many(items))
        assert sorted(result.key for result in results) == ["a", "b", "c"]
        assert {result.key for result in results if isinstance(result.error, ThrottledError)} == {"b", "c"}
        assert len(inner.called("delete_many")) == POLICY.attempts

    def test_D3_every_key_is_reported_when_the_request_fails_as_a_whole(self, side, inner, items):
        inner.faults["delete_many"] = [Fault(AccessDeniedError("no"))]
        results = list(side.delete_many(items))
        assert [(result.key, type(result.error)) for result in results] == [(key, AccessDeniedError) for key in "abc"]

    def test_a_request_that_failed_as_a_whole_is_retried(self, side, inner, items):
        inner.faults["delete_many"] = [down(), down(answer_lost=True)]
        assert [result.error for result in side.delete_many(items)] == [None] * 3

    def test_F01_a_key_gone_by_an_earlier_attempt_is_a_success(self, side, inner, items):
        inner.faults["delete_many"] = [
            down(answer_lost=True),
            Fault(PreconditionFailedError("no such version"), keys=frozenset("abc")),
        ]
        assert [result.error for result in side.delete_many(items)] == [None] * 3

    def test_a_key_that_is_there_stays_refused(self, side, inner, items, memory):
        inner.put("b", Body(b"newer"))
        inner.faults["delete_many"] = [down()]
        refused = [result.key for result in side.delete_many(items) if result.error is not None]
        assert refused == ["b"]
        assert memory.stat("b").size == 5

    def test_nothing_to_delete_asks_nothing(self, side, inner):
        assert list(side.delete_many([])) == []
        assert inner.calls == []


class TestCopy:
    def test_a_copy_is_retried(self, side, inner):
        info = inner.put("from", Body(b"content"))
        inner.faults["copy"] = [down()]
        assert side.copy(side, info, "to").size == 7

    def test_a_conditional_copy_that_meets_an_object_is_refused(self, side, inner):
        info = inner.put("from", Body(b"content"))
        inner.faults["copy"] = [down(answer_lost=True)]
        with pytest.raises(ObjectExistsError):
            side.copy(side, info, "to", condition=IF_ABSENT)


class Pages(Layer):
    """Lists one object a page, with the gaps that lie before it."""

    def __init__(self, inner, keys, gaps=()):
        super().__init__(inner)
        self.keys, self.gaps = keys, gaps

    def list(self, prefix="", *, start_after=None, prune=None):
        for key in self.keys:
            if start_after is None or key > start_after:
                gaps = tuple(gap for gap in self.gaps if gap.key < key)
                yield Page.of([ObjectInfo(key, 0, "x", 0)], gaps)


class TestList:
    def keys(self, side, **kwargs):
        return [key for page in side.list(**kwargs) for key in page.keys]

    def test_a_listing_goes_on_after_its_last_page(self, memory):
        inner = Scripted(Pages(memory, "abcd"))
        inner.faults["list"] = [down(after_pages=2), down(after_pages=1)]
        assert self.keys(Retry(inner, POLICY)) == ["a", "b", "c", "d"]
        assert inner.called("list") == [None, "b", "c"]

    def test_L3_an_error_after_the_last_page_is_not_the_end(self, memory):
        inner = Scripted(Pages(memory, "ab"))
        inner.faults["list"] = [down(after_pages=2)] * 5
        with pytest.raises(UnavailableError):
            self.keys(Retry(inner, POLICY))

    def test_a_listing_that_fails_at_its_start_starts_where_it_was_asked_to(self, memory):
        inner = Scripted(Pages(memory, "abcd"))
        inner.faults["list"] = [down()]
        assert self.keys(Retry(inner, POLICY), start_after="b") == ["c", "d"]
        assert inner.called("list") == ["b", "b"]

    def test_progress_renews_the_attempts(self, memory):
        inner = Scripted(Pages(memory, "abcdefghij"))
        inner.faults["list"] = [down(after_pages=1)] * 9
        assert self.keys(Retry(inner, POLICY)) == list("abcdefghij")

    def test_without_progress_the_attempts_end(self, memory):
        inner = Scripted(Pages(memory, "abcd"))
        inner.faults["list"] = [down(after_pages=1), *[down()] * 10]
        with pytest.raises(UnavailableError):
            self.keys(Retry(inner, POLICY))
        assert len(inner.called("list")) == POLICY.attempts

    def test_an_unordered_listing_raises_after_its_first_page(self, memory):
        inner = Scripted(Pages(memory, "cab"), ordered_listing=False)
        inner.faults["list"] = [down(after_pages=1)]
        with pytest.raises(UnavailableError):
            self.keys(Retry(inner, POLICY))
        assert len(inner.called("list")) == 1

    def test_an_unordered_listing_that_has_not_begun_is_retried(self, memory):
        inner = Scripted(Pages(memory, "cab"), ordered_listing=False)
        inner.faults["list"] = [down()]
        assert self.keys(Retry(inner, POLICY)) == ["c", "a", "b"]

    def test_a_gap_is_reported_once_however_often_it_is_met(self, memory):
        gaps = [Gap("aa", "a link", kind="skipped"), Gap("bb", "unreadable", subtree=True)]
        inner = Scripted(Pages(memory, "abcd", gaps))
        inner.faults["list"] = [down(after_pages=2), down(after_pages=1)]
        assert [gap for page in Retry(inner, POLICY).list() for gap in page.gaps] == gaps
