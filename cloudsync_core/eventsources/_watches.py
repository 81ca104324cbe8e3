"""A tree of watches, one a folder, that follows the tree of the folders: what inotify tells becomes hints."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from cloudsync_core import keys
from cloudsync_core.backend import Prune
from cloudsync_core.errors import printable
from cloudsync_core.event_source import HINTED_AT_ONCE, Hints
from cloudsync_core.eventsources import _inotify as inotify
from cloudsync_core.eventsources._inotify import Event, Inotify, WatchLimitError
from cloudsync_core.eventsources._tree import (
    EVENTS_LOST,
    LIMIT_REACHED,
    LINK_MET,
    ROOT_GONE,
    LostTrackError,
    NotToldError,
)

_LOG = logging.getLogger(__name__)

_READ_AT_ONCE: Final = HINTED_AT_ONCE // 2
"""Events after which no more are waited for: a record of the kernel's may name a file and its folder."""

_APPEARED: Final = inotify.CREATED | inotify.MOVED_TO | inotify.ATTRIBUTES


class Watches:
    """The watches of one tree.

    A folder is watched before it is looked into, and a folder in it likewise, so that whatever comes into it is either
    found there by whoever acts on the hint at the folder, or told.

    Args:
        root: path of the directory.
        prune: see `Watched`.
        follow: whether symbolic links are followed by whoever lists the tree.

    Raises:
        NotToldError: the system allows no more watches, or there is a link and `follow`.
        OSError: the directory cannot be watched; it may not exist.
    """

    def __init__(self, root: str, *, prune: Prune | None, follow: bool) -> None:
        self._root = os.fsencode(root)
        self._prune = prune
        self._follow = follow
        self._folders: dict[int, str] = {}
        self._watches: dict[str, int] = {}
        self._told: set[str] = set()
        try:
            self._inotify = Inotify()
        except WatchLimitError as error:
            raise NotToldError(LIMIT_REACHED) from error
        try:
            self.identity = self._watch_root()
        except BaseException:
            self.close()
            raise

    @property
    def folders(self) -> int:
        """How many folders are watched."""
        return len(self._watches)

    def wait(self, timeout: float) -> Hints | None:
        """Return hints, or `None` where there are none within so many seconds; see `Tree.wait`."""
        found: dict[str, None] = {}
        read = 0
        while read < _READ_AT_ONCE and (events := self._inotify.read(0.0 if read else timeout)):
            read += len(events)
            for event in events:
                hint = self._hint(event)
                if hint:
                    found[hint] = None
        return _hints(found) if found else None

    def wake(self) -> None:
        """Let a `wait` in another thread return at once; see `Tree.wake`."""
        self._inotify.wake()

    def close(self) -> None:
        """Watch nothing any more."""
        self._inotify.close()

    def _hint(self, event: Event) -> str | None:
        """Return the key or folder that an event is about, "" being none."""
        if event.bits & inotify.OVERFLOWED:
            raise LostTrackError(EVENTS_LOST)
        folder = self._folders.get(event.watch)
        if folder is None:
            return None
        if event.bits & inotify.IGNORED:
            self._forget(event.watch)
            return None
        if event.bits & inotify.UNMOUNTED or (not folder and event.bits & (inotify.SELF_DELETED | inotify.SELF_MOVED)):
            raise LostTrackError(ROOT_GONE)
        return self._hint_at(folder + os.fsdecode(event.name), event.bits) if event.name else None

    def _hint_at(self, key: str, bits: int) -> str | None:
        if keys.problem(key) is not None:
            self._tell(key)
            return None
        if bits & inotify.IS_FOLDER:
            return self._folder_hint(key + "/", bits)
        if keys.is_temporary(key):
            return None
        if self._follow and bits & _APPEARED and _is_link(self._path(key)):
            raise NotToldError(LINK_MET)
        return key

    def _folder_hint(self, folder: str, bits: int) -> str | None:
        if self._is_pruned(folder):
            return None
        if bits & inotify.DELETED:
            # It was empty, so no folder in it is watched any more.
            self._watches.pop(folder, None)
            return folder
        if bits & inotify.MOVED_FROM:
            self._leave(folder)
            return folder
        if folder in self._watches and (bits & inotify.ATTRIBUTES or self._is_watched_still(folder)):
            return None
        if bits & _APPEARED:
            self._leave(folder)
            if self._watch_one(folder):
                self._look_into(folder)
            return folder
        return None

    def _is_pruned(self, folder: str) -> bool:
        return self._prune is not None and self._prune(folder.removesuffix("/"))

    def _is_watched_still(self, folder: str) -> bool:
        """Tell whether what has the name of a watched folder now is that folder: it may have been replaced."""
        try:
            return self._inotify.add(self._path(folder.removesuffix("/"))) == self._watches[folder]
        except OSError:
            return False

    def _watch_root(self) -> tuple[int, int]:
        try:
            watch = self._inotify.add(self._root)
        except WatchLimitError as error:
            raise NotToldError(LIMIT_REACHED) from error
        self._folders[watch], self._watches[""] = "", watch
        status = Path(os.fsdecode(self._root)).stat()
        self._look_into("")
        return status.st_dev, status.st_ino

    def _look_into(self, folder: str) -> None:
        waiting = [folder]
        while waiting:
            base = waiting.pop()
            for name in self._folders_in(base):
                inner = f"{base}{name}/"
                if keys.problem(inner) is not None:
                    self._tell(inner)
                elif inner not in self._watches and not self._is_pruned(inner) and self._watch_one(inner):
                    waiting.append(inner)

    def _watch_one(self, folder: str) -> bool:
        try:
            watch = self._inotify.add(self._path(folder.removesuffix("/")))
        except WatchLimitError as error:
            raise NotToldError(LIMIT_REACHED) from error
        except OSError:
            # It went already, is a link, or may not be read: the listing says so.
            return False
        # A folder that was moved is the same one to the kernel.
        self._forget(watch)
        self._folders[watch] = folder
        self._watches[folder] = watch
        return True

    def _folders_in(self, folder: str) -> Iterable[str]:
        found = []
        with contextlib.suppress(OSError), os.scandir(self._path(folder)) as items:
            for item in items:
                if item.is_dir(follow_symlinks=False):
                    found.append(os.fsdecode(item.name))
                elif self._follow and item.is_symlink():
                    raise NotToldError(LINK_MET)
        return found

    def _leave(self, folder: str) -> None:
        """Watch a folder and those in it no longer: they are gone, or will be met again under another name."""
        if folder not in self._watches:
            return
        for inner in [name for name in self._watches if name.startswith(folder)]:
            watch = self._watches.pop(inner)
            self._folders.pop(watch, None)
            self._inotify.remove(watch)

    def _forget(self, watch: int) -> None:
        folder = self._folders.pop(watch, None)
        if folder is not None and self._watches.get(folder) == watch:
            del self._watches[folder]

    def _path(self, key: str) -> bytes:
        return self._root + b"/" + os.fsencode(key)

    def _tell(self, key: str) -> None:
        shown = printable(key)
        if len(self._told) < HINTED_AT_ONCE and shown not in self._told:
            self._told.add(shown)
            _LOG.warning("%s: the name is not valid UTF-8; changes of it are not heard of", shown)


def _is_link(path: bytes) -> bool:
    return Path(os.fsdecode(path)).is_symlink()


def _hints(found: Iterable[str]) -> Hints:
    """Return hints, those below a folder that is one itself left out."""
    folders: list[str] = []
    for folder in sorted(name for name in found if name.endswith("/")):
        if not (folders and folder.startswith(folders[-1])):
            folders.append(folder)
    within = set(folders)
    names = [
        name
        for name in found
        if not name.endswith("/") and not any(f"{parent}/" in within for parent in keys.parents(name))
    ]
    return Hints(keys=tuple(names), folders=tuple(folders))
