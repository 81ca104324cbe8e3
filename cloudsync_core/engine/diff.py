"""The merge of both listings and the base into pairs: one for each key that anybody knows.

Pages are merged as columns. Where both sides and the base hold the same keys with the same fingerprints, whole slices
are compared in C and only counted; everything else becomes a `Pair`, a few microseconds each.
"""

from __future__ import annotations

import collections
import dataclasses
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Generic, TypeVar, cast

from cloudsync_core import keys
from cloudsync_core.models import Gap, ObjectInfo, Page
from cloudsync_core.runs import Side

HEADERS_CHANGED: Final = " headers changed"
"""Stands for the target's fingerprint in the row of an object that other header rules have written (catalogue B16)."""


@dataclasses.dataclass(frozen=True, slots=True)
class BaseRow:
    """What both sides were when they were last known equal.

    Attributes:
        source: the source's fingerprint, or `None` where it could not tell.
        target: the target's, likewise; or `HEADERS_CHANGED`.
        digest: of the content, as `Digest` prints it, or `None`.
    """

    source: str | None
    target: str | None
    digest: str | None


class BasePage:
    """Some consecutive rows of the base, as parallel columns in key order."""

    __slots__ = ("digests", "keys", "sources", "targets")

    gaps: tuple[Gap, ...] = ()
    listed_at = float("-inf")

    def __init__(
        self,
        names: Sequence[str],
        sources: Sequence[str | None],
        targets: Sequence[str | None],
        digests: Sequence[str | None],
    ) -> None:
        self.keys = names
        self.sources = sources
        self.targets = targets
        self.digests = digests

    def __getitem__(self, index: int) -> BaseRow:
        return BaseRow(self.sources[index], self.targets[index], self.digests[index])


@dataclasses.dataclass(frozen=True, slots=True)
class Pair:
    """One key, as each side and the base know it; `None` where it is absent.

    Attributes:
        key: the key.
        source: the source's object.
        target: the target's object.
        base: the row of the base.
        source_gap: why the source's state of this key is unknown, or `None`.
        target_gap: likewise of the target.
        source_folder: the source has other keys under this one, which is a marker.
        target_folder: likewise of the target.
        target_seen_at: when the target's listing told what it tells of this key: seconds of the monotonic clock.
    """

    key: str
    source: ObjectInfo | None = None
    target: ObjectInfo | None = None
    base: BaseRow | None = None
    source_gap: Gap | None = None
    target_gap: Gap | None = None
    source_folder: bool = False
    target_folder: bool = False
    target_seen_at: float = float("-inf")


@dataclasses.dataclass(frozen=True, slots=True)
class Unchanged:
    """A run of keys that are on both sides just as the base says.

    Attributes:
        count: how many.
    """

    count: int


@dataclasses.dataclass(frozen=True, slots=True)
class Met:
    """A gap that a listing came across; reported once, whatever pairs it covers.

    Attributes:
        side: where.
        gap: what.
    """

    side: Side
    gap: Gap


def diff(
    source: Iterable[Page], target: Iterable[Page], base: Iterable[BasePage], *, trust_base: bool = True
) -> Iterator[Pair | Unchanged | Met]:
    """Yield what is known of each key, in key order; pure but for pulling the three streams.

    All three are in key order. An `Unchanged` run is yielded before the next pair.

    Args:
        source: the listing of the source.
        target: the listing of the target.
        base: the base.
        trust_base: keys that are on both sides just as the base says are `Unchanged`; otherwise every key is a `Pair`.
    """
    s = _Cursor[Page, ObjectInfo](source)
    t = _Cursor[Page, ObjectInfo](target)
    b = _Cursor[BasePage, BaseRow](base)
    unchanged = 0
    look = _FIRST_LOOK
    while True:
        yield from (Met("source", gap) for gap in s.gaps.unreported())
        yield from (Met("target", gap) for gap in t.gaps.unreported())
        heads = [head for head in (s.head, t.head, b.head) if head is not None]
        if not heads:
            break
        aligned = trust_base and len(heads) == 3 and s.head == t.head == b.head  # noqa: PLR2004 - all of them
        if aligned and (run := _equal_run(s, t, b, look)):
            unchanged += run
            s.advance(run)
            t.advance(run)
            b.advance(run)
            look = run * 4
            continue
        look = 1
        if unchanged:
            yield Unchanged(unchanged)
            unchanged = 0
        yield _pair(min(heads), s, t, b)
    if unchanged:
        yield Unchanged(unchanged)


