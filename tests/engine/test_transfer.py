"""Moving one object: under a condition, verified, and whole or not at all."""

import dataclasses
import threading
import time

import pytest

from cloudsync_core.backends.file import FileBackend, FileOptions
from cloudsync_core.body import Body
from cloudsync_core.engine.attributes import AttributeRules
from cloudsync_core.engine.policy import HeaderRule
from cloudsync_core.engine.progress import Progress
from cloudsync_core.engine.transfer import FRESH_SECONDS, Transfer, TransferRules
from cloudsync_core.errors import (
    AccessDeniedError,
    CancelledError,
    IntegrityError,
    PreconditionFailedError,
    UnauthenticatedError,
    UnavailableError,
    UnsupportedOperationError,
)
from cloudsync_core.layers.retry import RetryPolicy
from cloudsync_core.location import Location
from cloudsync_core.models import ALWAYS, IF_ABSENT, Attributes, IfMatch, Version
from cloudsync_core.runs import Action
from tests.engine.stores import (
    POOR,
    Corrupting,
    Shaped,
    Watched,
    bare,
    content,
    contents,
    listed,
    memory,
    plain,
    store,
    without_digests,
)
from tests.unit.layers.scripted import Fault, Scripted

LOST = Fault(UnavailableError("the answer was lost"), answer_lost=True)
DOWN = Fault(UnavailableError("down"))


def transfer(source, target, *, rules=(), stop=None, progress=None, attempts=3, read_back=True, server_copy=False):
    return Transfer(
        source,
        target,
        TransferRules(
            retry=RetryPolicy(attempts=attempts, first_wait=0),
            attributes=AttributeRules(rules),
            read_back=read_back,
            server_copy=server_copy,
        ),
        progress or Progress(),
        stop or threading.Event(),
    )


def action(source, target, key="k"):
    """Return what a planner makes of the key."""
    first, second = listed(source).get(key), listed(target).get(key)
    return Action("add" if second is None else "update", key, "test", first, second)


def write(source, target, **options):
    return transfer(source, target, **options).write(action(source, target))


@pytest.fixture
def source():
    backend = memory()
    store(backend, "k", b"new content")
    return backend


@pytest.fixture
def tree(tmp_path):
    return FileBackend(Location.parse(str(tmp_path)), FileOptions(fsync=False))


class TestOutcome:
    def test_says_what_was_read_written_and_proven(self, source):
        target = memory()
        outcome = write(source, target)
        assert (outcome.status, outcome.bytes, outcome.verified) == ("done", 11, "md5")
        assert outcome.source.fingerprint == listed(source)["k"].fingerprint
        assert outcome.written.fingerprint == listed(target)["k"].fingerprint
        assert outcome.digest == str(listed(source)["k"].digests[0])
        assert content(target, "k") == b"new content"

    def test_H_tells_the_version_that_was_read_not_the_one_that_was_listed(self, source):
        target = memory()
        planned = action(source, target)
        newer = store(source, "k", b"newer content")
        outcome = transfer(source, target).write(planned)
        assert outcome.source.fingerprint == newer.fingerprint
        assert content(target, "k") == b"newer content"

    def test_bytes_are_counted_as_they_pass(self, source):
        progress = Progress()
        write(source, memory(), progress=progress)
        assert progress.done_bytes == 11


