"""Moving one object: under a condition, and whole or not at all."""

import dataclasses
import threading
import time

import pytest

from cloudsync_core.body import Body
from cloudsync_core.engine.progress import Progress
from cloudsync_core.engine.transfer import FRESH_SECONDS
from cloudsync_core.errors import (
    AccessDeniedError,
    CancelledError,
    UnauthenticatedError,
    UnavailableError,
    UnsupportedOperationError,
)
from cloudsync_core.models import ALWAYS, IF_ABSENT, IfMatch, Version
from tests.engine.stores import (
    POOR,
    Shaped,
    Watched,
    content,
    contents,
    listed,
    memory,
    plain,
    store,
)
from tests.engine.transfers import DOWN, action, transfer, write
from tests.unit.layers.scripted import Fault, Scripted


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

    def test_so_is_it_for_everybody_who_finds_out_at_once(self, source):
        """Two adds under way meet the same refusal; neither of them may end the run."""
        together = threading.Barrier(2, timeout=10)

        class Refusing(Watched):
            def put(self, key, body, **options):
                if options["condition"] == IF_ABSENT:
                    together.wait()
                    raise UnsupportedOperationError("no hard links here")
                return super().put(key, body, **options)

        store(source, "other")
        target = Refusing(memory())
        moving = transfer(source, target)
        planned = [action(source, target), action(source, target, "other")]
        outcomes = []
        threads = [threading.Thread(target=lambda one=one: outcomes.append(moving.write(one))) for one in planned]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert [outcome.status for outcome in outcomes] == ["done", "done"]


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


def test_errors_name_the_object_once(source):
    target = Scripted(memory())
    target.faults["put"] = [Fault(AccessDeniedError("no", operation="put", location="memory://x", key="k"))]
    assert write(source, target).error == "put memory://x/k: no"
