"""A release is published as a whole or not at all, and sends only what is new."""

import dataclasses
import os
import threading

import pytest

from cloudsync_core.engine.events import ActionPlanned, KeyLeftOut
from cloudsync_core.engine.executor import Stop
from cloudsync_core.errors import (
    EmptySourceError,
    ManifestError,
    PreconditionFailedError,
    ReleaseConflictError,
    UnavailableError,
    UnsupportedOperationError,
)
from cloudsync_core.layers.layer import Layer
from cloudsync_core.models import Gap, Page
from cloudsync_core.releases import history
from cloudsync_core.releases.names import place
from cloudsync_core.testing.faults import Faulty, Flip, LoseAnswer, Raise, at
from tests.engine.stores import memory, plain, store
from tests.releases.world import in_memory
from tests.workflows.world import Lasting

DOWN = Raise(UnavailableError("down"))


def settled(world):
    """Let a directory's files be old enough for their fingerprints to tell changes (B07)."""
    for path in world.path.rglob("*"):
        os.utime(path, (1_700_000_000, 1_700_000_000))


def counts(report):
    return report.counts.added, report.counts.unchanged


class TestWhatIsPublished:
    def test_readers_see_the_tree(self, world):
        world.write(index_html="<p>", a__b__c_txt="deep", empty="")
        report = world.release()
        assert (report.status, report.run.workflow, counts(report)) == ("done", "publish", (3, 0))
        assert world.seen() == {"index.html": "<p>", "a/b/c.txt": "deep", "empty": ""}
        assert report.release == world.pointer().release == world.header().release

    def test_objects_lie_in_a_folder_of_the_release_and_nothing_else_is_left(self, world):
        world.write(a_txt="one")
        release = world.release().release
        assert world.objects() == ["current.json", f"manifests/{release}.json", f"releases/{release}/a.txt"]

    def test_the_manifest_tells_content_headers_and_times(self, world):
        world.write(page_html="<p>")
        settled(world)
        rule = {"match": ["*.html"], "cache_control": "max-age=60", "metadata": {"team": "web"}}
        world.release(headers=[rule])
        (entry,) = world.entries().values()
        carried = entry.attributes
        assert (carried.content_type, carried.cache_control, carried.metadata) == (
            "text/html", "max-age=60", {"team": "web"}
        )  # fmt: skip
        assert carried.mtime_ns == 1_700_000_000 * 10**9
        with world.target() as backend:
            assert backend.stat(entry.key).attributes == carried

    def test_the_header_tells_where_it_comes_from(self, world):
        world.write(a_txt="one")
        first = world.release().release
        assert (world.header().publisher, world.header().base) == ("me", None)
        assert world.header().source == f"file://{world.path}"
        world.write(a_txt="two")
        second = world.release(publisher="you")
        assert (world.header().publisher, world.header().base) == ("you", first)
        assert world.pointer().previous == (first,)
        assert second.release > first

    def test_the_job_s_filter_says_what_belongs_to_it(self, world):
        world.write(a_txt="one", b_tmp="no", drafts__c_txt="no")
        world.release(exclude=["*.tmp", "drafts/"])
        assert world.seen() == {"a.txt": "one"}

    def test_a_dry_run_writes_nothing_and_tells_what_would_be_sent(self, world):
        world.write(a_txt="one")
        world.release()
        before = world.objects()
        world.write(b_txt="two")
        report = world.release(dry_run=True)
        assert (report.status, counts(report), world.objects()) == ("done", (1, 1), before)
        assert [event.action.key for event in world.events if isinstance(event, ActionPlanned)] == ["b.txt"]

    def test_folders_are_no_files_of_a_release(self, world):
        world.write(a_txt="one")
        (world.path / "empty").mkdir()
        assert world.release().status == "done"
        assert list(world.seen()) == ["a.txt"]

    def test_what_the_listing_skips_is_told(self, world):
        world.write(a_txt="one")
        (world.path / "link").symlink_to("a.txt")
        report = world.release()
        assert (report.status, report.counts.skipped) == ("done", 1)
        assert [event.key for event in world.events if isinstance(event, KeyLeftOut)] == ["link"]


