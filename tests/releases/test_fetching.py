"""A directory becomes a release in one step, from what it has already and what is new."""

import errno
import os

import pytest

from cloudsync_core import open_backend
from cloudsync_core.body import Body
from cloudsync_core.errors import (
    ConfigError,
    ContainerNotFoundError,
    ManifestError,
    RunError,
    StateError,
    UnavailableError,
)
from cloudsync_core.layers.trace import RequestCounts, Trace
from cloudsync_core.releases.fetching import default_means, fetch
from cloudsync_core.releases.names import manifest_key, place
from cloudsync_core.releases.swapping import Place
from cloudsync_core.testing.faults import Faulty, Raise, at
from tests.engine.stores import memory
from tests.names.folding import LETTER_CASE, MEMORY_CARD, Folding
from tests.releases.published import MTIME, Publisher, contents


@pytest.fixture
def store():
    return memory()


@pytest.fixture
def publisher(store):
    return Publisher(store)


@pytest.fixture
def site(tmp_path):
    """A directory that follows releases."""
    return tmp_path / "site"


def counted(store):
    """Return a store, and its requests by verb."""
    counts = RequestCounts()
    return Trace(store, counts), counts


class TestTheFirstFetch:
    def test_the_directory_is_the_release(self, store, publisher, site):
        release = publisher.publish(index_html="<p>", a__b__c_txt="deep", empty="")
        fetched = fetch(store, site)
        assert contents(site) == {"index_html": "<p>", "a/b/c_txt": "deep", "empty": ""}
        assert (fetched.before, fetched.live, fetched.fetched, fetched.files) == (None, release, 3, 3)

    def test_files_have_the_times_that_the_manifest_tells(self, store, publisher, site):
        publisher.publish(a_txt="one")
        fetch(store, site)
        assert (site / "a_txt").stat().st_mtime_ns == MTIME

    def test_a_file_whose_time_nobody_told_is_as_old_as_its_release(self, store, publisher, site):
        publisher.publish(a_txt="one", mtime_ns=None)
        fetch(store, site)
        assert abs((site / "a_txt").stat().st_mtime - (site / "a_txt").stat().st_ctime) < 60

    def test_a_release_without_files_is_an_empty_directory(self, store, publisher, site):
        publisher.publish()
        fetch(store, site)
        assert site.is_dir()
        assert contents(site) == {}

    def test_folders_above_it_are_made(self, store, publisher, tmp_path):
        publisher.publish(a_txt="one")
        fetch(store, tmp_path / "www" / "html" / "site")
        assert contents(tmp_path / "www" / "html" / "site") == {"a_txt": "one"}

    def test_the_link_can_be_moved_with_the_folder_around_it(self, store, publisher, tmp_path):
        publisher.publish(a_txt="one")
        fetch(store, tmp_path / "old" / "site")
        (tmp_path / "old").rename(tmp_path / "new")
        assert contents(tmp_path / "new" / "site") == {"a_txt": "one"}

    def test_nothing_of_ours_lies_in_the_tree(self, store, publisher, site):
        publisher.publish(a_txt="one")
        fetch(store, site)
        assert [path.name for path in site.iterdir()] == ["a_txt"]

    def test_another_pointer_or_a_release_by_its_id(self, store, publisher, site, tmp_path):
        first = publisher.publish(a_txt="one")
        publisher.publish("canary", a_txt="two")
        fetch(store, site, name="canary")
        fetch(store, tmp_path / "old", release=first)
        assert contents(site) == {"a_txt": "two"}
        assert contents(tmp_path / "old") == {"a_txt": "one"}


