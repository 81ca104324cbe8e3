"""Deletes: only what is still what was listed, and every key accounted for."""

import dataclasses

import pytest

from cloudsync_core.engine.removal import remove
from cloudsync_core.errors import AccessDeniedError, UnauthenticatedError, UnavailableError
from cloudsync_core.models import DeleteResult, Version
from cloudsync_core.runs import Action
from tests.engine.stores import POOR, Shaped, Watched, contents, listed, memory, plain, store
from tests.unit.layers.scripted import Fault


def deletes(target, *keys):
    found = listed(target)
    return [Action("delete", key, "not-on-source", target=found[key]) for key in keys or found]


def by_key(outcomes):
    return {outcome.action.key: outcome.cause or outcome.status for outcome in outcomes}


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
