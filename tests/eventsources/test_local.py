"""What changes in a directory is hinted at (clauses H1 to H7), with the system's own events and without."""

import logging
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from cloudsync_core.backends.file import FileBackend, FileOptions
from cloudsync_core.event_source import Watched
from cloudsync_core.eventsources import _inotify, _watches
from cloudsync_core.eventsources._inotify import WatchLimitError
from cloudsync_core.eventsources._tree import EVENTS_LOST
from cloudsync_core.eventsources.local import LocalEvents, LocalOptions, _observer
from cloudsync_core.location import Location

pytestmark = pytest.mark.filterwarnings("ignore:Callback with id:RuntimeWarning")
"""watchdog on Linux warns of itself; there it is used by these tests alone."""

MAKERS = {"inotify": None, "watchdog": _observer}


@pytest.fixture
def root(tmp_path):
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


def watched(root, *, prune=None, **options):
    location = Location("file", str(root))
    opened = FileOptions(**options)
    return Watched(location, FileBackend(location, opened), opened, prune)


@pytest.fixture(params=MAKERS)
def events(request, root):
    with LocalEvents(watched(root), make=MAKERS[request.param]) as source:
        assert not source.polls
        yield source


class Heard:
    """Everything that was hinted at so far."""

    def __init__(self, source):
        self.source = source
        self.keys = set()
        self.folders = set()
        self.reasons = []

    def of(self, key):
        return key in self.keys or any(key.startswith(folder) for folder in self.folders)

    def until(self, enough, seconds=10):
        until = time.monotonic() + seconds
        while not enough(self):
            assert time.monotonic() < until, f"{self.keys}, {self.folders}, {self.reasons}"
            hints = self.source.wait(0.5)
            if hints is not None:
                self.keys.update(hints.keys)
                self.folders.update(hints.folders)
                self.reasons += [hints.everything] if hints.everything else []
        return self

    def until_of(self, *keys):
        return self.until(lambda heard: all(heard.of(key) for key in keys))


