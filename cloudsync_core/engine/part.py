"""A part of the keys: those that may have changed, by their names or by the folders that they lie in."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator, Sequence

from cloudsync_core import keys


class Part:
    """Some keys of a location: a run over a part looks at these keys on both sides, and at no others.

    A key that is a marker (`photos/`) stands for its folder: whether an empty folder is to be there can only be told
    from what is in it. A key below a folder of the part is the folder's already, as is a folder below another.

    Args:
        names: exact keys, in any order, each as often as you like.
        folders: whose keys are all meant, whatever they are; without trailing slash. "" is everything.

    Attributes:
        names: ascending, each once.
        folders: likewise, and none below another.
    """

    def __init__(self, names: Iterable[str] = (), folders: Iterable[str] = ()) -> None:
        plain: set[str] = set()
        whole = {folder.removesuffix("/") for folder in folders}
        for name in names:
            if keys.is_marker(name):
                whole.add(name.removesuffix("/"))
            else:
                plain.add(name)
        self.folders: Sequence[str] = tuple(_outermost(sorted(whole, key=keys.folder)))
        self._starts = [keys.folder(folder) for folder in self.folders]
        self.names: Sequence[str] = sorted(name for name in plain if not self._in_a_folder(name))

    def __len__(self) -> int:
        return len(self.names) + len(self.folders)

    def __contains__(self, key: str) -> bool:
        index = bisect.bisect_left(self.names, key)
        return (index < len(self.names) and self.names[index] == key) or self._in_a_folder(key)

    def batches(self, length: int) -> Iterator[tuple[Sequence[str], str | None]]:
        """Yield the part in the order of the keys: up to `length` names, and the folder after them, `None` for none."""
        begin = 0
        for start, folder in zip(self._starts, self.folders, strict=True):
            end = bisect.bisect_left(self.names, start)
            yield from self._names(begin, end, length)
            yield (), folder
            begin = end
        yield from self._names(begin, len(self.names), length)

    def _names(self, begin: int, end: int, length: int) -> Iterator[tuple[Sequence[str], None]]:
        for index in range(begin, end, length):
            yield self.names[index : min(index + length, end)], None

    def _in_a_folder(self, key: str) -> bool:
        index = bisect.bisect_right(self._starts, key) - 1
        return index >= 0 and key.startswith(self._starts[index])


def _outermost(folders: Iterable[str]) -> Iterator[str]:
    last: str | None = None
    for folder in folders:
        if last is None or not keys.folder(folder).startswith(last):
            last = keys.folder(folder)
            yield folder
