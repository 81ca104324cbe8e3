"""What is written is proven right, or not taken for synchronised, and nothing wrong stays."""

import dataclasses
import threading

import pytest

from cloudsync_core.body import CHUNK_SIZE
from cloudsync_core.errors import Disposition, ObjectNotFoundError, PreconditionFailedError, UnavailableError
from tests.engine.stores import (
    POOR,
    Corrupting,
    Shaped,
    bare,
    content,
    contents,
    listed,
    memory,
    plain,
    store,
    without_digests,
)
from tests.engine.transfers import DOWN, LOST, action, blind, transfer, write
from tests.unit.layers.scripted import Fault, Scripted


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

    def test_F05_an_object_that_cannot_be_told_from_ours_is_reported(self, source):
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

    def test_F05_a_put_that_never_arrived_is_tried_again_though_the_source_changes_meanwhile(self, source):
        class Dropping(Scripted):
            def put(self, key, body, **options):
                if not self.called("put"):
                    self.calls.append(("put", key))
                    body.read()
                    raise UnavailableError("the connection was reset")
                return super().put(key, body, **options)

        reading = Scripted(source)
        reading.faults["get"] = [None, Fault(PreconditionFailedError("it changed", disposition=Disposition.RETRY))]
        target = Dropping(memory())
        assert write(reading, target).status == "done"
        assert content(target, "k") == b"new content"

    def test_of_a_copy_too(self, source):
        target = Scripted(memory())
        target.faults["copy"] = [LOST]
        outcome = write(source, target, server_copy=True)
        assert (outcome.status, outcome.bytes, outcome.verified) == ("done", 0, "md5")
        assert content(target, "k") == b"new content"

    def test_of_a_copy_whose_digest_the_listing_does_not_tell(self, source):
        target = Scripted(memory())
        target.faults["copy"] = [LOST]
        outcome = copy_listed_barely(source, target)
        assert (outcome.status, outcome.bytes, outcome.verified) == ("done", 0, "md5")
        assert target.called("copy") == ["k", "k"]

    def test_of_a_copy_of_nothing_of_which_no_digest_is_known(self, source):
        store(source, "k", b"")
        target = Shaped(Scripted(memory()), known=without_digests)
        target.inner.faults["copy"] = [LOST]
        source.stat = lambda key: without_digests(type(source).stat(source, key))
        outcome = copy_listed_barely(source, target)
        assert (outcome.status, outcome.verified, outcome.digest) == ("done", "size", None)

    @pytest.mark.parametrize("newer", [b"newer", None])
    def test_P8_of_a_copy_of_a_source_that_has_changed_since_is_not_believed(self, source, newer):
        class Changing(Scripted):
            def copy(self, origin, info, key, **options):
                super().copy(origin, info, key, **options)
                source.delete("k") if newer is None else store(source, "k", newer)
                raise UnavailableError("the answer was lost")

        outcome = copy_listed_barely(source, Changing(memory()))
        assert outcome.cause == (ObjectNotFoundError if newer is None else PreconditionFailedError).__name__


def copy_listed_barely(source, target):
    """Have the target's provider copy an object of which the listing told no digest."""
    planned = action(source, target)
    planned = dataclasses.replace(planned, source=bare(planned.source))
    return transfer(source, target, server_copy=True).write(planned)


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
    def test_D01_D02_a_source_that_gives_another_length_is_read_again(self, source, extra):
        target = memory()
        assert write(Growing(source, 1, extra), target).status == "done"
        assert content(target, "k") == b"new content"

    @pytest.mark.parametrize("extra", [b"more", b""], ids=["D01-grows", "D02-shrinks"])
    def test_D01_D02_and_fails_with_nothing_written_when_it_goes_on(self, source, extra):
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

    @pytest.mark.parametrize(
        ("capabilities", "verb"), [({}, "delete"), (POOR, "delete"), (POOR, "stat")], ids=["if-match", "look", "blind"]
    )
    def test_D18_what_is_wrong_and_cannot_be_withdrawn_is_told(self, source, capabilities, verb):
        """Though the last attempt has failed in another way, of which nobody would suspect what it leaves."""
        target = Scripted(blind(Corrupting(memory(), 1), **capabilities))
        target.faults["put"] = [None, DOWN, DOWN]
        # Where there are no conditions, each attempt begins with a look, and the third of them is that of the removal.
        target.faults[verb] = [None, None, DOWN, DOWN] if verb == "stat" else [DOWN]
        outcome = write(blind(source), target)
        assert (outcome.status, outcome.cause) == ("failed", "IntegrityError")
        assert "holds other bytes than were sent, and they could not be removed: down" in outcome.error
        assert contents(target) != {}

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


class TestADirectoryInUse:
    def test_B17_a_file_of_which_only_the_mode_changes_is_read_again_and_sent(self, tree, tmp_path):
        """It cannot be told from a file that was written and given its old time; the second look finds it at rest."""
        store(tree, "k", b"new content")
        target = memory()

        class Handled(Scripted):
            def put(self, key, body, **options):
                if not self.called("put"):
                    (tmp_path / "k").chmod(0o600)
                return super().put(key, body, **options)

        outcome = write(tree, Handled(target))
        assert outcome.status == "done"
        assert content(target, "k") == b"new content"


class TestOneReading:
    """D04: what is sent is hashed on its way, and not read before."""

    @pytest.mark.parametrize("size", [0, 11, 5 * CHUNK_SIZE])
    @pytest.mark.parametrize("kind", ["container", "directory", "store-without-digests"])
    def test_of_the_source_is_enough(self, size, kind, tree):
        source = Scripted(memory())
        store(source.inner, "k", b"x" * size)
        target = {"container": memory, "directory": lambda: tree, "store-without-digests": plain}[kind]()
        outcome = write(source, target)
        assert (outcome.status, outcome.bytes) == ("done", size)
        assert source.called("get") == ["k"]