class TestWhatIsSent:
    def test_only_changed_files_are(self, world):
        for number in range(2000):
            world.write(**{f"d{number % 50}__f{number}_txt": f"content {number}"})
        settled(world)
        assert counts(world.release()) == (2000, 0)
        for number in range(0, 2000, 100):
            world.write(**{f"d{number % 50}__f{number}_txt": f"changed, {number}"})
        report = world.release()
        assert counts(report) == (20, 1980)
        # One beside the objects is the manifest, another the pointer.
        assert report.requests["target"]["put"] == 22
        assert report.requests["source"]["get"] == 20
        seen = world.seen()
        assert (seen["d0/f100.txt"], seen["d1/f101.txt"]) == ("changed, 100", "content 101")

    def test_a_tree_that_is_live_is_not_published_again(self, world):
        world.write(a_txt="one", b_txt="two")
        settled(world)
        first = world.release()
        before = world.objects()
        again = world.release()
        assert (again.status, counts(again), again.release) == ("done", (0, 2), first.release)
        assert world.objects() == before
        assert "put" not in again.requests["target"]
        assert "get" not in again.requests["source"], "nothing is read that has not changed"

    def test_a_file_that_was_only_touched_is_read_once_and_not_sent(self, world):
        world.write(a_txt="one", b_txt="two")
        settled(world)
        world.release()
        os.utime(world.path / "a.txt", (1_700_000_001, 1_700_000_001))
        world.write(c_txt="three")
        report = world.release()
        assert (counts(report), report.requests["source"]["get"]) == ((1, 2), 2)
        assert world.entries()["a.txt"].attributes.mtime_ns == 1_700_000_001 * 10**9
        world.write(d_txt="four")
        assert world.release().requests["source"]["get"] <= 2

    def test_without_a_memory_what_may_be_unchanged_is_read_and_not_sent(self, world):
        world.write(a_txt="one", b_txt="two")
        world.release()
        forgetful = dataclasses.replace(world, state=None)
        world.write(b_txt="TWO", c_txt="longer than the others")
        report = forgetful.release()
        assert counts(report) == (2, 1)
        assert world.seen() == {"a.txt": "one", "b.txt": "TWO", "c.txt": "longer than the others"}

    def test_a_file_that_was_moved_is_not_sent(self, world):
        world.write(a_txt="some content", b_txt="other content")
        first = world.release().release
        (world.path / "a.txt").rename(world.path / "z.txt")
        assert counts(world.release()) == (0, 2)
        assert world.entries()["z.txt"].key == place(first, "a.txt")
        assert world.seen() == {"b.txt": "other content", "z.txt": "some content"}

    def test_a_moved_file_of_another_type_is_sent(self, world):
        world.write(a_txt="some content")
        world.release()
        (world.path / "a.txt").rename(world.path / "a.html")
        assert counts(world.release()) == (1, 0)
        assert world.entries()["a.html"].attributes.content_type == "text/html"

    def test_a_file_that_is_gone_makes_a_release(self, world):
        world.write(a_txt="one", b_txt="two")
        first = world.release().release
        (world.path / "a.txt").unlink()
        report = world.release()
        assert (counts(report), report.release != first) == ((0, 1), True)
        assert world.seen() == {"b.txt": "two"}

    def test_other_headers_are_sent(self, world):
        world.write(a_html="<p>", b_txt="two")
        world.release()
        rule = {"match": ["*.html"], "cache_control": "no-store"}
        assert counts(world.release(headers=[rule])) == (1, 1)
        assert counts(world.release(headers=[rule])) == (0, 2)
        assert world.entries()["a.html"].attributes.cache_control == "no-store"
        assert counts(world.release()) == (1, 1)

    def test_a_store_without_headers_is_not_sent_them(self, on_disk):
        on_disk.write(a_html="<p>")
        on_disk.release()
        assert counts(on_disk.release(headers=[{"match": ["*"], "cache_control": "no-store"}])) == (0, 1)

    def test_what_is_missing_in_an_earlier_release_is_sent_again(self, world):
        world.write(a_txt="one", b_txt="two", c_txt="three")
        release = world.release().release
        with world.target() as backend:
            backend.delete(place(release, "a.txt"))
            store(backend, place(release, "b.txt"), b"cut")
            backend.delete(place(release, "b.txt"))
            store(backend, place(release, "b.txt"), b"cut short")
        assert counts(world.release()) == (2, 1)
        assert world.seen() == {"a.txt": "one", "b.txt": "two", "c.txt": "three"}

    def test_a_manifest_that_is_damaged_does_not_keep_from_publishing(self, world, caplog):
        world.write(a_txt="one")
        release = world.release().release
        with world.target() as backend:
            store(backend, f"manifests/{release}.json", b"damaged")
        assert counts(world.release()) == (1, 0)
        assert world.seen() == {"a.txt": "one"}
        assert "everything is sent" in caplog.text

    def test_a_new_pointer_begins_with_what_is_live(self, world):
        world.write(a_txt="one", b_txt="two")
        live = world.release().release
        world.write(b_txt="changed")
        report = world.release(pointer="canary")
        assert counts(report) == (1, 1)
        assert (world.pointer().release, world.pointer("canary").release) == (live, report.release)
        assert world.seen("canary") == {"a.txt": "one", "b.txt": "changed"}
        assert world.seen() == {"a.txt": "one", "b.txt": "two"}

    def test_a_new_pointer_to_an_unchanged_tree_is_made(self, world):
        world.write(a_txt="one")
        live = world.release().release
        report = world.release(pointer="canary")
        assert counts(report) == (0, 1)
        assert world.pointer("canary").release == report.release != live

    def test_objects_of_a_store_are_released_with_their_headers(self, world):
        source = memory()
        world.source = lambda: Lasting(source)
        from cloudsync_core.models import Attributes

        store(source, "a", b"one", attributes=Attributes(content_type="text/x-own", mtime_ns=5, metadata={"k": "v"}))
        world.release()
        assert world.entries()["a"].attributes == Attributes("text/x-own", mtime_ns=5, metadata={"k": "v"})
        assert counts(world.release()) == (0, 1)


