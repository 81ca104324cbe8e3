"""Somebody who works on a source: at random, in a directory or a store, and with a history of what was there."""

import contextlib
import shutil
from pathlib import PurePosixPath

from cloudsync_core.body import Body
from tests.watch.history import History

ANCHORS = tuple(f"kept/{number}" for number in range(5))
"""Keys that nobody removes, so that the source is never empty."""

FOLDERS = ("", "a/", "a/deep/", "b/", "c c/")
LARGE = 70_000
"""Bytes from which on a renamed file is worth to be found again."""


class Edits:
    """Random edits.

    Args:
        place: where; see below.
        dice: what chooses them.
    """

    def __init__(self, place, dice):
        self.place = place
        self.history = History()
        self._dice = dice
        self._number = 0

    def begin(self):
        """Write what is there in the beginning."""
        for key in (*ANCHORS, *(self._some_key() for _ in range(20))):
            self._write(key)

    def make_one(self):
        """Make one edit."""
        kinds = [self._new, self._new, self._change, self._change, self._change, self._remove, self._remove]
        kinds += [self._save_anew, self._rename, self._rename, self._rename_folder, self._remove_folder]
        self._dice.choice(kinds)()

    def _some_key(self):
        return f"{self._dice.choice(FOLDERS)}{self._dice.randrange(12)}.txt"

    def _old(self):
        """A key that is there and may go."""
        there = [key for key in self.history.keys if key not in ANCHORS]
        return self._dice.choice(there) if there else None

    def _content(self):
        self._number += 1
        # Some of equal length, so that the length tells nothing.
        length = self._dice.choice([8, 8, 8, 0, 2000, LARGE])
        return f"{self._number:08}".encode().ljust(length, b".")[:length]

    def _write(self, key):
        self.place.write(key, self._content(), self._dice)
        self.history.wrote(key)

    def _new(self):
        self._write(self._some_key())

    def _change(self):
        self._write(self._old() or ANCHORS[0] if self._dice.random() < 0.8 else self._dice.choice(ANCHORS))

    def _remove(self):
        if (key := self._old()) is not None:
            self.history.removes(key)
            self.place.remove(key)

    def _save_anew(self):
        """Remove, and write at once, as some programs save."""
        if (key := self._old()) is not None:
            self.history.removes(key)
            self.place.remove(key)
            self._write(key)

    def _rename(self):
        old, new = self._old(), self._some_key()
        if old is None or old == new:
            return
        self.history.removes(old)
        self.place.rename(old, new)
        self.history.wrote(new)

    def _rename_folder(self):
        """Give all that is in one folder to another, which is new."""
        there = [key for key in self.history.keys if key.startswith("b/")]
        self._number += 1
        names = {key: f"moved {self._number % 3}/{PurePosixPath(key).name}" for key in there}
        self._remove_all([key for key in self.history.keys if key.startswith(f"moved {self._number % 3}/")])
        self.history.removes(*there)
        self.place.rename_all(names)
        self.history.wrote(*names.values())

    def _remove_folder(self):
        self._remove_all([key for key in self.history.keys if key.startswith("a/deep/")])

    def _remove_all(self, keys):
        self.history.removes(*keys)
        for key in keys:
            self.place.remove(key)


class Directory:
    """A source that is a directory."""

    def __init__(self, folder):
        self.folder = folder

    def write(self, key, content, dice):
        path = self.folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        if dice.random() < 0.5:
            path.write_bytes(content)
        else:
            new = path.with_name(f".cs-{dice.randrange(10**9):x}")
            new.write_bytes(content)
            new.replace(path)

    def remove(self, key):
        (self.folder / key).unlink()

    def rename(self, old, new):
        (self.folder / new).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / old).replace(self.folder / new)

    def rename_all(self, names):
        if not names:
            return
        folders = {(PurePosixPath(old).parent, PurePosixPath(new).parent) for old, new in names.items()}
        for old, new in folders:
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(self.folder / new)
            (self.folder / old).rename(self.folder / new)

    def contents(self):
        return {
            path.relative_to(self.folder).as_posix(): path.read_bytes()
            for path in self.folder.rglob("*")
            if path.is_file()
        }


class Bucket:
    """A source that is in a store, which is edited past its proxy.

    Args:
        cloud: the store.
    """

    def __init__(self, cloud):
        self._cloud = cloud
        self._backend = cloud.opened()

    def write(self, key, content, _):
        self._backend.put(key, Body(content))

    def remove(self, key):
        self._backend.delete(key)

    def rename(self, old, new):
        with self._backend.get(old) as reader:
            content = reader.read()
        self._backend.put(new, Body(content))
        self._backend.delete(old)

    def rename_all(self, names):
        for old, new in names.items():
            self.rename(old, new)

    def contents(self):
        return self._cloud.contents()

    def close(self):
        self._backend.close()
