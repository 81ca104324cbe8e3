"""Deletes: only what is still what was listed, and every key accounted for."""

import dataclasses

import pytest

from cloudsync_core.capabilities import Capabilities
from cloudsync_core.engine.recheck import unchanged_in_listing
from cloudsync_core.engine.removal import is_looked_up_in_listings, remove, remove_listed
from cloudsync_core.errors import AccessDeniedError, UnauthenticatedError, UnavailableError
from cloudsync_core.models import DeleteResult, Gap, Page, Version
from cloudsync_core.runs import Action
from tests.engine.stores import POOR, Shaped, Watched, contents, listed, memory, plain, store
from tests.unit.layers.scripted import Fault, Scripted


def deletes(target, *keys):
    found = listed(target)
    return [Action("delete", key, "not-on-source", target=found[key]) for key in keys or found]


def by_key(outcomes):
    return {outcome.action.key: outcome.cause or outcome.status for outcome in outcomes}


def by_key_of(result):
    outcomes, unseen = result
    return by_key(outcomes), [action.key for action in unseen]


def filled(backend, *keys):
    for key in keys:
        store(backend, key)
    return backend


@pytest.mark.parametrize("make", [memory, plain], ids=["conditional", "looked-at"])
class TestRecheck:
    def test_what_was_listed_is_removed(self, make):
        target = filled(make(), "a", "b", "c")
        assert by_key(remove(target, deletes(target, "a", "c"))) == {"a": "done", "c": "done"}
        assert list(contents(target)) == ["b"]

    def test_A24_what_changed_since_is_not(self, make):
        target = filled(make(), "a", "b")
        planned = deletes(target)
        store(target, "a", b"somebody else's")
        assert by_key(remove(target, planned)) == {"a": "PreconditionFailedError", "b": "done"}
        assert contents(target) == {"a": b"somebody else's"}

    def test_D1_what_is_gone_already_is_removed(self, make):
        target = filled(make(), "a")
        planned = deletes(target)
        target.delete("a")
        assert by_key(remove(target, planned)) == {"a": "done"}

    def test_A17_exactly_that_key(self, make):
        target = filled(make(), "a", "a/", "a/b", "a*", "ab")
        assert by_key(remove(target, deletes(target, "a/", "a*"))) == {"a/": "done", "a*": "done"}
        assert list(contents(target)) == ["a", "a/b", "ab"]


class TestConditions:
    def test_are_the_versions_that_were_listed(self):
        target = Watched(filled(memory(), "a", "b"))
        versions = [info.version for info in listed(target).values()]
        remove(target, deletes(target))
        assert target.conditions == versions
        assert not target.called("stat")

    def test_are_replaced_by_a_look_where_there_are_none(self):
        target = Watched(filled(plain(), "a", "b"), **POOR)
        remove(target, deletes(target))
        assert target.conditions == [None, None]
        assert target.called("stat") == ["a", "b"]

    def test_are_replaced_by_a_look_where_the_listing_told_no_version(self):
        nameless = Shaped(filled(memory(), "a"), listed=lambda info: dataclasses.replace(info, version=Version()))
        target = Watched(nameless)
        remove(target, deletes(target))
        assert target.conditions == [None]
        assert target.called("stat") == ["a"]


class TestTrouble:
    def test_what_cannot_be_looked_at_is_not_removed(self):
        target = Watched(filled(plain(), "a", "b"), **POOR)
        planned = deletes(target)
        target.faults["stat"] = [Fault(AccessDeniedError("no"))]
        assert by_key(remove(target, planned)) == {"a": "AccessDeniedError", "b": "done"}
        assert list(contents(target.inner)) == ["a"]

    def test_A15_D3_a_bulk_delete_may_fail_key_by_key(self):
        target = Watched(filled(memory(), "a", "b"))
        planned = deletes(target)
        target.faults["delete_many"] = [Fault(AccessDeniedError("no"), keys=frozenset("a"))]
        assert by_key(remove(target, planned)) == {"a": "AccessDeniedError", "b": "done"}

    def test_a_request_that_fails_as_a_whole_fails_every_key_that_was_not_reported(self):
        class Cut(Watched):
            def delete_many(self, items):
                yield DeleteResult(items[0][0])
                raise UnavailableError("cut off")

        target = Cut(filled(memory(), "a", "b", "c"))
        outcomes = by_key(remove(target, deletes(target)))
        assert outcomes == {"a": "done", "b": "UnavailableError", "c": "UnavailableError"}

    def test_a_key_that_the_store_does_not_report_is_not_taken_for_deleted(self):
        class Silent(Watched):
            def delete_many(self, items):
                yield DeleteResult(items[0][0])

        target = Silent(filled(memory(), "a", "b"))
        assert by_key(remove(target, deletes(target))) == {"a": "done", "b": "UnexpectedBackendError"}

    def test_an_error_that_nothing_survives_is_fatal(self):
        target = Watched(filled(memory(), "a"))
        planned = deletes(target)
        target.faults["delete_many"] = [Fault(UnauthenticatedError("expired"))]
        [outcome] = remove(target, planned)
        assert outcome.fatal


