"""Requests of every kind go wrong by chance, in every way: what is there in the end is right, and nothing is lost."""

import random
import threading

import pytest

from cloudsync_core.backends.file import FileBackend, FileOptions
from cloudsync_core.location import Location
from cloudsync_core.testing.faults import (
    asking_to_wait,
    cut_answer,
    drop_request,
    flip_answer,
    flip_request,
    lose_answer,
    refuse,
    reset_answer,
    shorten_answer,
)
from tests.faults.conftest import PART, marked
from tests.workflows.world import World

RATE = 0.2
"""The share of requests that go wrong."""

OBJECTS = 30


class Chaos:
    """Chooses what goes wrong by the seed, the request, and how often the same request has come before."""

    def __init__(self, seed, dialect):
        self._seed = seed
        self._seen = {}
        self.met = 0
        self._lock = threading.Lock()
        self.faults = [
            refuse(dialect.refusal(500)),
            refuse(dialect.refusal(503)),
            refuse(asking_to_wait(dialect.refusal(429), 0)),
            drop_request(),
            lose_answer(),
            reset_answer(),
            reset_answer(100),
            cut_answer(100),
            shorten_answer(10),
            flip_answer(0),
            flip_request(-5),
        ]

    def dice(self, request):
        name = (request.method, request.path, len(request.query))
        with self._lock:
            number = self._seen[name] = self._seen.get(name, 0) + 1
        return random.Random(f"{self._seed}/{name}/{number}")

    def rule(self, before):
        def rule(request, forward):
            dice = self.dice(request)
            if dice.random() > RATE:
                return before(request, forward)
            self.met += 1
            return dice.choice(self.faults)(request, lambda changed=None: before(changed or request, forward))

        return rule


@pytest.fixture(params=range(3))
def chaos(request, cloud, seed):
    """What goes wrong with a cloud; the numbers are other ones with another --seed."""
    return Chaos(f"{seed}/{request.param}", cloud.dialect)


def contents_of(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class TestChaos:
    @pytest.fixture
    def world(self, cloud, chaos, tmp_path, without_pauses):
        self.folder, self.cloud, self.chaos = tmp_path / "site", cloud, chaos
        self.folder.mkdir()
        place = Location.parse(str(self.folder))
        rules = {"retries": 6, "delete": True, "transfers": 8}
        self.calm = cloud.proxy.rule
        directory = lambda: FileBackend(place, FileOptions(fsync=False))
        return World(directory, cloud.open, tmp_path / "state.db", rules)

    def versions(self):
        """Return what is there before, and what is to be there: changed, unchanged, new and surplus objects."""
        old = {f"folder/{number:02}": marked(200 + number) for number in range(OBJECTS)}
        new = {**old, **{f"folder/{number:02}": marked(300 + number) for number in range(0, OBJECTS, 3)}}
        for number in range(1, OBJECTS, 5):
            del new[f"folder/{number:02}"]
        new |= {"large": marked(2 * PART + 100), "new": marked(100), "empty": b""}
        return old, new

    def write(self, objects):
        (self.folder / "folder").mkdir(exist_ok=True)
        for key, content in objects.items():
            (self.folder / key).write_bytes(content)

    def settle(self, world, found, old, new):
        """Let the weather change until a run is done, with nothing wrong after any of them."""
        self.cloud.proxy.rule = self.chaos.rule(self.calm)
        for _ in range(3):
            report = world.mirror(compare="always")
            assert report.counts.deleted <= len(old.keys() - new.keys())
            for key, content in found().items():
                assert content in (old.get(key), new.get(key)), f"{key} is neither what it was nor what it is to be"
            assert set(new) & set(old) <= set(found()), "something was lost"
        self.cloud.proxy.rule = self.calm
        assert self.chaos.met > OBJECTS / 10
        assert world.mirror().status == "done"
        assert found() == new
        again = world.mirror()
        assert (again.counts.added, again.counts.updated, again.counts.deleted) == (0, 0, 0)

    def test_up(self, world):
        old, new = self.versions()
        self.cloud.fill(old)
        self.write(new)
        self.settle(world, self.cloud.contents, old, new)

    def test_down(self, world):
        old, new = self.versions()
        self.cloud.fill(new)
        self.write(old)
        world.source, world.target = world.target, world.source
        self.settle(world, lambda: contents_of(self.folder), old, new)