class TestConditions:
    def test_D21_an_add_meets_no_object(self, source):
        target = Watched()
        write(source, target)
        assert target.conditions == [IF_ABSENT]

    def test_D20_an_update_replaces_the_version_that_was_listed(self, source):
        target = Watched()
        old = store(target.inner, "k", b"old")
        write(source, target)
        assert target.conditions == [IfMatch(old.version)]

    def test_the_marker_of_a_folder_that_another_transfer_has_just_made_is_done(self, tree):
        source = memory()
        store(source, "x/", b"")
        planned = action(source, tree, "x/")
        store(tree, "x/a")
        assert transfer(source, tree).write(planned).status == "done"
        assert contents(tree) == {"x/a": b"content"}

    def test_an_add_that_meets_an_object_fails_and_leaves_it(self, source):
        target = memory()
        planned = action(source, target)
        store(target, "k", b"somebody else's")
        outcome = transfer(source, target).write(planned)
        assert (outcome.status, outcome.cause) == ("failed", "ObjectExistsError")
        assert content(target, "k") == b"somebody else's"

    def test_an_update_of_another_version_fails_and_leaves_it(self, source):
        target = memory()
        store(target, "k", b"old")
        planned = action(source, target)
        store(target, "k", b"somebody else's")
        outcome = transfer(source, target).write(planned)
        assert (outcome.status, outcome.cause) == ("failed", "PreconditionFailedError")
        assert content(target, "k") == b"somebody else's"

    class TestWithoutThem:
        """A store that checks no condition is looked at right before."""

        def test_an_add_that_meets_an_object_fails_and_leaves_it(self, source):
            target = plain()
            planned = action(source, target)
            store(target, "k", b"somebody else's")
            outcome = transfer(source, target).write(planned)
            assert (outcome.status, outcome.cause) == ("failed", "ObjectExistsError")
            assert "came there after the listing" in outcome.error
            assert content(target, "k") == b"somebody else's"

        @pytest.mark.parametrize("change", ["rewritten", "gone"])
        def test_an_update_of_another_version_fails_and_leaves_it(self, source, change):
            target = plain()
            store(target, "k", b"old")
            planned = action(source, target)
            target.delete("k")
            if change == "rewritten":
                store(target, "k", b"old")
            outcome = transfer(source, target).write(planned)
            assert (outcome.status, outcome.cause) == ("failed", "PreconditionFailedError")
            assert contents(target) == ({} if change == "gone" else {"k": b"old"})

        def test_the_same_version_is_replaced(self, source):
            target = Watched(plain(), **POOR)
            store(target.inner, "k", b"old")
            assert write(source, target).status == "done"
            assert target.conditions == [ALWAYS]

        @pytest.mark.parametrize("forgotten", [{"fingerprint": ""}, {"fingerprint": "", "version": Version()}])
        def test_the_best_that_the_listing_told_decides(self, source, forgotten):
            target = Shaped(plain(), listed=lambda info: dataclasses.replace(info, **forgotten), **POOR)
            store(target, "k", b"old")
            planned = action(source, target)
            assert transfer(source, target).write(planned).status == "done"
            assert transfer(source, target).write(planned).cause == "PreconditionFailedError"

        def test_a_store_that_cannot_be_asked_is_not_written(self, source):
            target = Watched(plain(), **POOR)
            store(target.inner, "k", b"old")
            planned = action(source, target)
            target.faults["stat"] = [Fault(AccessDeniedError("no"))]
            assert transfer(source, target).write(planned).cause == "AccessDeniedError"
            assert target.conditions == []