class Bulk(Scripted):
    """A container without conditions that removes many objects at once and lists a few to a page.

    Attributes:
        size: objects in a page.
        change: called with the store below before the pages of a listing are handed out.
    """

    def __init__(self, inner=None, *, size=1000, change=lambda inner: None):
        super().__init__(inner or plain(), bulk_delete_max=1000)
        self.size = size
        self.change = change

    def list(self, prefix="", *, start_after=None, prune=None):
        self.change(self.inner)
        for page in super().list(prefix, start_after=start_after, prune=prune):
            entries = list(page)
            for start in range(0, len(entries), self.size):
                self.calls.append(("page", entries[start].key))
                yield Page.of(entries[start : start + self.size], page.gaps)


def numbered(*numbers):
    return [f"{number:05}" for number in numbers]


class TestOneListing:
    def test_tells_of_all_but_the_first(self):
        target = filled(Bulk(), *"abcd")
        assert by_key_of(remove_listed(target, deletes(target, "a", "b", "d"))) == (
            {"a": "done", "b": "done", "d": "done"},
            [],
        )
        assert target.called("stat") == ["a"]
        assert target.called("list")[-1] == "a"
        assert target.called("delete_many") == [["a", "b", "d"]]
        assert list(contents(target)) == ["c"]

    def test_is_not_asked_for_about_one_object(self):
        target = filled(Bulk(), "a")
        planned = deletes(target)
        target.calls.clear()
        assert by_key_of(remove_listed(target, planned)) == ({"a": "done"}, [])
        assert [verb for verb, _ in target.calls] == ["stat", "delete_many"]

    def test_A24_what_changed_since_is_not_removed(self):
        target = filled(Bulk(), *"abc")
        planned = deletes(target)
        store(target, "a", b"somebody else's")
        store(target, "b", b"likewise")
        outcomes = {"a": "PreconditionFailedError", "b": "PreconditionFailedError", "c": "done"}
        assert by_key_of(remove_listed(target, planned)) == (outcomes, [])
        assert contents(target) == {"a": b"somebody else's", "b": b"likewise"}

    def test_A24_a_change_that_only_the_time_tells_is_seen(self):
        later = []
        target = filled(
            Bulk(
                Shaped(
                    memory(),
                    listed=lambda info: dataclasses.replace(
                        info, fingerprint="", version=Version(), modified_ns=len(later)
                    ),
                )
            ),
            *"abc",
        )
        planned = deletes(target)
        later.append("a rewrite")
        outcomes, _ = by_key_of(remove_listed(target, planned))
        assert outcomes == dict.fromkeys("abc", "PreconditionFailedError")
        assert list(contents(target)) == [*"abc"]

    def test_D1_what_it_does_not_show_is_left_to_a_look(self):
        target = filled(Bulk(), *"abcd")
        planned = deletes(target)
        target.inner.delete("c")
        assert by_key_of(remove_listed(target, planned)) == (dict.fromkeys("abd", "done"), ["c"])
        assert "c" not in [key for keys in target.called("delete_many") for key in keys]

    def test_D1_the_first_may_be_gone(self):
        target = filled(Bulk(), *"abc")
        planned = deletes(target)
        target.inner.delete("a")
        assert by_key_of(remove_listed(target, planned)) == (dict.fromkeys("abc", "done"), [])

    def test_what_appears_between_two_objects_stays(self):
        target = filled(Bulk(change=lambda inner: store(inner, "bb")), *"abc")
        planned = deletes(target.inner)
        assert by_key_of(remove_listed(target, planned)) == (dict.fromkeys("abc", "done"), [])
        assert list(contents(target)) == ["bb"]

    @pytest.mark.parametrize("pages", [0, 1, 2])
    def test_that_fails_is_believed_as_far_as_it_came(self, pages):
        target = filled(Bulk(size=2), *"abcdefg")
        planned = deletes(target)

        class Failing(Bulk):
            def list(self, prefix="", *, start_after=None, prune=None):
                for number, page in enumerate(super().list(prefix, start_after=start_after)):
                    if number == pages:
                        raise UnavailableError("down")
                    yield page

        target = Failing(target.inner, size=2)
        shown = 1 + 2 * pages
        outcomes, unseen = by_key_of(remove_listed(target, planned))
        assert outcomes == dict.fromkeys("abcdefg"[:shown], "done")
        assert unseen == [*"abcdefg"[shown:]]
        assert list(contents(target.inner)) == unseen

    def test_A07_that_has_a_gap_leaves_what_is_in_it_to_a_look(self):
        class Gappy(Bulk):
            def list(self, prefix="", *, start_after=None, prune=None):
                [page] = super().list(prefix, start_after=start_after)
                yield page.select([0, 2], (Gap("c", "cannot be read"),))

        target = filled(Bulk(), *"abcd")
        planned = deletes(target)
        outcomes, unseen = by_key_of(remove_listed(Gappy(target.inner), planned))
        assert (outcomes, unseen) == (dict.fromkeys("abd", "done"), ["c"])

    @pytest.mark.parametrize(
        "reorder",
        [lambda keys: keys[::-1], lambda keys: [*keys, keys[0]], lambda keys: ["a", *keys]],
        ids=["backwards", "twice", "from the beginning"],
    )
    def test_that_is_not_in_order_is_not_believed(self, reorder):
        class Odd(Bulk):
            def list(self, prefix="", *, start_after=None, prune=None):
                entries = {info.key: info for page in super().list() for info in page}
                keys = [key for key in entries if start_after is None or key > start_after]
                yield Page.of([entries[key] for key in reorder(keys)])

        target = filled(Odd(), *"abcd")
        planned = [Action("delete", info.key, "test", target=info) for info in listed(target.inner).values()]
        assert by_key_of(remove_listed(target, planned)) == ({"a": "done"}, [*"bcd"])

    def test_of_a_store_that_cannot_be_asked_removes_nothing(self):
        target = filled(Bulk(), *"abc")
        planned = deletes(target)
        target.faults["list"] = [Fault(AccessDeniedError("no"))]
        target.faults["stat"] = [Fault(AccessDeniedError("no"))]
        assert by_key_of(remove_listed(target, planned)) == ({"a": "AccessDeniedError"}, [*"bc"])
        assert list(contents(target)) == [*"abc"]


