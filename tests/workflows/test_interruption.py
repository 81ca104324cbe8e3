"""A run that ends early tells the truth, and the next one completes its work (P6, D25)."""

import random
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from cloudsync_core.engine.events import ActionFinished
from cloudsync_core.engine.executor import Stop
from cloudsync_core.engine.state import State
from cloudsync_core.engine.workers import AHEAD
from cloudsync_core.errors import CancelledError
from cloudsync_core.runs import Counts
from tests.engine.stores import Watched, contents, listed, store
from tests.workflows.world import FilePlace, Lasting, MemoryPlace, World


def stopping_after(stop, count):
    """Return a listener that interrupts the run when that many objects are done."""
    seen = []

    def listener(event):
        if isinstance(event, ActionFinished):
            seen.append(event)
            if len(seen) == count:
                stop.interrupt()

    return listener


def fill(backend, names, data=b"content"):
    for name in names:
        store(backend, name, data)


NAMES = [f"{number:03}" for number in range(60)]

MANY = [f"{number:04}" for number in range(3 * AHEAD)]
"""More than can be done before the listener is told of the first."""


class TestInterrupt:
    @pytest.mark.parametrize("count", [1, 7, 30])
    def test_H02_in_mid_transfer_is_reported_truthfully_and_the_rerun_completes(self, world, count):
        fill(world.source(), MANY)
        stop = Stop()
        report = world.mirror(stop=stop, listener=stopping_after(stop, count), delete=True)
        assert (report.status, report.exit_code) == ("interrupted", 130)
        assert isinstance(report.error, CancelledError)
        # What was written and could not be verified any more counts as failed, and is found right by the next run.
        there = report.counts.added + report.counts.failed
        assert count <= there == len(contents(world.target())) < len(MANY)
        again = world.mirror(delete=True)
        assert again.counts == Counts(added=len(MANY) - there, unchanged=there)
        assert contents(world.target()) == contents(world.source())

    def test_before_it_begins_does_nothing(self, world):
        fill(world.source(), NAMES)
        stop = Stop()
        stop.interrupt()
        report = world.mirror(stop=stop)
        assert (report.status, report.counts) == ("interrupted", Counts())
        assert contents(world.target()) == {}

    def test_before_the_deletes_withholds_them(self, memory_world):
        fill(memory_world.source(), ["a"])
        fill(memory_world.target(), ["0-old1", "0-old2"])
        stop = Stop()
        report = memory_world.mirror(stop=stop, listener=stopping_after(stop, 1), delete=True)
        assert (report.status, report.counts.added, report.deletes_withheld) == ("interrupted", 1, 2)
        assert set(contents(memory_world.target())) == {"a", "0-old1", "0-old2"}

    def test_H02_in_mid_delete_tells_how_many_are_left(self, memory_world):
        fill(memory_world.source(), ["a"])
        fill(memory_world.target(), ["a", *(f"old{name}" for name in MANY)])
        stop = Stop()
        report = memory_world.mirror(stop=stop, listener=stopping_after(stop, 5), delete=True)
        assert report.status == "interrupted"
        assert 5 <= report.counts.deleted < len(MANY)
        assert report.deletes_withheld == len(MANY) - report.counts.deleted
        assert len(contents(memory_world.target())) == len(MANY) + 1 - report.counts.deleted

    def test_D25_in_mid_object_leaves_nothing_of_it(self, tmp_path, state):
        place = FilePlace(tmp_path / "target")
        source = MemoryPlace()
        store(source.open(), "large", b"x" * 8_000_000)
        stop = Stop()

        class Slow(Watched):
            def put(self, key, body, **options):
                chunks = body.chunks

                def interrupted():
                    for chunk in chunks():
                        stop.interrupt()
                        yield chunk

                body.chunks = interrupted
                return super().put(key, body, **options)

        target = Slow(Lasting(place.open()))
        report = World(source.open, lambda: target, state).mirror(stop=stop)
        assert (report.status, report.counts) == ("interrupted", Counts())
        assert list(place.path.iterdir()) == []

    def test_while_a_listing_hangs_ends_the_run(self, state):
        hang, stop = threading.Event(), Stop()

        class Hanging(Lasting):
            def list(self, prefix="", *, start_after=None, prune=None):
                stop.interrupt()
                hang.wait(20)
                yield from super().list(prefix)

        source, target = MemoryPlace(), MemoryPlace()
        begun = time.monotonic()
        report = World(lambda: Hanging(source.open()), target.open, state).mirror(stop=stop)
        hang.set()
        assert report.status == "interrupted"
        assert time.monotonic() - begun < 10

    def test_is_remembered_as_what_it_was(self, memory_world, state):
        fill(memory_world.source(), NAMES)
        stop = Stop()
        memory_world.mirror(stop=stop, listener=stopping_after(stop, 1))
        with State(state, read_only=True) as database:
            assert [run.status for run in database.runs()] == ["interrupted"]

    def test_no_thread_is_left_behind(self, memory_world):
        fill(memory_world.source(), NAMES)
        stop = Stop()
        # Those of other tests, whose connections to a server that all share stay open.
        before = set(threading.enumerate())
        report = memory_world.mirror(stop=stop, listener=stopping_after(stop, 1))
        assert report.error is not None
        deadline = time.monotonic() + 10
        while left := [thread.name for thread in {*threading.enumerate()} - before if "cloudsync" in thread.name]:
            assert time.monotonic() < deadline, left
            time.sleep(0.01)


