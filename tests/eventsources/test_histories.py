"""Whatever is done to a tree, whoever looks at what is hinted at knows the tree (clause H1)."""

import random
import shutil
import time

import pytest

from cloudsync_core.eventsources.local import LocalEvents
from tests.eventsources.test_local import watched

NAMES = "abcd"


class Onlooker:
    """Knows of a tree what it was told to look at."""

    def __init__(self, root, source):
        self.root = root
        self.source = source
        self.known = {}

    def look(self, timeout=0.0):
        """Look at what is hinted at; tell whether there was anything."""
        hints = self.source.wait(timeout)
        if hints is None:
            return False
        assert hints.everything is None
        for folder in hints.folders:
            self.known = {key: text for key, text in self.known.items() if not key.startswith(folder)}
            self.known.update(files(self.root, self.root / folder))
        for key in hints.keys:
            self.known.pop(key, None)
            if (self.root / key).is_file():
                self.known[key] = (self.root / key).read_text()
        return True


def files(root, folder):
    if not folder.is_dir():
        return {}
    return {str(path.relative_to(root)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def places(root):
    return [root, *(path for path in root.rglob("*") if path.is_dir())]


def change(root, chance):
    """Do something to the tree, if it can be done."""
    place = chance.choice(places(root)) / chance.choice(NAMES)
    other = chance.choice(places(root)) / chance.choice(NAMES)
    kind = chance.choice(["write", "write", "write", "make", "make", "move", "move", "remove", "replace"])
    if kind == "write" and not place.is_dir():
        place.write_text(str(chance.random()))
    elif kind == "make" and not place.exists() and len(place.relative_to(root).parts) < 5:
        place.mkdir()
    elif kind == "remove" and place.exists():
        shutil.rmtree(place) if place.is_dir() else place.unlink()
    elif kind == "move" and place.exists() and not other.is_relative_to(place):
        empty = other.is_dir() and not any(other.iterdir())
        if not other.exists() or (other.is_dir() == place.is_dir() and (place.is_file() or empty)):
            place.rename(other)
    elif kind == "replace" and place.is_dir() and place != root:
        # As a tool does that builds a tree beside the one that is there.
        shutil.copytree(place, root.parent / "new")
        shutil.rmtree(place)
        (root.parent / "new").rename(place)


@pytest.mark.parametrize("seed", range(4))
def test_H1_what_is_hinted_at_is_all_that_changes(tmp_path, seed):
    chance = random.Random(seed)
    root = tmp_path / "root"
    root.mkdir()
    with LocalEvents(watched(root)) as source:
        onlooker = Onlooker(root, source)
        for _ in range(400):
            change(root, chance)
            if chance.random() < 0.1:
                onlooker.look()
        until = time.monotonic() + 10
        while onlooker.look(0.1):
            assert time.monotonic() < until
        assert onlooker.known == files(root, root)
        assert source._tree.folders == len(places(root))
