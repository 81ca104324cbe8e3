"""One stretch of a listing: the keys of a half-open interval, in the order in which servers sort, page after page."""

from __future__ import annotations

import dataclasses
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from itertools import islice
from operator import lt

from cloudsync_core.backends.objectstore.listing import ListedPage
from cloudsync_core.errors import BackendError

_SAMPLED_PAGES = 4
_SAMPLED_KEYS = 50


@dataclasses.dataclass(eq=False)
class Stretch:
    """The keys that are greater than `after` and not greater than `upto`.

    Attributes:
        asked: the page that is on its way.
        token: by which the next page is asked for.
        ready: pages that wait for their turn.
        crossing: the page that reaches beyond the end, until it is known that the next stretch goes on there.
        first: the first key that the server told, whichever stretch it belongs to.
        last: the last one.
        begun: it has been asked for.
        ended: there is nothing left to ask for.
        final: it ended because the server said that there is nothing more at all.
        error: raised when the pages before it are used up.
        pages: how many have come since it was begun or cut.
        sample: some of the keys of the latest pages, page by page.
        folders: listings of folders that are on their way, each with the pages that one of its folders has, about.
    """

    after: str | None
    upto: str | None = None
    asked: Future[bytes] | None = None
    token: str | None = None
    ready: deque[ListedPage] = dataclasses.field(default_factory=deque)
    crossing: ListedPage | None = None
    first: str | None = None
    last: str | None = None
    begun: bool = False
    ended: bool = False
    final: bool = False
    error: BackendError | None = None
    pages: int = 0
    sample: deque[list[str]] = dataclasses.field(default_factory=lambda: deque(maxlen=_SAMPLED_PAGES))
    folders: list[tuple[Future[bytes], float]] = dataclasses.field(default_factory=list)

    @property
    def under_way(self) -> list[Future[bytes]]:
        """The requests on their way."""
        return [*([self.asked] if self.asked is not None else []), *(asked for asked, _ in self.folders)]

    @property
    def held(self) -> int:
        """Pages in memory or on their way."""
        return len(self.ready) + len(self.under_way) + (self.crossing is not None)

    @property
    def is_open(self) -> bool:
        """Whether there may be keys that nobody has asked for."""
        return not self.ended and self.crossing is None and self.error is None

    def goes_on_with(self, names: Sequence[str]) -> bool:
        """Tell whether these are in order, and come after all that the server told."""
        if not names:
            return True
        before = self.after if self.last is None else self.last
        if before is not None and rank(names[0]) <= rank(before):
            return False
        if all(map(lt, names, islice(names, 1, None))):
            return True
        # Names that are no Unicode text may be in order as bytes only.
        ranks = [rank(name) for name in names]
        return all(map(lt, ranks, islice(ranks, 1, None)))

    def take(self, page: ListedPage) -> None:
        """Take in a page that the server told."""
        self.token = page.token
        self.pages += 1
        if page.keys:
            self.first = self.first or page.keys[0]
            self.last = page.keys[-1]
            self.sample.append(page.keys[:: 1 + len(page.keys) // _SAMPLED_KEYS])
        self.add(page)

    def add(self, page: ListedPage) -> None:
        """Hand out a page, or hold it back where it reaches beyond the end."""
        if self.upto is not None and page.keys and rank(page.keys[-1]) > rank(self.upto):
            self.crossing = page
            return
        if page.keys:
            self.ready.append(page)
        self.ended = self.final = page.token is None

    def end_with(self, page: ListedPage) -> None:
        """Hand out what of the last page belongs here."""
        self.crossing = None
        self.ended = True
        if place := self.belonging(page):
            self.ready.append(page.rows(0, place))

    def belonging(self, page: ListedPage) -> int:
        """Return how many keys of a page in order are not beyond the end."""
        return len(page.keys) if self.upto is None else bisect_right(page.keys, rank(self.upto), key=rank)

    def extend(self, upto: str | None) -> None:
        """Take over what comes next."""
        self.upto = upto
        page, self.crossing = self.crossing, None
        if page is not None:
            self.add(page)

    def inside(self, places: Iterable[str]) -> list[str]:
        """Return those places that cut what has not been told yet in two, in order."""
        low = rank(self.last or self.after or "")
        high = None if self.upto is None else rank(self.upto)
        ranks = sorted({rank(place) for place in places})
        return [found.decode() for found in ranks if low < found and (high is None or found < high)]

    def drop(self) -> None:
        """Let go of everything: whoever holds it still will find nothing in it."""
        for asked in self.under_way:
            asked.cancel()
        self.asked = self.crossing = None
        self.folders = []
        self.ready.clear()
        self.ended = True


def rank(name: str) -> bytes:
    """Return what servers sort a key by, also where it is no Unicode text."""
    return name.encode("utf-8", "surrogateescape")
