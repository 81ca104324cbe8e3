"""Nothing is written, read or removed outside of a directory, whatever names say and whatever others do (P5)."""

import contextlib
import itertools
import threading
import uuid

import pytest

from cloudsync_core.backends.file import FileBackend, FileOptions
from cloudsync_core.errors import BackendError
from cloudsync_core.location import Location
from tests.engine.stores import contents, store
from tests.names.places import corpus, fsspec_place, held
from tests.workflows.world import FilePlace, MemoryPlace, World

OBJECTS = 150
SECRET = b"not ours"
RUNS = 4


@pytest.fixture
def outside(tmp_path):
    """A directory beside the two sides, with folders and files of the same names as theirs; some folders are empty."""
    folder = tmp_path / "outside"
    for number in range(OBJECTS):
        (folder / f"{number:03}").mkdir(parents=True)
        if number % 3:
            (folder / f"{number:03}/file").write_bytes(SECRET)
    return folder


def state_of(folder):
    """Return everything below a directory that a write or a delete would change."""
    return {
        str(path.relative_to(folder)): (path.lstat().st_ino, path.lstat().st_ctime_ns) for path in folder.rglob("*")
    }


@contextlib.contextmanager
def swapping(folder, outside):
    """Replace a folder by a link to one outside and put it back, again and again; yield what counts how often."""
    done, times = threading.Event(), []

    def swap():
        for number in itertools.count():
            if done.is_set():
                return
            # Where a run has made a folder of the name meanwhile, that is the folder from now on.
            aside = outside.with_name(f"aside-{number}")
            with contextlib.suppress(OSError):
                folder.rename(aside)
            with contextlib.suppress(OSError):
                folder.symlink_to(outside)
                times.append(1)
            done.wait(0.0005)
            if folder.is_symlink():
                folder.unlink()
            with contextlib.suppress(OSError):
                aside.rename(folder)
            done.wait(0.0005)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield times
    finally:
        done.set()
        thread.join()


class TestNames:
    @pytest.mark.parametrize("kind", ["file", "fsspec"])
    def test_C01_C02_C03_no_name_of_the_corpus_leads_outside(self, tmp_path, outside, kind):
        inside = tmp_path / "one/two/three/target"
        inside.mkdir(parents=True)
        target = FilePlace(inside / "root").open if kind == "file" else None
        if target is None:
            (inside / "root").mkdir()
            target = fsspec_place(str(inside / "root"))
        world = World(MemoryPlace().open, target, tmp_path / "state.db")
        with world.source() as backend:
            held(backend, corpus())
            for key in (
                "../../../../outside/001/file",
                f"/{outside}/001/file",
                "a/../../outside/001/file",
                "../rootbeside/x",
                "a/..",
            ):
                store(backend, key, b"escaped")
        before = state_of(tmp_path)
        report = world.mirror()
        after = {name: what for name, what in state_of(tmp_path).items() if not name.startswith("state.db")}
        changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
        assert {name for name in changed if not name.startswith("one/two/three/target/root")} == set()
        assert report.counts.unknown >= 5
        assert b"escaped" not in contents(world.target()).values()

    def test_C01_C02_C03_and_none_is_read_or_removed_there(self, tmp_path, outside):
        (tmp_path / "root").mkdir()
        backend = FileBackend(Location.parse(str(tmp_path / "root")))
        before = state_of(tmp_path)
        for key in (
            "../outside/001/file",
            f"/{outside}/001/file",
            "x/../../outside/001/file",
            "..",
            "../outside/",
            "../outside/000/",
        ):
            for verb in (backend.stat, backend.delete, lambda key: backend.read(key, 100)):
                with pytest.raises(BackendError):
                    verb(key)
            with pytest.raises(BackendError), backend.get(key):
                pass
        assert state_of(tmp_path) == before


