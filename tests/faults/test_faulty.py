"""The wrapper backend: each trouble does what it says, to the calls that were chosen, and to no other."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from cloudsync_core.body import Body
from cloudsync_core.errors import (
    AccessDeniedError,
    IntegrityError,
    ObjectNotFoundError,
    PreconditionFailedError,
    ThrottledError,
    UnavailableError,
)
from cloudsync_core.layers.layer import Layer
from cloudsync_core.layers.retry import Retry, RetryPolicy
from cloudsync_core.models import Page
from cloudsync_core.testing.faults import (
    CutOff,
    Delay,
    EmptyPage,
    EndEarly,
    FailOnPage,
    Faulty,
    Flip,
    LoseAnswer,
    Raise,
    RepeatPage,
    Shorten,
    at,
    at_random,
)
from tests.engine.stores import content, contents, memory, store

DENIED = Raise(AccessDeniedError("no", operation="get", location="memory://x", key="a"))


class OnePerPage(Layer):
    """Lists one object a page."""

    def list(self, prefix="", *, start_after=None, prune=None):
        for page in self.inner.list(prefix, start_after=start_after, prune=prune):
            for info in page:
                yield Page.of([info])


@pytest.fixture
def inner():
    backend = memory()
    for key in "abc":
        store(backend, key, b"content of " + key.encode())
    return backend


def keys(backend):
    return [key for page in backend.list() for key in page.keys]


class TestChoosing:
    def test_by_verb_key_and_number(self, inner):
        faulty = Faulty(inner, at("get", DENIED, "b", after=1, times=2))
        assert faulty.stat("b").size == len(content(faulty, "b"))
        for _ in range(2):
            assert content(faulty, "a")
            with pytest.raises(AccessDeniedError):
                content(faulty, "b")
        assert content(faulty, "b")
        assert [(call.verb, call.key, call.number) for call, _ in faulty.met] == [("get", "b", 1), ("get", "b", 2)]

    def test_the_first_rule_that_has_a_trouble_decides(self, inner):
        faulty = Faulty(inner, at("stat", DENIED, "x", times=None), at("stat", Raise(ThrottledError("slow"))))
        with pytest.raises(ThrottledError):
            faulty.stat("a")
        with pytest.raises(AccessDeniedError):
            faulty.stat("x")

    def test_a_reading_at_once_is_a_get(self, inner):
        with pytest.raises(AccessDeniedError):
            Faulty(inner, at("get", DENIED)).read("a", 100)

    def test_a_trouble_that_cannot_happen_to_the_verb_is_a_mistake_of_the_test(self, inner):
        with pytest.raises(ValueError, match=r"Flip\(.*\) cannot happen to a stat"):
            Faulty(inner, at("stat", Flip())).stat("a")

    def test_any_verb_means_each_that_the_trouble_can_happen_to(self, inner):
        faulty = Faulty(inner, at(None, LoseAnswer(), times=None))
        assert keys(faulty) == ["a", "b", "c"]
        with pytest.raises(UnavailableError):
            faulty.put("d", Body(b""))
        with pytest.raises(UnavailableError):
            faulty.delete("d")

    def test_an_error_is_raised_anew_each_time(self, inner):
        faulty = Faulty(inner, at("get", DENIED, times=2))
        caught = []
        for _ in range(2):
            with pytest.raises(AccessDeniedError) as error:
                content(faulty, "a")
            caught.append(error.value)
        assert caught[0] is not caught[1]
        assert str(caught[0]) == str(caught[1]) == "get memory://x/a: no"

    def test_the_same_seed_brings_the_same_troubles_whichever_thread_comes_first(self, inner):
        def trace(seed, workers):
            faulty = Faulty(inner, at_random(seed, 0.5))

            def work(key):
                for _ in range(20):
                    try:
                        content(faulty, key)
                    except (UnavailableError, ThrottledError, IntegrityError):
                        continue

            with ThreadPoolExecutor(workers) as pool:
                list(pool.map(work, "abc"))
            return sorted((call.key, call.number, repr(trouble)) for call, trouble in faulty.met)

        assert trace(1, 1) == trace(1, 3) != trace(2, 3)
        assert 15 < len(trace(1, 1)) < 45

    def test_never_and_always(self, inner):
        for rate, met in ((0, 0), (1, 5)):
            faulty = Faulty(inner, at_random("any", rate, [DENIED]))
            for _ in range(5):
                try:
                    faulty.stat("a")
                except AccessDeniedError:
                    assert rate
            assert len(faulty.met) == met


class TestContent:
    @pytest.mark.parametrize("trouble", [Shorten(3), Flip(2), Flip(0, 7)], ids=repr)
    @pytest.mark.parametrize("way", [content, lambda backend, key: backend.read(key, 100).read()], ids=["get", "read"])
    def test_G2_of_a_get_is_found_wrong(self, inner, trouble, way):
        with pytest.raises(IntegrityError):
            way(Faulty(inner, at("get", trouble)), "a")

    def test_of_a_get_is_cut_off(self, inner):
        received = []
        with Faulty(inner, at("get", CutOff(3))).get("a") as reader, pytest.raises(UnavailableError):
            received.extend(reader.chunks())
        assert b"".join(received) in {b"", b"con"}

    def test_of_a_put_is_stored_wrong(self, inner):
        Faulty(inner, at("put", Flip(1))).put("a", Body(b"abc"))
        assert content(inner, "a") == b"acc"

    @pytest.mark.parametrize("trouble", [Shorten(2), CutOff(2)], ids=repr)
    def test_P2_of_a_put_that_ends_early_is_not_stored(self, inner, trouble):
        with pytest.raises((IntegrityError, UnavailableError)):
            Faulty(inner, at("put", trouble)).put("d", Body(b"abc"))
        with pytest.raises(ObjectNotFoundError):
            inner.stat("d")

    def test_flips_are_found_in_any_chunk(self):
        for place, expected in ((0, b"`bcd"), (3, b"abce"), (4, b"abcd")):
            assert b"".join(Flip(place).content([b"ab", b"", b"cd"])) == expected


class TestAnswers:
    def test_that_are_lost_come_of_what_was_done(self, inner):
        faulty = Faulty(inner, at(None, LoseAnswer(), times=None))
        with pytest.raises(UnavailableError):
            faulty.put("d", Body(b"new"))
        with pytest.raises(UnavailableError):
            faulty.delete("a")
        with pytest.raises(UnavailableError):
            list(faulty.delete_many([("b", None)]))
        with pytest.raises(UnavailableError):
            faulty.copy(inner, inner.stat("d"), "e")
        assert contents(inner) == {"c": b"content of c", "d": b"new", "e": b"new"}

    def test_take_their_time(self, inner):
        slept = []
        assert keys(Faulty(inner, at("list", Delay(3, slept.append)))) == ["a", "b", "c"]
        assert slept == [3]


class TestBulkDeletes:
    def test_D3_report_each_key_with_its_own_trouble(self, inner):
        faulty = Faulty(
            inner, at("delete", Raise(PreconditionFailedError("stale")), "b"), at("delete", LoseAnswer(), "c")
        )
        found = {result.key: type(result.error) for result in faulty.delete_many([(key, None) for key in "abc"])}
        assert found == {"a": type(None), "b": PreconditionFailedError, "c": UnavailableError}
        assert keys(inner) == ["b"]

    def test_fail_as_a_whole(self, inner):
        faulty = Faulty(inner, at("delete_many", DENIED))
        with pytest.raises(AccessDeniedError):
            list(faulty.delete_many([("a", None)]))
        assert keys(inner) == ["a", "b", "c"]


class TestListings:
    @pytest.fixture
    def paged(self, inner):
        return OnePerPage(inner)

    @pytest.mark.parametrize("number", [1, 2, 3, 9])
    def test_L3_fail_on_a_page(self, paged, number):
        found = []
        with pytest.raises(UnavailableError):  # noqa: PT012 - what came before counts
            for page in Faulty(paged, at("list", FailOnPage(number))).list():
                found.extend(page.keys)
        assert found == list("abc")[: number - 1]

    def test_end_early(self, paged):
        assert keys(Faulty(paged, at("list", EndEarly(2)))) == ["a", "b"]

    def test_have_an_empty_page(self, paged):
        assert keys(Faulty(paged, at("list", EmptyPage(2)))) == ["a", "c"]

    def test_repeat_a_page(self, paged):
        assert keys(Faulty(paged, at("list", RepeatPage(2, 3)))) == ["a", "b", "b", "b", "c"]

    def test_of_random_troubles_come_right_by_retries(self, paged):
        faulty = Faulty(paged, at_random("listings", 0.5))
        backend = Retry(faulty, RetryPolicy(attempts=50, first_wait=0))
        for _ in range(10):
            assert keys(backend) == ["a", "b", "c"]
        assert faulty.met


def test_T1_many_threads_meet_exactly_the_chosen_number(inner):
    faulty = Faulty(inner, at("stat", DENIED, times=10))
    begin = threading.Barrier(8)

    def work(_):
        begin.wait()
        refused = 0
        for _ in range(20):
            try:
                faulty.stat("a")
            except AccessDeniedError:
                refused += 1
        return refused

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(work, range(8))) == 10


def test_it_needs_no_pytest():
    code = "import sys; sys.modules['pytest'] = None; import cloudsync_core.testing.faults"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
