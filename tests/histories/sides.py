"""The two sides of a history, edited and read behind the back of what is tested."""

import contextlib
import os
import re
import shutil

from cloudsync_core.backends.file import FileBackend, FileOptions
from cloudsync_core.backends.memory import MemoryBackend, MemoryOptions
from cloudsync_core.location import Location
from tests.engine.stores import contents, store

EDITS = {
    "write": 10,
    "same size": 4,
    "append": 2,
    "truncate": 2,
    "delete": 4,
    "rename": 3,
    "folder": 1,
    "link": 1,
    "touch": 2,
    "age": 2,
}
"""What happens to a key, and how often."""


OUR_OWN = re.compile(r"\.cs-\w+\.tmp")
"""Names of files that are not finished, which only a crash leaves behind."""


class Folder:
    """A directory, edited by what every program does to files.

    Args:
        path: where it is made.
    """

    hierarchical = True

    def __init__(self, path):
        path.mkdir()
        self.path = path

    def open(self):
        return FileBackend(Location.parse(str(self.path)), FileOptions(fsync=False))

    def edit(self, how, key, other, data, when):
        """Do one thing; what a directory does not let anybody do is not done."""
        place = self.path / key
        with contextlib.suppress(OSError):
            if how in {"write", "same size", "folder", "link"}:
                place.parent.mkdir(parents=True, exist_ok=True)
            getattr(self, "_" + how.replace(" ", "_"))(place, self.path / other, data, when)

    def _write(self, place, _, data, __):
        place.write_bytes(data)

    def _same_size(self, place, _, data, __):
        # In place and with the time of before: what hides a change best.
        status = place.lstat()
        with place.open("r+b") as file:
            file.write(data[: status.st_size])
        os.utime(place, ns=(status.st_atime_ns, status.st_mtime_ns))

    def _append(self, place, _, data, __):
        with place.open("r+b") as file:
            file.seek(0, os.SEEK_END)
            file.write(data)

    def _truncate(self, place, *_):
        os.truncate(place, place.stat().st_size // 2)

    def _delete(self, place, *_):
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        else:
            place.unlink()

    def _rename(self, place, other, *_):
        place.rename(other)

    def _folder(self, place, *_):
        place.mkdir()

    def _link(self, place, other, *_):
        place.symlink_to(other)

    def _touch(self, place, *_):
        os.utime(place)

    def _age(self, place, _, __, when):
        status = place.lstat()
        os.utime(place, ns=(status.st_atime_ns, max(0, status.st_mtime_ns + when)), follow_symlinks=False)

    def read(self):
        """Return what the regular files hold, by key; an empty folder is its marker."""
        found = {}
        for path in self._walk():
            key = str(path.relative_to(self.path))
            if path.is_symlink() or OUR_OWN.fullmatch(path.name):
                continue
            if path.is_file():
                found[key] = path.read_bytes()
            elif not any(path.iterdir()):
                found[key + "/"] = b""
        return found

    def links(self):
        """Return the keys of the symbolic links."""
        return {str(path.relative_to(self.path)) for path in self._walk() if path.is_symlink()}

    def litter(self):
        """Return the names of what no run may leave behind."""
        return [path.name for path in self._walk() if OUR_OWN.fullmatch(path.name)]

    def close(self):
        """Keep nothing open."""

    def _walk(self):
        # In Python 3.11 `rglob` enters no folder through a link.
        return sorted(self.path.rglob("*"))


class Bucket:
    """A place in an object store, edited by another client of it.

    Args:
        place: of `tests.equivalence.stores`, or a URL of the memory backend.
        read: returns what the place holds, by key, as another client sees it; by default as its backend does.
    """

    hierarchical = False

    def __init__(self, opened, read=None):
        self.open = opened
        self._backend = opened()
        self._read = read or (lambda: contents(self._backend))

    @classmethod
    def in_memory(cls, url):
        store(MemoryBackend(Location.parse(url)), "made")
        MemoryBackend(Location.parse(url)).delete("made")
        return cls(lambda: MemoryBackend(Location.parse(url), MemoryOptions(create=False)))

    def edit(self, how, key, other, data, when):
        """Do one thing; what needs an object that is not there is not done."""
        del when
        if how == "write":
            store(self._backend, key, data)
        elif how == "folder":
            store(self._backend, key + "/", b"")
        elif (old := self.read().get(key)) is not None:
            if how in {"same size", "touch", "append", "truncate"}:
                new = {
                    "same size": data.ljust(len(old), b".")[: len(old)],
                    "touch": old,
                    "append": old + data,
                    "truncate": old[: len(old) // 2],
                }
                store(self._backend, key, new[how])
            if how == "rename" and other != key:
                store(self._backend, other, old)
            if how in {"delete", "rename"} and other != key:
                self._backend.delete(key)

    def read(self):
        """Return what the objects hold, by key."""
        return self._read()

    def links(self):
        """Return no keys: there are no symbolic links."""
        return set()

    def litter(self):
        """Return what no run may leave behind: nothing shows in a listing."""
        return []

    def close(self):
        self._backend.close()
