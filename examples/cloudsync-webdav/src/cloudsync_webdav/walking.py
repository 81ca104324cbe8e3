"""A listing in key order: folder by folder, each asked for when it is reached, so memory holds one path of folders."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from cloudsync_core import keys
from cloudsync_core.backend import Prune
from cloudsync_core.errors import printable
from cloudsync_core.models import Gap, ObjectInfo, Page

from cloudsync_webdav.multistatus import Entry

PAGE_SIZE: Final = 1000
"""Objects and gaps in a page of a listing."""


class Walk:
    """The objects below a folder.

    Args:
        below: returns what is in a folder, by its key: "" or one that ends in `/`.
        described: returns an entry as the object of a key.
        start_after: only keys greater than this one.
        prune: tells of a folder that nothing below it is wanted.
    """

    def __init__(
        self,
        below: Callable[[str], Sequence[Entry]],
        described: Callable[[str, Entry], ObjectInfo],
        start_after: str | None,
        prune: Prune | None,
    ) -> None:
        self._below = below
        self._described = described
        self._after = start_after or ""
        self._prune = prune or (lambda folder: not folder)

    def pages(self, folder: str) -> Iterator[Page]:
        """Yield the pages below a folder."""
        found = self._objects(folder)
        while batch := list(itertools.islice(found, PAGE_SIZE)):
            objects = [each for each in batch if isinstance(each, ObjectInfo)]
            yield Page.of(objects, tuple(each for each in batch if isinstance(each, Gap)))

    def _objects(self, folder: str) -> Iterator[ObjectInfo | Gap]:
        path = [iter(self._children(folder))]
        while path:
            for key, entry in path[-1]:
                if (why := keys.tree_problem(key)) is not None:
                    yield Gap(printable(key), why, subtree=entry.is_folder)
                elif not entry.is_folder:
                    if key > self._after:
                        yield self._described(key, entry)
                elif self._is_wanted(key):
                    if children := self._children(key):
                        path.append(iter(children))
                        break
                    if key > self._after:
                        yield self._described(key, entry)  # an empty folder is a marker
            else:
                path.pop()

    def _children(self, folder: str) -> list[tuple[str, Entry]]:
        """Return what is in a folder, in the order of keys: a folder's key ends in `/`, which counts."""
        found = ((f"{folder}{entry.name}{'/' if entry.is_folder else ''}", entry) for entry in self._below(folder))
        return sorted(((key, entry) for key, entry in found if not keys.is_temporary(key)), key=lambda child: child[0])

    def _is_wanted(self, folder: str) -> bool:
        """Tell whether something in a folder may come after `start_after`, and is not pruned."""
        return (folder > self._after or self._after.startswith(folder)) and not self._prune(folder.removesuffix("/"))