class TestLostAnswers:
    """F01: the put succeeded, its answer was lost, and the next attempt meets our own object."""

    @pytest.mark.parametrize("old", [None, b"old"])
    @pytest.mark.parametrize("conditional", [True, False])
    @pytest.mark.parametrize("digests", [True, False])
    def test_our_own_object_is_recognised(self, source, old, conditional, digests):
        target = Scripted(memory() if digests else plain(), **({} if conditional else POOR))
        if old is not None:
            store(target.inner, "k", old)
        target.faults["put"] = [LOST]
        outcome = write(source, target)
        assert (outcome.status, outcome.bytes) == ("done", 11)
        assert outcome.verified == ("md5" if digests else "readback")
        assert outcome.written.fingerprint == listed(target)["k"].fingerprint

    def test_somebody_elses_object_is_not(self, source):
        class Rival(Scripted):
            def put(self, key, body, **options):
                if listed(self.inner):
                    return super().put(key, body, **options)
                body.read()
                store(self.inner, "k", b"some others")
                raise UnavailableError("down")

        target = Rival(memory())
        outcome = write(source, target)
        assert outcome.cause == "ObjectExistsError"
        assert content(target, "k") == b"some others"

    def test_an_object_that_cannot_be_told_from_ours_is_reported(self, source):
        target = Scripted(plain(), **POOR)
        target.faults["put"] = [LOST]
        assert write(source, target, read_back=False).cause == "ObjectExistsError"

    def test_P8_a_source_that_changes_between_the_attempts_is_not_taken_for_what_was_sent(self, source):
        class Changing(Scripted):
            def put(self, key, body, **options):
                if not listed(self.inner):
                    self.inner.put(key, body, **options)
                    store(source, "k", b"newer content")
                    raise UnavailableError("the answer was lost")
                return super().put(key, body, **options)

        target = Changing(memory())
        sent = listed(source)["k"].fingerprint
        outcome = write(source, target)
        assert content(target, "k") == b"new content"
        assert outcome.source.fingerprint == sent, "the next run would take the newer source for synchronised"

    def test_of_a_copy_too(self, source):
        target = Scripted(memory())
        target.faults["copy"] = [LOST]
        outcome = write(source, target, server_copy=True)
        assert outcome.status == "done"
        assert content(target, "k") == b"new content"


class TestRetries:
    def test_a_passing_trouble_is_tried_again(self, source):
        target = Scripted(memory())
        target.faults["put"] = [DOWN, DOWN]
        assert write(source, target).status == "done"

    def test_a_lasting_one_fails_the_object_alone(self, source):
        target = Scripted(memory())
        target.faults["put"] = [DOWN] * 3
        outcome = write(source, target)
        assert (outcome.status, outcome.cause, outcome.fatal) == ("failed", "UnavailableError", False)
        assert contents(target) == {}

    def test_a_source_that_cannot_be_read_fails_the_object(self, source):
        reading = Scripted(source)
        reading.faults["get"] = [Fault(AccessDeniedError("no", operation="get", location="memory://x", key="k"))]
        outcome = write(reading, memory())
        assert (outcome.cause, outcome.error) == ("AccessDeniedError", "get memory://x/k: no")

    def test_an_error_that_nothing_survives_is_fatal(self, source):
        target = Scripted(memory())
        target.faults["put"] = [Fault(UnauthenticatedError("expired"))]
        assert write(source, target).fatal


class Growing(Scripted):
    """A source whose object gives other bytes than it promised, the first few times."""

    def __init__(self, inner, times, extra):
        super().__init__(inner)
        self.times, self.extra = times, extra

    def get(self, key, **options):
        manager = super().get(key, **options)
        if not self.times:
            return manager
        self.times -= 1
        return _Altered(manager, self.extra)


class _Altered:
    def __init__(self, manager, extra):
        self.manager, self.extra = manager, extra

    def __enter__(self):
        reader = self.manager.__enter__()
        data = reader.read()
        data = data + self.extra if self.extra else data[:-1]
        altered = dataclasses.replace(reader.info, digests=())
        return type(reader)(altered, [data])

    def __exit__(self, *error):
        return self.manager.__exit__(*error)


class TestIntegrity:
    @pytest.mark.parametrize("extra", [b"more", b""], ids=["D01-grows", "D02-shrinks"])
    def test_a_source_that_gives_another_length_is_read_again(self, source, extra):
        target = memory()
        assert write(Growing(source, 1, extra), target).status == "done"
        assert content(target, "k") == b"new content"

    @pytest.mark.parametrize("extra", [b"more", b""], ids=["D01-grows", "D02-shrinks"])
    def test_and_fails_with_nothing_written_when_it_goes_on(self, source, extra):
        target = memory()
        outcome = write(Growing(source, 99, extra), target)
        assert outcome.cause == "IntegrityError"
        assert outcome.error.startswith(f"get {source.location}/k: ")
        assert contents(target) == {}

    def test_D18_a_source_whose_bytes_are_not_those_of_its_digest_writes_nothing(self, source):
        other = memory()
        store(other, "k", b"abc content")
        lying = Shaped(source, known=lambda info: dataclasses.replace(info, digests=listed(other)["k"].digests))
        target = memory()
        outcome = write(lying, target)
        assert outcome.cause == "IntegrityError"
        assert "its store says" in outcome.error
        assert f"{source.location}/k" in outcome.error
        assert contents(target) == {}


