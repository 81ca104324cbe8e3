"""Copies inside the provider: conditional, complete, and given up where they are not allowed."""

import pytest

from cloudsync_core.engine.policy import HeaderRule
from cloudsync_core.errors import (
    AccessDeniedError,
    IntegrityError,
    PreconditionFailedError,
    UnsupportedOperationError,
)
from cloudsync_core.models import IF_ABSENT, Attributes, IfMatch
from tests.engine.stores import (
    Watched,
    content,
    contents,
    listed,
    memory,
    store,
)
from tests.engine.transfers import action, transfer, write
from tests.unit.layers.scripted import Fault, Scripted


class TestServerCopy:
    def test_moves_no_byte_through_this_machine(self, source):
        target = Scripted(memory())
        outcome = write(source, target, server_copy=True)
        assert (outcome.status, outcome.bytes, outcome.verified) == ("done", 0, "server-copy")
        assert not target.called("put")
        assert content(target, "k") == b"new content"

    def test_is_conditional_like_any_write(self, source):
        target = Watched()
        write(source, target, server_copy=True)
        old = listed(target)["k"]
        store(source, "k", b"newer")
        write(source, target, server_copy=True)
        assert target.conditions == [IF_ABSENT, IfMatch(old.version)]

    def test_falls_back_to_the_bytes_where_the_credentials_do_not_allow_it(self, source):
        target = Scripted(memory())
        target.faults["copy"] = [Fault(AccessDeniedError("the target's credentials cannot read the source"))]
        store(source, "other", b"2")
        moving = transfer(source, target, server_copy=True)
        assert moving.write(action(source, target)).verified == "md5"
        assert moving.write(action(source, target, "other")).verified == "md5"
        assert target.called("copy") == ["k"], "every object would be refused again"

    @pytest.mark.parametrize(
        ("error", "tried"),
        [
            (UnsupportedOperationError("the server cannot replace what a copy carries"), ["ruled", "plain", "plain"]),
            (AccessDeniedError("the target's credentials cannot read the source"), ["ruled"]),
        ],
    )
    def test_that_cannot_replace_what_an_object_carries_is_given_up_for_such_objects_alone(self, source, error, tried):
        target = Scripted(memory())
        target.faults["copy"] = [Fault(error)]
        moving = transfer(source, target, server_copy=True, rules=[HeaderRule(("ruled",), cache_control="no-store")])
        for key in ("ruled", "plain", "ruled", "plain"):
            store(source, key, b"1")
            moving.write(action(source, target, key))
            target.delete(key)
        assert target.called("copy") == tried

    def test_G1_of_a_source_that_changed_after_the_listing_is_reported(self, source):
        target = memory()
        planned = action(source, target)
        store(source, "k", b"newer")
        outcome = transfer(source, target, server_copy=True).write(planned)
        assert outcome.cause == PreconditionFailedError.__name__
        assert contents(target) == {}

    def test_D10_carries_what_the_source_carries(self, source):
        target = memory()
        store(source, "k", b"1", attributes=Attributes("text/x", mtime_ns=7, metadata={"a": "b"}))
        write(source, target, server_copy=True)
        assert target.stat("k").attributes == Attributes("text/x", mtime_ns=7, metadata={"a": "b"})

    def test_D10_carries_what_the_rules_say(self, source):
        target = memory()
        store(source, "k", b"1", attributes=Attributes("text/x", mtime_ns=7, metadata={"a": "b"}))
        write(source, target, server_copy=True, rules=[HeaderRule(("k",), cache_control="no-store")])
        assert target.stat("k").attributes == Attributes("text/x", "no-store", mtime_ns=7, metadata={"a": "b"})

    def test_of_another_length_is_an_integrity_error_and_shows_nothing_wrong(self, source):
        class Short(Scripted):
            def copy(self, source, info, key, **options):
                return store(self.inner, key, b"new")

        target = Short(memory())
        outcome = write(source, target, server_copy=True)
        assert outcome.cause == IntegrityError.__name__
        assert contents(target) == {}

    def test_is_left_out_where_the_job_does_not_want_it(self, source):
        target = Scripted(memory())
        write(source, target, server_copy=False)
        assert not target.called("copy")