_FIRST_LOOK = 1024
"""Rows that are compared at once to begin with; the next look grows fourfold after a run, and restarts after a change,
so that looking costs no more than what it finds."""


def _equal_run(
    s: _Cursor[Page, ObjectInfo], t: _Cursor[Page, ObjectInfo], b: _Cursor[BasePage, BaseRow], look: int
) -> int:
    """Return how many of the next `look` rows are the same on both sides and in the base; all three have a page."""
    length = min(look, s.left, t.left, b.left)
    source, target, base = s.page, t.page, b.page
    assert source is not None
    assert target is not None
    assert base is not None
    i, j, k = s.index, t.index, b.index
    while length:
        if (
            source.fingerprints[i : i + length] == base.sources[k : k + length]
            and target.fingerprints[j : j + length] == base.targets[k : k + length]
            and source.keys[i : i + length] == base.keys[k : k + length]
            and target.keys[j : j + length] == base.keys[k : k + length]
        ):
            return length
        length //= 2
    return 0


def _pair(key: str, s: _Cursor[Page, ObjectInfo], t: _Cursor[Page, ObjectInfo], b: _Cursor[BasePage, BaseRow]) -> Pair:
    source = s.take(key)
    target = t.take(key)
    base = b.take(key)
    marker = keys.is_marker(key)
    return Pair(
        key,
        source,
        target,
        base,
        s.gaps.covering(key) if source is None else None,
        t.gaps.covering(key) if target is None else None,
        marker and s.head is not None and s.head.startswith(key),
        marker and t.head is not None and t.head.startswith(key),
        t.seen_at,
    )


_Columns = TypeVar("_Columns", Page, BasePage)
_Row = TypeVar("_Row")


class _Cursor(Generic[_Columns, _Row]):
    """A place in a stream of pages: the key that comes next, and the rest of its page."""

    def __init__(self, pages: Iterable[_Columns]) -> None:
        self._pages: Iterator[_Columns] = iter(pages)
        self.page: _Columns | None = None
        self.index = 0
        self.left = 0
        self.head: str | None = None
        self.gaps = _Gaps()
        self.seen_at = time.monotonic()
        self._load()

    def advance(self, count: int) -> None:
        self.index += count
        self.left -= count
        if self.left and self.page is not None:
            self.head = self.page.keys[self.index]
        else:
            self._load()

    def take(self, key: str) -> _Row | None:
        if self.head != key or self.page is None:
            return None
        row = cast("_Row", self.page[self.index])
        self.advance(1)
        return row

    def _load(self) -> None:
        for page in self._pages:
            self.gaps.add(page.gaps)
            self.seen_at = page.listed_at
            if page.keys:
                self.page, self.index, self.left, self.head = page, 0, len(page.keys), page.keys[0]
                return
        self.page, self.left, self.head = None, 0, None


class _Gaps:
    """The gaps of one side that can still cover a key to come."""

    def __init__(self) -> None:
        self._open: collections.deque[Gap] = collections.deque()
        self._by_key: dict[str, Gap] = {}
        self._new: list[Gap] = []

    def add(self, gaps: Sequence[Gap]) -> None:
        for gap in gaps:
            self._open.append(gap)
            self._by_key[gap.key] = gap
        self._new.extend(gaps)

    def unreported(self) -> list[Gap]:
        new, self._new = self._new, []
        return new

    def covering(self, key: str) -> Gap | None:
        while self._open and _passed(self._open[0], key):
            self._by_key.pop(self._open.popleft().key, None)
        if not self._by_key:
            return None
        if (exact := self._by_key.get(key.removesuffix(keys.MARKER_SUFFIX))) is not None:
            return exact
        for folder in keys.parents(key):
            if (gap := self._by_key.get(folder)) is not None and gap.subtree:
                return gap
        return None


def _passed(gap: Gap, key: str) -> bool:
    folder = gap.key + "/"
    return folder < key and not key.startswith(folder)
