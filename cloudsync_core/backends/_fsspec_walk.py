"""A listing in key order from a filesystem that lists one folder at a time (clauses L1, L3, L4)."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from cloudsync_core import keys
from cloudsync_core.backend import Prune
from cloudsync_core.backends._fsspec_entry import Entry, as_object
from cloudsync_core.errors import printable
from cloudsync_core.models import Gap, Page

PAGE_SIZE: Final = 1000
"""Objects and gaps in a page."""

Found = tuple[str, Entry | Gap]
"""A place in the order, and what is there: the key of a file or of a marker, `x/` for a folder, or a gap's name."""

FOLDER = Entry(name="", kind="folder", size=0)


class Walk:
    """One pass over the tree below the root.

    Args:
        entries: lists the folder of that key (`a/b/`, or "" for the root).
        exists: tells whether there is a folder of that key.
        problem: says why the filesystem cannot hold a key.
        leftover: is told of every temporary file of ours.
        markers: whether empty folders are listed.
        start_after: only what comes after this key.
        prune: see `Backend.list`.
    """

    def __init__(
        self,
        entries: Callable[[str], list[Entry]],
        exists: Callable[[str], bool],
        *,
        problem: Callable[[str], str | None],
        leftover: Callable[[str, Entry], None],
        markers: bool,
        start_after: str | None,
        prune: Prune | None,
    ) -> None:
        self._entries = entries
        self._exists = exists
        self._problem = problem
        self._leftover = leftover
        self._markers = markers
        self._after = start_after or ""
        self._prune = prune

    def below(self, start: str) -> Iterator[Found]:
        """Yield files, markers and gaps below the folder `start`, in the order of the keys' bytes."""
        stack = [self._open(start)]
        while stack:
            for place, found in stack[-1]:
                if isinstance(found, Entry) and found.kind == "folder" and found is not FOLDER:
                    if self._wanted(place):
                        stack.append(self._open(place))
                        break
                elif place > self._after:
                    yield place, found
            else:
                stack.pop()

    def _wanted(self, folder: str) -> bool:
        """Tell whether anything below `folder` can come after the start, and is not pruned."""
        if folder <= self._after and not self._after.startswith(folder):
            return False
        return self._prune is None or not self._prune(folder.removesuffix("/"))

    def _open(self, folder: str) -> Iterator[Found]:
        """Return what a folder holds; for an empty one its own marker, for one that is closed to us a gap."""
        try:
            entries = self._entries(folder)
        except FileNotFoundError:
            # It may have been removed meanwhile; but a server that merely fails must not make its objects vanish.
            if self._exists(folder):
                raise
            return iter(())
        except PermissionError as error:
            if not folder:
                raise
            name = folder.removesuffix("/")
            return iter([(folder, Gap(name, f"the folder cannot be read: {error.strerror or error}", subtree=True))])
        found = sorted(self._found(folder, entries), key=lambda pair: pair[0])
        if not found and folder and self._markers:
            return iter([(folder, FOLDER)])
        return iter(found)

    def _found(self, folder: str, entries: list[Entry]) -> Iterator[Found]:
        times = Counter(entry.name for entry in entries)
        for name in times:
            if times[name] > 1:
                key = printable(folder + name)
                yield key, Gap(key, "several entries of the folder have this name", subtree=True)
        for entry in entries:
            if keys.is_temporary(entry.name):
                self._leftover(folder + entry.name, entry)
            elif times[entry.name] == 1:
                yield self._one(folder + entry.name, entry)

    def _one(self, key: str, entry: Entry) -> Found:
        if (why := self._problem(key)) is not None:
            return printable(key), Gap(printable(key), why, subtree=entry.kind != "file")
        if entry.kind == "folder":
            return key + "/", entry
        if entry.kind == "other":
            return key, Gap(key, "it is neither a file nor a folder", subtree=True, kind="skipped")
        if entry.size is None:
            return key, Gap(key, "the filesystem does not tell its size")
        return key, entry


def pages(found: Iterator[Found]) -> Iterator[Page]:
    """Yield what was found as pages, in the same order."""
    while batch := list(itertools.islice(found, PAGE_SIZE)):
        entries = [as_object(key, what) for key, what in batch if isinstance(what, Entry)]
        yield Page.of(entries, tuple(what for _, what in batch if isinstance(what, Gap)))