class TestWholeTrees:
    def test_everything_lies_in_the_tree_of_the_release_and_is_copied_by_the_provider(self, world):
        world.write(a_txt="one", b_txt="two")
        world.release(tree="whole")
        world.write(b_txt="changed")
        report = world.release(tree="whole")
        assert (counts(report), report.requests["target"]["copy"]) == ((1, 1), 1)
        assert {entry.key for entry in world.entries().values()} == set(world.objects(f"releases/{report.release}"))
        assert world.seen() == {"a.txt": "one", "b.txt": "changed"}

    def test_copies_keep_the_headers(self, world):
        world.write(a_html="<p>", b_txt="two")
        rule = {"match": ["*.html"], "cache_control": "no-store", "metadata": {"k": "v"}}
        world.release(tree="whole", headers=[rule])
        world.write(b_txt="changed")
        report = world.release(tree="whole", headers=[rule])
        assert report.verified["server-copy"] == 1
        entry = world.entries()["a.html"]
        with world.target() as backend:
            assert backend.stat(entry.key).attributes == entry.attributes
        assert entry.attributes.metadata == {"k": "v"}

    def test_an_unchanged_one_is_not_published_again(self, world):
        world.write(a_txt="one")
        first = world.release(tree="whole")
        assert world.release(tree="whole").release == first.release

    def test_a_shared_tree_becomes_whole_and_the_reverse(self, world):
        world.write(a_txt="one", b_txt="two")
        world.release()
        world.write(b_txt="changed")
        world.release()
        whole = world.release(tree="whole")
        assert set(world.objects(f"releases/{whole.release}")) == {entry.key for entry in world.entries().values()}
        shared = world.release(tree="shared")
        assert counts(shared) == (0, 2)
        assert world.objects(f"releases/{shared.release}") == []
        assert world.seen() == {"a.txt": "one", "b.txt": "changed"}

    def test_where_nothing_can_be_copied_it_is_sent(self, on_disk):
        on_disk.write(a_txt="one", b_txt="two")
        on_disk.release(tree="whole")
        assert on_disk.release(tree="whole").counts.unchanged == 2
        on_disk.write(b_txt="changed")
        assert counts(on_disk.release(tree="whole")) == (2, 0)
        assert on_disk.seen() == {"a.txt": "one", "b.txt": "changed"}

    def test_where_the_provider_refuses_to_copy_the_bytes_pass_through(self, world):
        world.write(a_txt="one", b_txt="two")
        world.release(tree="whole")
        world.write(b_txt="changed")

        class NoCopies(Layer):
            def copy(self, *_, **__):
                raise UnsupportedOperationError("no copies today")

        report = world.release(tree="whole", target=lambda: NoCopies(world.target()))
        assert counts(report) == (1, 1)
        assert world.seen() == {"a.txt": "one", "b.txt": "changed"}

    def test_bytes_that_pass_through_and_are_not_what_they_were_fail_the_release(self, world):
        world.write(a_txt="one", b_txt="two")
        release = world.release(tree="whole").release
        with world.target() as backend:
            backend.delete(place(release, "a.txt"))
            store(backend, place(release, "a.txt"), b"ONE")
        world.write(b_txt="changed")

        class NoCopies(Layer):
            def copy(self, *_, **__):
                raise UnsupportedOperationError("no copies today")

        report = world.release(tree="whole", target=lambda: NoCopies(world.target()))
        assert (report.status, type(report.error)) == ("aborted", ManifestError)
        assert world.pointer().release == release


