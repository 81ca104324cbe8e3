"""Looking at releases, and going from one to another."""

import pytest

from cloudsync_core.api.releases import Releases
from cloudsync_core.errors import ConfigError, ManifestError, ReleaseConflictError
from cloudsync_core.layers.layer import Layer
from cloudsync_core.releases import history, pointer
from cloudsync_core.releases.names import place
from cloudsync_core.releases.verifying import verify
from tests.engine.stores import Watched, store
from tests.releases.world import in_memory


@pytest.fixture
def three(world):
    """A world with three releases: `world.made`, the oldest first."""
    world.made = []
    for text in ("one", "two", "three"):
        world.write(a_txt=text, b_txt="same")
        world.made.append(world.release().release)
    return world


@pytest.fixture
def releases(three):
    with Releases(three.target(), publisher="op") as opened:
        yield opened


class TestLs:
    def test_shows_every_release_and_who_names_it(self, three, releases):
        releases.promote(three.made[0], "canary")
        releases.promote(three.made[0], "old")
        shown = {one.header.release: one for one in releases.ls()}
        assert list(shown) == three.made
        assert [one.pointers for one in shown.values()] == [("canary", "old"), (), ("current",)]
        told = shown[three.made[2]].to_dict()
        assert (told["files"], told["bytes"], told["base"], told["pointers"]) == (2, 9, three.made[1], ["current"])
        assert told["created"].endswith("Z")

    def test_of_an_empty_place_is_empty(self, world):
        with Releases(world.target()) as opened:
            assert list(opened.ls()) == []
            with pytest.raises(ManifestError, match="no pointer 'current': nothing was published"):
                opened.pointer()

    def test_what_is_none_is_left_out(self, three, releases):
        with three.target() as backend:
            store(backend, "manifests/readme.txt")
            store(backend, "manifests/folder/x.json")
        assert [one.header.release for one in releases.ls()] == three.made


class TestShow:
    def test_by_pointer_and_by_id(self, three, releases):
        with releases.show() as found:
            assert found.header.release == three.made[2]
        with releases.show(three.made[0]) as found:
            assert [entry.path for entry in found.entries()] == ["a.txt", "b.txt"]

    def test_of_what_cannot_be(self, releases):
        with pytest.raises(ConfigError):
            releases.show("no/pointer")
        with pytest.raises(ManifestError, match="no manifest of release"):
            releases.show("20200101T000000.000000Z-00000000")


def test_diff_shows_what_changed(world):
    world.write(a_txt="one", b_txt="same", c_txt="gone", e_html="<p>")
    first = world.release().release
    world.write(a_txt="ONE", d_txt="new")
    (world.path / "c.txt").unlink()
    world.release(headers=[{"match": ["*.html"], "cache_control": "no-store"}])
    with Releases(world.target()) as releases:
        found = list(releases.diff(first, "current"))
        assert [(one.kind, one.path) for one in found] == [
            ("changed", "a.txt"), ("removed", "c.txt"), ("added", "d.txt"), ("headers", "e.html")
        ]  # fmt: skip
        assert list(releases.diff("current", "current")) == []
        reverse = {one.path: one.kind for one in releases.diff("current", first)}
        assert (reverse["c.txt"], reverse["d.txt"]) == ("added", "removed")