class TestTheNextFetch:
    def test_only_the_pointer_is_read_where_the_release_is_there(self, store, publisher, site):
        publisher.publish(a_txt="one")
        fetch(store, site)
        traced, counts = counted(store)
        fetched = fetch(traced, site)
        assert counts.as_dict() == {"get": 1}
        assert not fetched.moved

    def test_unchanged_files_are_linked_and_changed_ones_fetched(self, store, publisher, site):
        publisher.publish(same="same", changed="old", removed="x")
        fetch(store, site)
        inode = (site / "same").stat().st_ino
        publisher.publish(same="same", changed="new", added="y")
        traced, counts = counted(store)
        fetched = fetch(traced, site)
        assert contents(site) == {"same": "same", "changed": "new", "added": "y"}
        assert (site / "same").stat().st_ino == inode
        assert (fetched.present, fetched.fetched, fetched.gone) == (1, 2, 1)
        # The pointer, the manifest, and two files.
        assert counts.as_dict() == {"get": 4}

    def test_a_file_that_was_changed_in_place_is_fetched_and_not_linked(self, store, publisher, site):
        publisher.publish(page="right", new="one")
        fetch(store, site)
        (site / "page").write_text("wrong")
        publisher.publish(page="right", new="two")
        fetched = fetch(store, site)
        assert contents(site) == {"page": "right", "new": "two"}
        assert fetched.fetched == 2

    def test_a_file_that_was_removed_is_fetched(self, store, publisher, site):
        publisher.publish(page="right", new="one")
        fetch(store, site)
        (site / "page").unlink()
        publisher.publish(page="right", new="two")
        fetch(store, site)
        assert contents(site) == {"page": "right", "new": "two"}

    def test_a_file_that_became_a_folder_and_the_other_way_round(self, store, publisher, site):
        publisher.publish(a="file", b__c="file")
        fetch(store, site)
        publisher.publish(a__d="file", b="file")
        fetch(store, site)
        assert contents(site) == {"a/d": "file", "b": "file"}

    def test_a_file_with_another_time_is_copied_and_the_old_tree_keeps_its_own(self, store, publisher, site):
        first = publisher.publish(page="same")
        fetch(store, site)
        publisher.publish(page="same", mtime_ns=MTIME + 10**9)
        traced, counts = counted(store)
        fetched = fetch(traced, site)
        assert (fetched.copied, counts.as_dict()) == (1, {"get": 2})
        assert (site / "page").stat().st_mtime_ns == MTIME + 10**9
        assert (Place(site).tree(first) / "page").stat().st_mtime_ns == MTIME

    def test_files_are_copied_where_links_are_not_possible(self, store, publisher, site, monkeypatch):
        publisher.publish(page="same", other="one", large=b"x" * 3_000_000)
        fetch(store, site)
        publisher.publish(page="same", other="two", large=b"x" * 3_000_000)

        link = os.link

        def within_a_folder(*names, src_dir_fd=None, dst_dir_fd=None, **options):
            if src_dir_fd not in {None, dst_dir_fd}:
                raise OSError(errno.EXDEV, "Invalid cross-device link")
            link(*names, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd, **options)

        monkeypatch.setattr(os, "link", within_a_folder)
        traced, counts = counted(store)
        fetched = fetch(traced, site)
        assert (fetched.copied, fetched.fetched, counts.as_dict()) == (2, 1, {"get": 3})
        assert contents(site) == {"page": "same", "other": "two", "large": "x" * 3_000_000}

    def test_what_cannot_be_copied_right_is_fetched(self, store, publisher, site, monkeypatch):
        publisher.publish(page="same")
        fetch(store, site)
        times = (MTIME, MTIME)
        (site / "page").write_text("fake")
        os.utime(site / "page", ns=times)
        publisher.publish(page="same", mtime_ns=MTIME + 1)
        assert fetch(store, site).fetched == 1
        assert contents(site) == {"page": "same"}

    def test_going_back_to_a_tree_that_is_kept_needs_no_file(self, store, publisher, site):
        first = publisher.publish(a="one", b="same")
        fetch(store, site)
        publisher.publish(a="two", b="same")
        fetch(store, site)
        publisher.back(first)
        traced, counts = counted(store)
        fetched = fetch(traced, site)
        assert (fetched.present, fetched.fetched, counts.as_dict()) == (2, 0, {"get": 2})
        assert contents(site) == {"a": "one", "b": "same"}

    def test_a_kept_tree_that_was_changed_meanwhile_is_mended_first(self, store, publisher, site):
        first = publisher.publish(a="one", b="same")
        fetch(store, site)
        old = Place(site).tree(first)
        publisher.publish(a="two", b="same")
        fetch(store, site)
        (old / "a").write_text("wrong")
        (old / "mine").write_text("extra")
        (old / "empty").mkdir()
        publisher.back(first)
        fetch(store, site)
        assert contents(site) == {"a": "one", "b": "same"}
        assert sorted(path.name for path in site.iterdir()) == ["a", "b"]

    def test_check_reads_what_is_there_and_mends_it(self, store, publisher, site):
        publisher.publish(a="one", b="two")
        fetch(store, site)
        (site / "a").write_text("eno")
        os.utime(site / "a", ns=(MTIME, MTIME))
        assert fetch(store, site).fetched == 0
        fetched = fetch(store, site, check=True)
        assert (fetched.fetched, fetched.present, fetched.moved) == (1, 1, False)
        assert contents(site) == {"a": "one", "b": "two"}