class TestWhatFails:
    """In each case the pointer stays where it was, and what it names stays whole."""

    @pytest.fixture
    def live(self, world):
        world.write(a_txt="one", b_txt="two")
        world.release()
        before = world.pointer()
        yield world
        assert world.pointer() == before
        assert world.seen() == {"a.txt": "one", "b.txt": "two"}

    def manifests(self, world):
        return len(world.objects("manifests"))

    def test_an_object_that_cannot_be_sent_fails_the_release(self, live):
        live.write(b_txt="changed", c_txt="new")

        class Refusing(Layer):
            def put(self, key, body, **how):
                if key.endswith("c.txt"):
                    raise UnavailableError("no", operation="put", location=self.location, key=key)
                return self.inner.put(key, body, **how)

        report = live.release(target=lambda: Refusing(live.target()))
        assert (report.status, report.exit_code, report.counts.failed) == ("partial", 1, 1)
        assert "no release was published" in report.message
        assert self.manifests(live) == 1

    def test_a_file_that_cannot_be_read_fails_the_release(self, live):
        live.write(c_txt="new")
        source = live.open_tree
        live.source = lambda: Faulty(source(), at("get", DOWN, "c.txt", times=None))
        # The fixture looks at the source no more.
        report = live.release()
        assert (report.status, report.counts.failed) == ("partial", 1)
        assert self.manifests(live) == 1

    def test_a_file_that_changes_while_it_is_read_fails_the_release(self, live):
        live.write(c_txt="new")
        source = live.open_tree
        changed = Raise(PreconditionFailedError("it changed while it was read"))
        live.source = lambda: Faulty(source(), at("get", changed, "c.txt", times=None))
        assert live.release().status == "partial"

    def test_a_part_of_the_source_that_cannot_be_listed_fails_the_release(self, live):
        live.write(c_txt="new")
        source = live.open_tree

        class Gapped(Layer):
            def list(self, prefix="", *, start_after=None, prune=None):
                yield Page.of((), (Gap("secret", "permission denied", subtree=True),))
                yield from self.inner.list(prefix, start_after=start_after, prune=prune)

        live.source = lambda: Gapped(source())
        report = live.release()
        assert (report.status, report.counts.unknown) == ("partial", 1)
        assert self.manifests(live) == 1

    def test_an_empty_source_is_refused(self, live):
        for name in ("a.txt", "b.txt"):
            (live.path / name).unlink()
        report = live.release()
        assert (report.status, type(report.error)) == ("refused", EmptySourceError)

    @pytest.mark.parametrize(("good", "bad"), [("a", "a/b"), ("x", "../up"), ("x", "a//b"), ("x", "/abs"), ("x", "n/")])
    def test_names_that_no_tree_can_hold_fail_the_release(self, live, good, bad):
        source = memory()
        store(source, good)
        store(source, bad)
        live.source = lambda: Lasting(source)
        report = live.release()
        assert (report.status, report.counts.failed) == ("partial", 1)
        assert bad in report.failures[0].examples[0]

    def test_bytes_that_arrive_wrong_fail_the_release(self, live):
        live.write(c_txt="new content")
        # A store that tells no digest is read back.
        report = live.release(target=lambda: Faulty(plain(live.target()), at("put", Flip(2), times=None)))
        assert report.status != "done"

    def test_what_vanishes_before_the_manifest_is_noticed(self, live):
        live.write(c_txt="new")

        class Vanishing(Layer):
            def list(self, prefix="", *, start_after=None, prune=None):
                for page in self.inner.list(prefix, start_after=start_after, prune=prune):
                    yield page.select([row for row, key in enumerate(page.keys) if not key.endswith("c.txt")], ())

        report = live.release(target=lambda: Vanishing(live.target()))
        assert (report.status, type(report.error)) == ("aborted", ManifestError)
        assert "is not there" in report.message
        assert self.manifests(live) == 1

    def test_what_is_replaced_before_the_manifest_is_noticed(self, live):
        live.write(c_txt="new")

        class Replaced(Layer):
            def put(self, key, body, **how):
                done = self.inner.put(key, body, **how)
                if key.endswith("c.txt"):
                    store(self.inner, key, b"NEW")
                return done

        report = live.release(target=lambda: Replaced(live.target()))
        assert type(report.error) is ManifestError
        assert "is not what was written there" in report.message

    def test_an_interrupt_publishes_nothing(self, live):
        live.write(c_txt="new")
        stop = Stop()

        class Interrupted(Layer):
            def put(self, key, body, **how):
                stop.interrupt()
                return self.inner.put(key, body, **how)

        report = live.release(stop=stop, target=lambda: Interrupted(live.target()))
        assert (report.status, report.exit_code) == ("interrupted", 130)

    def test_a_pointer_that_somebody_moved_meanwhile_is_left_there(self, world):
        world.write(a_txt="one")
        world.release()
        other = in_memory(world.path.with_name("other"))
        other.target = world.target
        other.write(b_txt="theirs")
        theirs = []

        class Overtaken(Layer):
            def put(self, key, body, **how):
                if key.startswith("manifests/") and not theirs:
                    theirs.append(other.release(publisher="other", lease=False).release)
                return self.inner.put(key, body, **how)

        world.write(a_txt="mine")
        report = world.release(lease=False, target=lambda: Overtaken(world.target()))
        assert (report.status, report.exit_code, type(report.error)) == ("aborted", 4, ReleaseConflictError)
        assert f"was moved to {theirs[0]} by other meanwhile" in report.message
        assert world.pointer().release == theirs[0]
        assert world.seen() == {"b.txt": "theirs"}
        with world.target() as backend:
            unpointed = [one.header.release for one in history.releases(backend) if not one.pointers]
        assert len(unpointed) == 2, "the one before, and the one that lost"
        assert world.seen(max(unpointed)) in ({"a.txt": "mine"}, {"a.txt": "one"})