class TestPagesOfOneListing:
    def pages(self, there, wanted, size):
        """Return how many pages were read, and of how many keys they told."""
        target = filled(Bulk(size=size), *numbered(*there))
        found = listed(target)
        target.calls.clear()
        told = unchanged_in_listing(target, {key: found[key] for key in numbered(*wanted)})
        assert all(told.values())
        return len(target.called("page")), len(told)

    def test_end_with_the_last_object_that_is_asked_about(self):
        assert self.pages(range(1000), range(300, 500), size=100) == (2, 199)

    def test_are_few_where_the_objects_are_far_apart(self):
        assert self.pages(range(3000), range(0, 3000, 100), size=100) == (2, 2)

    def test_go_on_as_long_as_they_show_enough(self):
        assert self.pages(range(1000), range(0, 1000, 2), size=100) == (10, 499)

    def test_stop_where_the_objects_thin_out(self):
        assert self.pages(range(3000), [*range(200), 2999], size=100) == (2 + 199 // 50, 199)


@pytest.mark.parametrize(
    ("wanted", "capabilities"),
    [
        (True, Capabilities(ordered_listing=True, bulk_delete_max=1000)),
        (False, Capabilities(ordered_listing=False, bulk_delete_max=1000)),
        (False, Capabilities(ordered_listing=True, bulk_delete_max=1)),
        (False, Capabilities(ordered_listing=True, bulk_delete_max=1000, delete_if_match=True)),
    ],
)
def test_listings_are_looked_at_where_they_are_ordered_and_nothing_is_better(wanted, capabilities):
    assert is_looked_up_in_listings(capabilities) is wanted
