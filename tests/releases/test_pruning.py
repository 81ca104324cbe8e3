"""Pruning removes what nobody can see, and nothing else."""

import time

import pytest

from cloudsync_core.api.releases import Releases
from cloudsync_core.errors import (
    ManifestError,
    ReleaseConflictError,
    RunError,
    UnavailableError,
    UnsupportedFormatError,
)
from cloudsync_core.layers.layer import Layer
from cloudsync_core.releases.names import new_id, place
from cloudsync_core.releases.pruning import UNDER_WAY, prune
from cloudsync_core.testing.faults import Faulty, Raise, at
from tests.engine.stores import Shaped, store


@pytest.fixture
def five(world):
    """A world with five releases, of which each changes one file: `world.made`, the oldest first."""
    world.made = []
    for number in range(5):
        world.write(always_txt=f"version {number}", **{f"only{number}_txt": f"of {number}"})
        world.made.append(world.release().release)
    return world


def later(seconds):
    return lambda: time.time() + seconds


def manifests(world):
    return [key.removeprefix("manifests/").removesuffix(".json") for key in world.objects("manifests")]


def test_the_newest_stay_and_what_they_refer_to(five):
    done = prune(five.target(), keep=2)
    assert (list(done.releases), done.kept) == (five.made[:3], 2)
    assert manifests(five) == five.made[3:]
    # Each release has a file of its own to which all later ones refer, and one that no later one has.
    assert five.seen() == {"always.txt": "version 4", **{f"only{n}.txt": f"of {n}" for n in range(5)}}
    assert five.seen(five.made[3])["always.txt"] == "version 3"
    assert done.objects == 3
    assert place(five.made[0], "always.txt") not in five.objects()
    assert place(five.made[0], "only0.txt") in five.objects()


def test_pruning_again_changes_nothing(five):
    prune(five.target(), keep=2)
    before = five.objects()
    done = prune(five.target(), keep=2, clock=later(10 * UNDER_WAY))
    assert (done.releases, done.unfinished, done.objects) == ((), (), 0)
    assert five.objects() == before


def test_objects_go_with_the_last_release_that_refers_to_them(five):
    prune(five.target(), keep=2)
    for path in five.path.iterdir():
        path.unlink()
    five.write(new_txt="new")
    five.release()
    prune(five.target(), keep=1, clock=later(UNDER_WAY + 60))
    assert [key for key in five.objects() if not key.startswith(".")] == [
        "current.json", f"manifests/{five.pointer().release}.json", place(five.pointer().release, "new.txt")
    ]  # fmt: skip


def test_what_a_pointer_names_stays_however_old(five):
    with Releases(five.target()) as releases:
        releases.promote(five.made[0], "canary")
        releases.rollback(to=five.made[1])
        done = releases.prune(keep=1)
    assert list(done.releases) == five.made[2:4]
    assert manifests(five) == [five.made[0], five.made[1], five.made[4]]
    assert five.seen("canary") == {"always.txt": "version 0", "only0.txt": "of 0"}
    assert five.seen()["always.txt"] == "version 1"


def test_by_age(five):
    assert prune(five.target(), max_age=3600).releases == ()
    done = prune(five.target(), max_age=3600, keep=2, clock=later(4000))
    assert list(done.releases) == five.made[:3]
    assert list(prune(five.target(), max_age=3600, clock=later(4000)).releases) == five.made[3:4]
    assert five.seen()["always.txt"] == "version 4"


def test_a_dry_run_removes_nothing_and_says_the_same(five):
    before = five.objects()
    told = prune(five.target(), keep=2, dry_run=True)
    assert five.objects() == before
    assert told == prune(five.target(), keep=2)


def test_without_a_rule_nothing_is_removed(five):
    with pytest.raises(ValueError, match="which releases stay"):
        prune(five.target())


class TestUnfinished:
    """Trees without a manifest: of publishers that died, or are still at it."""

    def begin(self, world, age=0.0):
        release = new_id(time.time() - age)
        with world.target() as backend:
            store(backend, place(release, "a.txt"))
            store(backend, place(release, "b/c.txt"))
        return release

    def test_one_that_is_being_written_stays(self, five):
        release = self.begin(five)
        assert prune(five.target(), keep=1).unfinished == ()
        assert len(five.objects(f"releases/{release}")) == 2

    def test_one_whose_last_object_is_young_stays_however_long_ago_it_was_begun(self, five):
        release = self.begin(five, age=100 * UNDER_WAY)
        assert prune(five.target(), keep=1).unfinished == ()
        assert len(five.objects(f"releases/{release}")) == 2

    def test_one_that_was_left_is_removed(self, five):
        release = self.begin(five)
        done = prune(five.target(), keep=5, clock=later(UNDER_WAY + 60))
        assert (done.unfinished, done.releases, done.objects) == ((release,), (), 2)
        assert five.objects(f"releases/{release}") == []
        assert five.seen()["always.txt"] == "version 4"

    def test_what_a_prune_that_died_has_left_is_removed(self, five):
        class Dying(Layer):
            def delete_many(self, items):
                if not items[0][0].startswith("manifests/"):
                    raise KeyboardInterrupt
                return self.inner.delete_many(items)

        with pytest.raises(KeyboardInterrupt):
            prune(Dying(five.target()), keep=2)
        assert manifests(five) == five.made[3:]
        done = prune(five.target(), keep=2, clock=later(UNDER_WAY + 60))
        assert (list(done.unfinished), done.objects) == (five.made[:3], 3)
        assert five.seen()["only0.txt"] == "of 0"