def write(path, text="x"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


class TestChanges:
    """Each manner of changing something is heard of, by its final key."""

    @pytest.mark.parametrize(
        "change",
        [
            lambda tree: write(tree / "file", "in place"),
            lambda tree: (tree / "file").open("a").close() or os.utime(tree / "file"),
            lambda tree: (write(tree / ".swp", "new"), (tree / ".swp").rename(tree / "file")),
            lambda tree: (tree / "file").unlink(),
            lambda tree: (tree / "file").rename(tree.parent / "away"),
            lambda tree: ((tree / "file").unlink(), write(tree / "file", "anew")),
            lambda tree: (tree / "file").chmod(0o600),
        ],
        ids=["in place", "touched", "renamed over", "removed", "renamed", "removed and made", "permissions"],
    )
    def test_H1_of_a_file_are_heard_of(self, events, root, change):
        write(root / "tree/file")
        heard = Heard(events).until_of("tree/file")
        heard.keys.clear()
        heard.folders.clear()
        change(root / "tree")
        heard.until_of("tree/file")

    def test_H1_new_folders_are_heard_of_with_all_that_is_in_them(self, events, root):
        for number in range(20):
            write(root / f"a/{number}/b/c/file")
        heard = Heard(events).until_of(*[f"a/{number}/b/c/file" for number in range(20)])
        write(root / "a/7/b/c/later")
        heard.until_of("a/7/b/c/later")

    def test_H1_copied_trees_are_heard_of(self, events, root, tmp_path):
        for name in ("x/1", "x/y/2", "x/y/z/3"):
            write(tmp_path / "from" / name)
        subprocess.run(["cp", "-a", tmp_path / "from/x", root], check=True)
        heard = Heard(events).until_of("x/1", "x/y/2", "x/y/z/3")
        shutil.rmtree(root / "x")
        heard.keys.clear()
        heard.folders.clear()
        heard.until_of("x/1", "x/y/2", "x/y/z/3")

    def test_H1_a_moved_folder_is_heard_of_where_it_was_and_where_it_is(self, events, root, request):
        write(root / "old/deep/file")
        heard = Heard(events).until_of("old/deep/file")
        heard.folders.clear()
        (root / "old").rename(root / "new")
        heard.until_of("old/deep/file", "new/deep/file")
        heard.folders.clear()
        heard.keys.clear()
        if "watchdog" in request.node.name:
            # On Linux, where it is not used, it tells of the move before it watches the folder under its new name.
            time.sleep(1)
        write(root / "new/deep/file", "more")
        heard.until_of("new/deep/file")

    def test_H1_a_folder_that_took_the_place_of_another_is_watched(self, events, root):
        write(root / "one/file")
        (root / "two").mkdir()
        heard = Heard(events).until_of("one/file", "two/")
        (root / "one").rename(root / "two")
        heard.until_of("one/file", "two/file")
        heard.keys.clear()
        heard.folders.clear()
        write(root / "two/more")
        heard.until_of("two/more")

    def test_H2_temporary_files_of_our_own_are_not_heard_of(self, events, root):
        write(root / ".cs-0123456789ab.tmp")
        write(root / "real")
        assert Heard(events).until_of("real").keys == {"real"}

    def test_H3_reading_is_no_change(self, events, root):
        write(root / "file")
        Heard(events).until_of("file")
        time.sleep(0.2)
        while events.wait(0) is not None:
            pass
        (root / "file").read_text()
        list(root.iterdir())
        assert events.wait(0.3) is None

    def test_H4_nothing_is_waited_for_no_longer_than_asked(self, events):
        started = time.monotonic()
        assert events.wait(0.2) is None
        assert 0.15 < time.monotonic() - started < 2

    def test_H7_is_closed_from_another_thread_while_it_waits(self, root, events, monkeypatch):
        # Nothing else ends the wait.
        monkeypatch.setattr("cloudsync_core.eventsources.local._LOOK_AT_ROOT", 30.0)
        heard = []
        waiting = threading.Thread(target=lambda: heard.append(events.wait(30)))
        waiting.start()
        time.sleep(0.1)
        events.close()
        waiting.join(5)
        assert heard == [None]
        assert events.wait(5) is None

    def test_H7_nothing_is_left_behind(self, root):
        files, threads = set(Path("/proc/self/fd").iterdir()), set(threading.enumerate())
        for make in MAKERS.values():
            source = LocalEvents(watched(root), make=make)
            source.close()
            source.close()
        # What tests before this one have left may be gone by now.
        assert set(Path("/proc/self/fd").iterdir()) <= files
        assert set(threading.enumerate()) <= threads


class TestTheDirectoryItself:
    def test_that_is_replaced_is_watched_anew(self, events, root):
        root.rename(root.with_name("away"))
        heard = Heard(events).until(lambda heard: heard.reasons)
        root.mkdir()
        heard.until(lambda heard: len(heard.reasons) == 2)
        assert heard.reasons == ["the directory is not where it was", "the directory is there again"]
        write(root / "file")
        heard.until_of("file")

    def test_that_is_not_there_yet_is_waited_for(self, tmp_path):
        with LocalEvents(watched(tmp_path / "later")) as source:
            assert source.wait(0.1) is None
            write(tmp_path / "later/file")
            Heard(source).until(lambda heard: heard.reasons)

    def test_that_is_replaced_without_an_event_is_noticed(self, root, monkeypatch):
        """As where a file system is mounted over it."""
        with LocalEvents(watched(root)) as source:
            source._tree.identity = (0, 0)
            source._looked_at_root = float("-inf")
            assert Heard(source).until(lambda heard: heard.reasons).reasons == ["the directory is not where it was"]


class TestLostEvents:
    def test_H1_make_everything_suspect_and_are_watched_anew(self, root, caplog):
        limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
        with LocalEvents(watched(root)) as source:
            (root / "a").write_text("")
            (root / "b").write_text("")
            for number in range(limit + 1000):
                # Not equal to the one before, so that the kernel keeps each.
                os.utime(root / "ab"[number % 2])
            (root / "missed").mkdir()
            heard = Heard(source).until(lambda heard: EVENTS_LOST in heard.reasons)
            write(root / "missed/file")
            heard.until_of("missed/file")


class TestWithoutEvents:
    """The directory is listed again and again, and that is said, once."""

    def fallback(self, caplog, source, root, *words):
        assert source.polls
        [record] = caplog.records
        assert all(word in record.getMessage() for word in words), record.getMessage()
        heard = Heard(source).until(lambda heard: heard.reasons)
        write(root / "new")
        heard.until_of("new")
        assert len(caplog.records) == 1

    def test_on_a_network_file_system(self, root, tmp_path, caplog):
        mounts = tmp_path / "mounts"
        mounts.write_text(f"27 1 254:0 / / rw - ext4 /dev/vda rw\n40 27 0:40 / {root} rw - nfs4 host:/x rw\n")
        with LocalEvents(watched(root), LocalOptions(interval=0.1), mounts=mounts) as source:
            self.fallback(caplog, source, root, "file system of the kind nfs4", "every 0.1 s")

    @pytest.mark.parametrize("call", ["instance", "root", "below", "later"])
    def test_beyond_the_limits_of_the_system(self, root, caplog, monkeypatch, call):
        (root / "below").mkdir()
        real, allowed = _inotify.Inotify.add, {"instance": 0, "root": 0, "below": 1, "later": 2}[call]
        added = []

        def add(self, path):
            if len(added) >= allowed:
                raise WatchLimitError(28, "No space left on device")
            added.append(path)
            return real(self, path)

        def refused():
            raise WatchLimitError(24, "Too many open files")

        monkeypatch.setattr(_inotify.Inotify, "add", add)
        if call == "instance":
            monkeypatch.setattr(_watches, "Inotify", refused)
        with LocalEvents(watched(root), LocalOptions(interval=0.1)) as source:
            if call == "later":
                (root / "more").mkdir()
                Heard(source).until(lambda heard: heard.reasons)
            self.fallback(caplog, source, root, "fs.inotify.max_user_watches", "max_user_instances", "sysctl")

    def test_where_links_are_followed(self, root, tmp_path, caplog):
        write(tmp_path / "elsewhere/file")
        with LocalEvents(watched(root, symlinks="follow"), LocalOptions(interval=0.1)) as source:
            assert not source.polls
            (root / "link").symlink_to(tmp_path / "elsewhere")
            Heard(source).until(lambda heard: heard.reasons)
            self.fallback(caplog, source, root, "symbolic links")
            write(tmp_path / "elsewhere/more")
            Heard(source).until_of("link/more")


def test_links_that_are_not_followed_lead_nowhere(root, tmp_path):
    write(tmp_path / "elsewhere/file")
    (root / "link").symlink_to(tmp_path / "elsewhere")
    with LocalEvents(watched(root)) as source:
        write(tmp_path / "elsewhere/file", "more")
        write(root / "own")
        assert Heard(source).until_of("own").keys == {"own"}


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_H2_names_that_are_no_text_are_told_once(root, caplog):
    with LocalEvents(watched(root)) as source:
        for _ in range(2):
            (root / os.fsdecode(b"bad\xff")).write_text("x")
            (root / os.fsdecode(b"folder\xff")).mkdir(exist_ok=True)
            write(root / "good")
            assert Heard(source).until_of("good").keys == {"good"}
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert sorted(told) == sorted(set(told))
    assert len(told) == 2


def test_pruned_folders_are_not_watched(root):
    write(root / "cache/deep/file")
    with LocalEvents(watched(root, prune=lambda folder: folder == "cache")) as source:
        assert source._tree.folders == 1
        write(root / "cache/deep/more")
        write(root / "cache/file")
        write(root / "own")
        assert Heard(source).until_of("own").keys == {"own"}