class TestOldTrees:
    def trees(self, site):
        return sorted(path.name for path in Place(site).store.iterdir() if path.is_dir())

    def test_as_many_as_are_to_be_kept(self, store, publisher, site):
        releases = []
        for number in range(5):
            releases.append(publisher.publish(a=f"{number}"))
            fetched = fetch(store, site, keep=3)
        assert self.trees(site) == releases[-3:]
        assert fetched.removed == (releases[1],)

    def test_the_live_one_stays_however_old_it_is(self, store, publisher, site):
        first = publisher.publish(a="one")
        fetch(store, site, keep=3)
        second = publisher.publish(a="two")
        fetch(store, site, keep=3)
        publisher.back(first)
        fetch(store, site, keep=1)
        assert self.trees(site) == [first]
        assert contents(site) == {"a": "one"}
        assert second not in self.trees(site)

    def test_what_was_live_last_is_kept_and_not_what_is_newest(self, store, publisher, site):
        first = publisher.publish(a="one")
        fetch(store, site, keep=3)
        second = publisher.publish(a="two")
        fetch(store, site, keep=3)
        publisher.back(first)
        fetch(store, site, keep=3)
        third = publisher.publish(a="three")
        fetch(store, site, keep=2)
        assert self.trees(site) == [first, third]
        assert second < third

    def test_what_was_linked_survives_the_tree_that_it_came_from(self, store, publisher, site):
        for number in range(4):
            publisher.publish(same="same", a=f"{number}")
            fetch(store, site, keep=1)
        assert contents(site) == {"same": "same", "a": "3"}

    def test_what_others_have_put_beside_them_stays(self, store, publisher, site):
        publisher.publish(a="one")
        fetch(store, site)
        (Place(site).store / "notes.txt").write_text("mine")
        publisher.publish(a="two")
        fetch(store, site, keep=1)
        assert (Place(site).store / "notes.txt").read_text() == "mine"


class TestFetchesThatAreCutShort:
    def test_the_directory_stays_what_it_was_while_a_file_cannot_be_had(self, store, publisher, site):
        publisher.publish(a="one", b="one")
        fetch(store, site)
        release = publisher.publish(a="two", b="two")
        store.delete(place(release, "b"))
        outcomes = []
        fetched = fetch(store, site, told=outcomes.append)
        assert (fetched.failed, fetched.moved) == (1, False)
        assert contents(site) == {"a": "one", "b": "one"}
        assert [outcome.action.key for outcome in outcomes if outcome.status == "failed"] == ["b"]

    def test_the_next_one_keeps_what_is_right(self, store, publisher, site):
        release = publisher.publish(a="one", b="two", c="three")
        store.delete(place(release, "b"))
        assert fetch(store, site).failed == 1
        assert not site.exists()
        tree = Place(site).tree(release)
        (tree / "c").write_text("wrong")
        (tree / ".cloudsync-0123456789abcdef.tmp").write_text("left")
        publisher.entries.clear()
        publisher.entry(release, "b", "two")
        fetched = fetch(store, site)
        assert (fetched.present, fetched.fetched, fetched.failed) == (1, 2, 0)
        assert contents(site) == {"a": "one", "b": "two", "c": "three"}

    def test_trees_of_fetches_that_nobody_goes_on_with_are_removed(self, store, publisher, site):
        release = publisher.publish(a="one")
        store.delete(place(release, "a"))
        fetch(store, site)
        assert Place(site).tree(release).is_dir()
        publisher.entries.clear()
        publisher.publish(a="two")
        fetch(store, site)
        assert not Place(site).tree(release).exists()

    def test_content_that_is_not_what_the_manifest_says_never_arrives(self, store, publisher, site):
        release = publisher.publish(a="one")
        publisher.entries.clear()
        publisher.entry(release, "a", "eno")
        outcomes = []
        means = default_means()
        assert fetch(store, site, told=outcomes.append, means=means).failed == 1
        assert outcomes[0].cause == "IntegrityError"
        assert not site.exists()
        assert contents(Place(site).tree(release)) == {}

    def test_an_interrupted_one_leaves_the_directory_as_it_was(self, store, publisher, site):
        publisher.publish(a="one")
        fetch(store, site)
        publisher.publish(a="two")
        means = default_means()
        means.stop.interrupt()
        with pytest.raises(Exception, match="interrupted"):
            fetch(store, site, means=means)
        assert contents(site) == {"a": "one"}

    def test_a_store_that_fails_for_a_moment_is_asked_again(self, store, publisher, site):
        publisher.publish(**{f"f{number}": f"{number}" for number in range(20)})
        down = Raise(UnavailableError("down"))
        shaky = Faulty(store, at("get", down, after=2, times=4))
        assert fetch(shaky, site).failed == 0
        assert len(contents(site)) == 20