class TestWhatStopsIt:
    """Where nobody knows what is referred to, nothing is removed."""

    @pytest.fixture
    def untouched(self, five):
        yield five
        assert set(five.untouched) <= set(five.objects())

    def spoil(self, world, key, content):
        with world.target() as backend:
            store(backend, key, content)
        world.untouched = world.objects()

    def test_a_pointer_that_cannot_be_read(self, untouched):
        self.spoil(untouched, "canary.json", b"{")
        with pytest.raises(ManifestError):
            prune(untouched.target(), keep=1)

    def test_a_pointer_of_a_newer_cloudsync(self, untouched):
        self.spoil(untouched, "canary.json", b'{"format": 2, "release": "", "manifest": ""}')
        with pytest.raises(UnsupportedFormatError):
            prune(untouched.target(), keep=1)

    def test_a_release_that_stays_and_cannot_be_read(self, untouched):
        self.spoil(untouched, f"manifests/{untouched.made[4]}.json", b"damaged")
        with pytest.raises(ManifestError):
            prune(untouched.target(), keep=1)

    def test_a_release_that_is_live_and_has_no_manifest(self, untouched):
        with untouched.target() as backend:
            backend.delete(f"manifests/{untouched.made[4]}.json")
        untouched.untouched = untouched.objects()
        with pytest.raises(ManifestError, match=f"names release {untouched.made[4]}, whose manifest is not there"):
            prune(untouched.target(), keep=1)

    def test_a_pointer_that_is_moved_meanwhile(self, five):
        with Releases(five.target(), lease=False) as other:

            class Overtaken(Layer):
                def list(self, prefix="", *, start_after=None, prune=None):
                    if prefix == "releases" and start_after is None:
                        other.rollback(to=five.made[0])
                    return self.inner.list(prefix, start_after=start_after, prune=prune)

            with pytest.raises(ReleaseConflictError):
                prune(Overtaken(five.target()), keep=2)
        assert manifests(five) == five.made
        assert five.seen()["always.txt"] == "version 0"

    def test_a_listing_that_fails(self, five):
        faulty = Faulty(five.target(), at("list", Raise(UnavailableError("down")), after=2, times=None))
        five.untouched = five.objects()
        with pytest.raises(UnavailableError):
            prune(faulty, keep=1)
        assert five.objects() == five.untouched

    def test_an_object_that_cannot_be_removed(self, five):
        faulty = Faulty(five.target(), at("delete", Raise(UnavailableError("no")), place(five.made[0], "always.txt")))
        with pytest.raises(RunError, match="cannot be removed"):
            prune(faulty, keep=2)
        assert five.seen()["always.txt"] == "version 4"


def test_what_others_have_there_stays(five):
    others = ["releases/readme.txt", "releases/mine/x.txt", "manifests/x.txt", "elsewhere/a", "b.txt"]
    with five.target() as backend:
        for key in others:
            store(backend, key)
    prune(five.target(), keep=1, clock=later(10 * UNDER_WAY))
    assert set(others) <= set(five.objects())


@pytest.mark.parametrize("ordered", [True, False])
def test_trees_that_stay_are_not_listed_where_they_can_be_passed_over(five, ordered):
    asked = []

    class Counting(Shaped):
        def list(self, prefix="", *, start_after=None, prune=None):
            asked.append((prefix, start_after))
            return self.inner.list(prefix, start_after=start_after, prune=prune)

    done = prune(Counting(five.target(), ordered_listing=ordered), keep=2)
    assert list(done.releases) == five.made[:3]
    assert len([after for prefix, after in asked if prefix == "releases" and after]) == (2 if ordered else 0)


def test_a_job_prunes_after_each_release(five):
    five.write(always_txt="version 5")
    report = five.release(keep=2)
    assert manifests(five) == [five.made[4], report.release]
    assert report.counts.deleted == 4
    assert five.seen()["always.txt"] == "version 5"


def test_a_release_is_live_also_where_older_ones_cannot_be_pruned(five):
    five.write(always_txt="version 5")
    spoilt = five.made[3]
    with five.target() as backend:
        store(backend, "canary.json", b"{")
    report = five.release(keep=2)
    assert (report.status, report.exit_code) == ("partial", 1)
    assert f"release {report.release} is live, and older ones were not pruned" in report.message
    assert five.pointer().release == report.release
    assert spoilt in manifests(five)