SPOIL = {
    "other-bytes": lambda data: data[:-1] + b"?",
    "cut-short": lambda data: data[:-1],
    "empty": lambda _: b"",
}


def blind(backend, **capabilities):
    """Return a store that confirms nothing."""
    return Shaped(backend, listed=bare, known=without_digests, **capabilities)


class TestReadback:
    """P4: where neither store has a digest, the object is read back."""

    def test_is_how_it_is_verified(self, source):
        outcome = write(blind(source), blind(memory()))
        assert (outcome.verified, outcome.digest) == ("readback", str(listed(source)["k"].digests[0]))

    @pytest.mark.parametrize("spoil", SPOIL.values(), ids=SPOIL)
    @pytest.mark.parametrize("capabilities", [{}, POOR], ids=["conditions", "no-conditions"])
    @pytest.mark.parametrize("old", [None, b"old"])
    def test_D18_a_target_that_corrupts_once_is_written_again(self, source, spoil, capabilities, old):
        target = blind(Corrupting(memory(), 1, spoil), **capabilities)
        if old is not None:
            store(target.inner.inner, "k", old)
        outcome = write(blind(source), target)
        assert (outcome.status, outcome.verified) == ("done", "readback")
        assert content(target, "k") == b"new content"

    @pytest.mark.parametrize("spoil", SPOIL.values(), ids=SPOIL)
    @pytest.mark.parametrize("capabilities", [{}, POOR], ids=["conditions", "no-conditions"])
    def test_D18_a_target_that_goes_on_corrupting_fails_and_shows_nothing_wrong(self, source, spoil, capabilities):
        target = blind(Corrupting(memory(), 99, spoil), **capabilities)
        outcome = write(blind(source), target)
        assert (outcome.status, outcome.cause) == ("failed", "IntegrityError")
        assert "holds other bytes than were sent" in outcome.error
        assert contents(target) == {}

    def test_D18_a_directory_that_goes_on_corrupting_shows_nothing_wrong(self, source, tree):
        target = Corrupting(tree, 99)
        assert write(blind(source), target).cause == "IntegrityError"
        assert contents(tree) == {}

    def test_what_somebody_else_has_put_there_meanwhile_is_not_withdrawn(self, source):
        class Raced(Corrupting):
            def get(self, key, **options):
                store(self.inner, key, b"somebody else's")
                return super().get(key, **options)

        target = blind(Raced(memory(), 99))
        assert write(blind(source), target).status == "failed"
        assert content(target.inner.inner, "k") == b"somebody else's"

    def test_a_length_that_is_wrong_is_found_even_where_the_source_vouches(self, source):
        target = blind(Corrupting(memory(), 99, lambda data: data[:-1]))
        assert write(source, target).cause == "IntegrityError"
        assert contents(target) == {}

    def test_verify_size_checks_the_length(self, source):
        assert write(blind(source), blind(memory()), read_back=False).verified == "size"
        target = blind(Corrupting(memory(), 99, lambda data: data[:-1]))
        assert write(blind(source), target, read_back=False).cause == "IntegrityError"

    def test_an_empty_object_has_nothing_to_read(self):
        source, target = blind(memory()), Scripted(blind(memory()))
        store(source, "k", b"")
        assert write(source, target).verified == "size"
        assert not target.called("get")

    def test_a_target_that_cannot_be_read_back_is_tried_again(self, source):
        target = Scripted(blind(memory()))
        target.faults["get"] = [DOWN, DOWN]
        assert write(blind(source), target).verified == "readback"

    def test_a_target_that_can_never_be_read_back_fails_and_keeps_what_may_be_right(self, source):
        target = Scripted(blind(memory()))
        target.faults["get"] = [DOWN] * 9
        assert write(blind(source), target).cause == "UnavailableError"
        del target.faults["get"]
        assert content(target, "k") == b"new content"

    def test_an_interrupted_one_is_reported_and_not_taken_for_synchronised(self, source):
        stop = threading.Event()

        class Stopping(Scripted):
            def get(self, key, **options):
                stop.set()
                return super().get(key, **options)

        outcome = write(blind(source), Stopping(blind(memory())), stop=stop)
        assert (outcome.status, outcome.cause, outcome.written) == ("failed", "IntegrityError", None)
        assert "interrupted before it was verified" in outcome.error