PROGRAM = """
    import sys
    from pathlib import Path
    from tests.workflows.world import World
    from cloudsync_core.backends.file import FileBackend, FileOptions
    from cloudsync_core.location import Location

    def place(path):
        return lambda: FileBackend(Location.parse(path), FileOptions(fsync=False))

    world = World(place(sys.argv[1]), place(sys.argv[2]), Path(sys.argv[3]), {"delete": True})
    world.mirror(listener=lambda event: print(type(event).__name__, flush=True))
"""


class TestKill:
    """P6: a kill at any moment, and a rerun gives the result of an uninterrupted run."""

    @pytest.mark.parametrize("seed", range(3))
    def test_P6_a_rerun_after_a_kill_completes_and_leaves_only_what_is_ours(self, tmp_path, request, seed):
        rnd = random.Random(seed)
        source, target = FilePlace(tmp_path / "source"), FilePlace(tmp_path / "target")
        names = [f"folder{number % 7}/{number:03}" for number in range(150)]
        for name in names:
            store(source.open(), name, rnd.randbytes(rnd.choice([0, 10, 200_000])))
        fill(target.open(), [*names[:20], "old/a", "old/b"], b"old")
        state = tmp_path / "state" / "state.db"
        self.kill_at(request, rnd.randint(1, 160), source.path, target.path, state)
        report = World(source.open, target.open, state, {"delete": True}).mirror()
        assert report.status == "done"
        assert contents(target.open()) == contents(source.open())
        left = {path.name for path in target.path.rglob("*") if path.is_file()}
        assert {name for name in left if not name.startswith(".cs-")} == {name.rpartition("/")[2] for name in names}
        again = World(source.open, target.open, state, {"delete": True}).mirror()
        assert again.counts == Counts(unchanged=len(names))

    def kill_at(self, request, line, source, target, state):
        """Start the run in a process of its own and kill it when it has told so many events."""
        child = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(PROGRAM), str(source), str(target), str(state)],
            stdout=subprocess.PIPE,
            cwd=request.config.rootpath,
        )
        with child:
            for _ in range(line):
                child.stdout.readline()
            child.send_signal(signal.SIGKILL)
        assert child.returncode == -signal.SIGKILL


def test_the_listing_of_what_was_killed_shows_no_temporary_file(tmp_path):
    place = FilePlace(tmp_path / "target")
    (place.path / ".cs-0123456789ab.tmp").write_bytes(b"half an object")
    assert listed(place.open()) == {}