class TestWhatIsInTheWay:
    def test_a_directory_that_is_not_ours_is_refused(self, store, publisher, site):
        publisher.publish(a="one")
        site.mkdir()
        (site / "mine").write_text("mine")
        with pytest.raises(RunError, match=r"no symbolic link.*\n.*Move that directory away"):
            fetch(store, site)
        assert contents(site) == {"mine": "mine"}

    def test_so_is_a_file_and_a_link_to_elsewhere(self, store, publisher, site, tmp_path):
        publisher.publish(a="one")
        site.write_text("mine")
        with pytest.raises(RunError, match="Move that file away"):
            fetch(store, site)
        site.unlink()
        site.symlink_to(tmp_path)
        with pytest.raises(RunError, match="symbolic link to"):
            fetch(store, site)
        assert site.readlink() == tmp_path

    def test_so_is_a_folder_of_trees_that_leads_elsewhere(self, store, publisher, site, tmp_path):
        publisher.publish(a="one")
        (tmp_path / "elsewhere").mkdir()
        Place(site).store.symlink_to(tmp_path / "elsewhere")
        with pytest.raises(RunError, match="trees of releases would lie elsewhere"):
            fetch(store, site)
        assert list((tmp_path / "elsewhere").iterdir()) == []

    def test_the_root_of_a_file_system_is_refused(self, store):
        with pytest.raises(ConfigError, match="the root of a file system"):
            fetch(store, "/")

    def test_what_cannot_be_written_is_told(self, store, publisher, tmp_path):
        publisher.publish(a="one")
        (tmp_path / "file").write_text("")
        with pytest.raises(RunError, match=r"cannot be written: Not a directory"):
            fetch(store, tmp_path / "file" / "site")

    def test_only_one_process_fetches_at_a_time(self, store, publisher, site):
        publisher.publish(a="one")
        with Place(site).locked(), pytest.raises(StateError, match="is already being run"):
            fetch(store, site)
        fetch(store, site)
        assert contents(site) == {"a": "one"}

    def test_a_path_that_no_file_here_can_have_fails_and_is_named(self, store, publisher, site):
        publisher.publish_tree({"n" * 300: "one", "b": "two"})
        outcomes = []
        assert fetch(store, site, told=outcomes.append).failed == 1
        assert "longer than 255 bytes" in next(one.error for one in outcomes if one.status == "failed")
        assert not site.exists()

    @pytest.mark.parametrize("system", [LETTER_CASE, MEMORY_CARD], ids=str)
    def test_paths_that_the_file_system_takes_for_one_fail_and_are_named(
        self, store, publisher, site, monkeypatch, system
    ):
        publisher.publish_tree({"README": "one", "a": "same"})
        with monkeypatch.context() as patch:
            Folding(patch, site.parent, system)
            assert fetch(store, site).failed == 0
            publisher.publish_tree({"README": "one", "Readme": "two", "a": "same"})
            outcomes = []
            assert fetch(store, site, told=outcomes.append).failed == 1
        assert "for one name" in next(one.error for one in outcomes if one.status == "failed")
        assert contents(site) == {"README": "one", "a": "same"}


class TestWhatIsNoRelease:
    def test_nothing_is_published_yet(self, store, site):
        with pytest.raises(ManifestError, match=r"has no pointer 'current'.*\n.*cloudsync release create"):
            fetch(store, site)
        assert not Place(site).store.exists()

    def test_the_container_is_missing(self, tmp_path, site):
        with open_backend(str(tmp_path / "nowhere")) as backend, pytest.raises(ContainerNotFoundError):
            fetch(backend, site)

    def test_an_unknown_release(self, store, publisher, site):
        publisher.publish(a="one")
        with pytest.raises(ManifestError, match="has no manifest of release"):
            fetch(store, site, release="20200101T000000.000000Z-00000000")
        with pytest.raises(ConfigError, match="is not the id of a release"):
            fetch(store, site, release="../../etc")

    def test_a_manifest_that_names_a_path_outside_the_tree_is_refused(self, store, publisher, site, tmp_path):
        publisher.publish(a="one")
        fetch(store, site)
        release = publisher.publish(aa="one")
        key = manifest_key(release, compressed=False)
        with store.get(key) as reader:
            text = reader.read().replace(b'"path":"aa"', b'"path":".."')
        store.put(key, Body(text))
        with pytest.raises(ManifestError):
            fetch(store, site, release=release)
        assert contents(site) == {"a": "one"}
        assert sorted(path.name for path in tmp_path.iterdir()) == [".site.cloudsync", "site"]