class TestCancellation:
    def test_P2_in_mid_body_it_leaves_nothing(self, tree, tmp_path):
        stop = threading.Event()
        source = memory()
        store(source, "k", b"x" * 5_000_000)

        class Stopping(Scripted):
            def get(self, key, **options):
                manager = super().get(key, **options)
                return _Stopping(manager, stop)

        with pytest.raises(CancelledError):
            write(Stopping(source), tree, stop=stop)
        assert list(tmp_path.iterdir()) == []

    def test_before_the_first_byte_it_asks_for_nothing(self, source):
        stop, target = threading.Event(), Scripted(memory())
        stop.set()
        with pytest.raises(CancelledError):
            write(source, target, stop=stop)
        assert target.calls == [("list", None)]

    def test_a_failure_after_it_is_no_failure_of_the_object(self, source):
        stop = threading.Event()

        class Ending(Scripted):
            def put(self, key, body, **options):
                stop.set()
                raise UnavailableError("closed")

        with pytest.raises(CancelledError):
            write(source, Ending(memory()), stop=stop)

    def test_it_does_not_wait_for_the_next_attempt(self, source):
        stop, target = threading.Event(), Scripted(memory())
        target.faults["put"] = [Fault(UnavailableError("busy", retry_after=60))] * 3
        threading.Timer(0.05, stop.set).start()
        begun = time.monotonic()
        with pytest.raises(CancelledError):
            write(source, target, stop=stop)
        assert time.monotonic() - begun < 10


class _Stopping:
    def __init__(self, manager, stop):
        self.manager, self.stop = manager, stop

    def __enter__(self):
        reader = self.manager.__enter__()

        def chunks():
            for chunk in Body(reader.read()[:]).chunks():
                for start in range(0, len(chunk), 1_000_000):
                    yield chunk[start : start + 1_000_000]
                    self.stop.set()

        return type(reader)(reader.info, chunks())

    def __exit__(self, *error):
        return self.manager.__exit__(*error)


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


def test_errors_name_the_object_once(source):
    target = Scripted(memory())
    target.faults["put"] = [Fault(AccessDeniedError("no", operation="put", location="memory://x", key="k"))]
    assert write(source, target).error == "put memory://x/k: no"


class TestFreshListings:
    """D20: an add to a store without conditions believes a listing of the target for a while, and not for hours."""

    def test_right_after_the_listing_nothing_is_asked_again(self, source):
        target = Watched(plain(), **POOR)
        planned = dataclasses.replace(action(source, target), seen_at=time.monotonic())
        assert transfer(source, target).write(planned).status == "done"
        assert target.conditions == [ALWAYS]
        assert target.called("stat") == []

    def test_an_old_listing_is_not_believed(self, source):
        target = Watched(plain(), **POOR)
        planned = dataclasses.replace(action(source, target), seen_at=time.monotonic() - FRESH_SECONDS)
        store(target.inner, "k", b"somebody else's")
        assert transfer(source, target).write(planned).cause == "ObjectExistsError"
        assert content(target.inner, "k") == b"somebody else's"

    def test_a_place_without_the_condition_that_its_kind_has_is_looked_at(self, source):
        target = Watched(memory())
        target.faults["put"] = [Fault(UnsupportedOperationError("no hard links here"))]
        planned = action(source, target)
        assert transfer(source, target).write(planned).status == "done"
        assert target.conditions == [IF_ABSENT, ALWAYS]