class TestTwoPublishers:
    @pytest.mark.parametrize("lease", [True, False])
    def test_exactly_one_of_two_at_once_wins_or_one_follows_the_other(self, world, lease):
        worlds = [world]
        other = in_memory(world.path.with_name("other"))
        other.target = world.target
        worlds.append(other)
        world.write(a_txt="first")
        other.write(a_txt="second")
        begun, reports = threading.Barrier(2), []

        class Together(Layer):
            def put(self, key, body, **how):
                if key == "current.json" and not lease:
                    begun.wait(10)
                return self.inner.put(key, body, **how)

        def publish(one):
            reports.append(one.release(lease=lease, wait=30 if lease else 0, target=lambda: Together(one.target())))

        threads = [threading.Thread(target=publish, args=(one,)) for one in worlds]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert world.seen() in ({"a.txt": "first"}, {"a.txt": "second"})
        if lease:
            assert [report.status for report in reports] == ["done", "done"]
            assert len(world.pointer().previous) == 1
        else:
            assert sorted(report.status for report in reports) == ["aborted", "done"]

    def test_a_lost_answer_of_the_pointer_is_no_failure(self, world):
        world.write(a_txt="one")
        lost = lambda: Faulty(world.target(), at("put", LoseAnswer(), "current.json"))
        assert world.release(target=lost).status == "done"
        assert world.seen() == {"a.txt": "one"}


def test_what_crashed_before_is_not_referred_to(world):
    world.write(a_txt="one")

    class Dying(Layer):
        def put(self, key, body, **how):
            if key.startswith("manifests/"):
                raise KeyboardInterrupt
            return self.inner.put(key, body, **how)

    with pytest.raises(KeyboardInterrupt):
        world.release(target=lambda: Dying(world.target()))
    left = set(world.objects("releases"))
    assert len(left) == 1
    world.release()
    assert not left & {entry.key for entry in world.entries().values()}


def test_source_and_target_must_not_overlap(world):
    from cloudsync_core.errors import OverlappingLocationsError

    with pytest.raises(OverlappingLocationsError):
        world.release(target=world.open_source)