class TestFoldersThatBecomeLinks:
    """While a run goes on, somebody replaces a folder by a link to another place, and puts it back."""

    @pytest.fixture
    def down(self, tmp_path):
        place = FilePlace(tmp_path / "target")
        world = World(MemoryPlace().open, place.open, tmp_path / "state.db", {"delete": True, "transfers": 8})
        world.path = place.path
        return world

    @pytest.mark.parametrize("size", [10, 1_200_000], ids=["small", "large"])
    def test_C22_nothing_is_written_through_them(self, down, outside, size):
        wanted = {key_of(each): bytes([each]) * size for each in range(OBJECTS if size < 1_000 else 25)}
        for key, data in wanted.items():
            store(down.source(), key, data)
        (down.path / "folder").mkdir()
        before = state_of(outside)
        with swapping(down.path / "folder", outside) as times:
            for _ in range(RUNS):
                down.mirror()
        assert len(times) > RUNS
        assert state_of(outside) == before
        assert down.mirror().status == "done"
        assert contents(down.target()) == wanted
        assert state_of(outside) == before

    def test_C22_nothing_is_removed_through_them(self, down, outside):
        store(down.source(), "kept", b"content")
        before = state_of(outside)
        for _ in range(3):
            for each in range(OBJECTS):
                store(down.target(), key_of(each), b"stale")
            with swapping(down.path / "folder", outside):
                down.mirror()
                down.mirror()
            assert state_of(outside) == before
        down.mirror()
        assert contents(down.target()) == {"kept": b"content"}

    def test_C22_nothing_is_read_through_them(self, tmp_path, outside):
        place = FilePlace(tmp_path / "source")
        ours = {key_of(each): b"ours %d" % each for each in range(OBJECTS)}
        for key, data in ours.items():
            store(place.open(), key, data)
        world = World(place.open, MemoryPlace().open, tmp_path / "state.db", {"transfers": 8, "compare": "always"})
        with swapping(place.path / "folder", outside) as times:
            for _ in range(RUNS):
                world.mirror()
                assert SECRET not in contents(world.target()).values()
        assert len(times) > RUNS
        assert world.mirror().status == "done"
        assert ours.items() <= contents(world.target()).items()


def key_of(number):
    # A folder for each: the way to it leads anew through the one that is replaced.
    return f"folder/{number:03}/file"


class TestRoots:
    @pytest.mark.parametrize("kind", ["file", "fsspec", "memory"])
    def test_C19_the_name_of_the_root_may_come_again_in_keys(self, tmp_path, kind):
        folder = tmp_path / "data/data"
        folder.mkdir(parents=True)
        opener = {
            "file": lambda: FileBackend(Location.parse(str(folder)), FileOptions(fsync=False)),
            "fsspec": fsspec_place(str(folder)),
            "memory": MemoryPlace(f"memory://{uuid.uuid4()}/data/data").open,
        }[kind]
        objects = {key: key.encode() for key in ("data/data/data.txt", "data/data.txt", "data.txt", "data/data/data/x")}
        there = World(MemoryPlace().open, opener, tmp_path / "there.db")
        back = World(opener, MemoryPlace().open, tmp_path / "back.db")
        for key, data in objects.items():
            store(there.source(), key, data)
        assert there.mirror().counts.added == len(objects)
        assert back.mirror().counts.added == len(objects)
        assert contents(back.target()) == objects

    @pytest.mark.parametrize("beside", ["rootbeside", "root.", "root "])
    def test_C02_a_sibling_whose_name_begins_alike_is_not_inside(self, tmp_path, beside):
        (tmp_path / "root").mkdir()
        (tmp_path / beside).mkdir()
        (tmp_path / beside / "x").write_bytes(SECRET)
        backend = FileBackend(Location.parse(str(tmp_path / "root")))
        for key in (f"../{beside}/x", f"/{tmp_path}/{beside}/x"):
            with pytest.raises(BackendError):
                store(backend, key, b"escaped")
        assert (tmp_path / beside / "x").read_bytes() == SECRET
        assert list((tmp_path / "root").iterdir()) == []