class TestRollback:
    def test_goes_to_the_one_before_and_on_to_the_one_before_that(self, three, releases):
        assert releases.rollback().release == three.made[1]
        assert three.seen()["a.txt"] == "two"
        assert releases.pointer().previous == (three.made[2], three.made[0])
        assert releases.rollback().release == three.made[0]
        with pytest.raises(ManifestError, match="named no release before"):
            releases.rollback()
        assert releases.pointer().release == three.made[0]

    def test_after_a_new_release_goes_to_what_was_live_before_it(self, three, releases):
        releases.rollback(to=three.made[0])
        three.write(a_txt="four")
        three.release()
        assert releases.rollback().release == three.made[0]

    def test_goes_to_a_release_by_its_id_also_forward(self, three, releases):
        assert releases.rollback(to=three.made[0]).release == three.made[0]
        assert releases.rollback(to=three.made[2]).release == three.made[2]

    def test_tells_who_did_it(self, releases):
        releases.rollback()
        assert releases.pointer().by == "op"

    @pytest.mark.parametrize("to", ["current", "x", "../x"])
    def test_to_what_is_no_release_is_refused(self, releases, to):
        with pytest.raises(ConfigError, match="not the id of a release"):
            releases.rollback(to=to)

    def test_where_nothing_was_published_it_says_so(self, world):
        with Releases(world.target()) as opened, pytest.raises(ManifestError, match="nothing was published"):
            opened.rollback()

    @pytest.mark.parametrize("gone", ["manifest", "object", "cut short"])
    def test_to_what_is_not_complete_is_refused(self, three, releases, gone):
        with three.target() as backend:
            if gone == "manifest":
                backend.delete(f"manifests/{three.made[1]}.json")
            else:
                backend.delete(place(three.made[1], "a.txt"))
            if gone == "cut short":
                store(backend, place(three.made[1], "a.txt"), b"tw")
        with pytest.raises(ManifestError, match=three.made[1]):
            releases.rollback()
        assert releases.pointer().release == three.made[2]

    def test_of_two_at_once_one_is_refused(self, three):
        with Releases(three.target(), lease=False) as other:

            class Overtaken(Layer):
                def put(self, key, body, **how):
                    other.rollback(to=three.made[0])
                    return self.inner.put(key, body, **how)

            with Releases(Overtaken(three.target()), lease=False) as opened, pytest.raises(ReleaseConflictError):
                opened.rollback()
            assert other.pointer().release == three.made[0]


class TestPromote:
    def test_goes_from_pointer_to_pointer(self, three, releases):
        three.write(a_txt="four")
        new = three.release(pointer="canary").release
        assert releases.promote("canary", "current").release == new
        assert three.seen()["a.txt"] == "four"
        assert releases.pointer().previous[0] == three.made[2]
        assert releases.rollback().release == three.made[2]

    def test_to_where_it_is_changes_nothing(self, three, releases):
        before = releases.pointer()
        assert releases.promote(three.made[2]) == before

    def test_from_a_pointer_that_is_missing_is_refused(self, releases):
        with pytest.raises(ManifestError, match="no pointer 'canary'"):
            releases.promote("canary")

    def test_a_damaged_release_is_refused(self, three, releases):
        with three.target() as backend:
            store(backend, f"manifests/{three.made[0]}.json", b"{}\n")
        with pytest.raises(ManifestError):
            releases.promote(three.made[0], "canary")
        with three.target() as backend:
            assert pointer.read(backend, "canary") is None


class TestVerify:
    def test_of_what_is_whole_finds_nothing(self, releases):
        assert list(releases.verify()) == []
        assert list(releases.verify(content=True)) == []

    def test_finds_what_is_missing_and_what_has_another_size(self, three, releases):
        with three.target() as backend:
            backend.delete(place(three.made[2], "a.txt"))
            store(backend, place(three.made[0], "b.txt"), b"longer than it was")
        found = [fault.key for fault in releases.verify()]
        assert found == [place(three.made[2], "a.txt"), place(three.made[0], "b.txt")]

    def test_finds_other_bytes_of_the_same_size_by_reading(self, three, releases):
        with three.target() as backend:
            store(backend, place(three.made[0], "b.txt"), b"SAME")
        assert list(releases.verify()) == []
        (fault,) = releases.verify(content=True)
        assert fault.key == place(three.made[0], "b.txt")
        assert "digest" in fault.reason

    def test_reads_each_object_once(self, world):
        world.write(a_txt="same content")
        first = world.release().release
        (world.path / "a.txt").rename(world.path / "b.txt")
        world.write(c_txt="same content")
        world.release()
        assert {entry.key for entry in world.entries().values()} == {place(first, "a.txt")}
        counted = Watched(world.target())
        with history.opened(counted, "current") as found:
            counted.calls.clear()
            assert list(verify(counted, found, content=True)) == []
        assert counted.called("get") == [place(first, "a.txt")]


def test_two_worlds_of_one_place_follow_each_other(three):
    other = in_memory(three.path.with_name("other"))
    other.target = three.target
    other.write(x_txt="theirs")
    report = other.release(publisher="other")
    assert three.header().base == three.made[2]
    three.write(a_txt="four")
    assert three.release().release > report.release
    assert three.pointer().previous[:2] == (report.release, three.made[2])
