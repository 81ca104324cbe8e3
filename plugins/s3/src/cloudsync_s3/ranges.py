"""One listing in key order, read in several parts at a time where it is long and the server slow.

A listing begins page by page. Once some full pages have come, what is left is cut into parts, and so is any part that
proves to be long itself. Where to cut is guessed (`cloudsync_s3.splits`); that nothing is lost or told twice does not
depend on it. A part is a half-open interval `(after, upto]`, the parts cover everything, and each is read until a key
beyond its end appears. That key has to be the first one that the next part was given, else the two are read as one. So
a server that does not know where to start, or knows it in a way of its own, costs requests and no key.
"""

from __future__ import annotations

import dataclasses
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from itertools import chain, islice
from operator import lt
from typing import Protocol

from cloudsync_core import keys
from cloudsync_core.errors import BackendError, Disposition, UnexpectedBackendError
from cloudsync_s3 import splits
from cloudsync_s3.listing import ListedPage

FAN_OUT = 8
"""Requests of one listing on their way at a time."""

PAGES_IN_MEMORY = 32
"""Pages of one listing that wait for their turn, those on their way included."""

LONG = 4
"""Pages after which a listing is cut, and about how many a part shall have; one that has twice as many is cut again."""

SLOW = 0.01
"""Seconds of waiting for a page, on an average, from which on a listing is cut: it costs some requests more."""

MOST_PARTS = 64
"""Parts of one listing at a time; the last one is as long as the rest."""

_SAMPLED = 50
"""Keys of a page, about, by which it is decided where to cut."""

_GUESSES = 32
_LEVELS = 3
"""Folders within each other that are asked for at a time."""


class Requests(Protocol):
    """How a listing asks the server; all that it raises is a `BackendError`."""

    def page(self, after: str | None, token: str | None) -> Future[bytes]:
        """Begin the request for a page: that of a token, or the first one after a key."""

    def folders(self, folder: str, after: str) -> Future[bytes]:
        """Begin the request for what is directly in a folder, after a key."""

    def read_page(self, asked: Future[bytes], previous: str | None) -> ListedPage:
        """Wait for a page; `previous` is the token by which it was asked for."""

    def read_folders(self, asked: Future[bytes]) -> list[str]:
        """Wait for the names of folders."""


@dataclasses.dataclass
class Cutting:
    """What is known about cutting the listings of one place.

    Attributes:
        allowed: false where the server does not list in order, or was caught at it.
    """

    allowed: bool


@dataclasses.dataclass(eq=False)
class _Part:
    """The keys greater than `after` and not greater than `upto`, read page after page.

    Attributes:
        asked: the page that is on its way.
        token: by which the next page is asked for.
        ready: pages that wait for their turn.
        crossing: the page that reaches beyond the end, until the next part has shown that it goes on there.
        first: the first key that the server told, and `last` the last one.
        begun: it has been asked for.
        ended: nothing is left to ask for; `final` if because the server said that there is no more at all.
        error: raised when the pages before it are used up.
        sample: some of the keys of its last pages, by page.
        pages: how many have come since it began or was cut.
        folders: listings of folders that are on their way, each with the part of the sample in one of its folders.
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
    sample: deque[list[str]] = dataclasses.field(default_factory=lambda: deque(maxlen=LONG))
    pages: int = 0
    folders: list[tuple[Future[bytes], float]] = dataclasses.field(default_factory=list)

    @property
    def under_way(self) -> list[Future[bytes]]:
        """Every request on its way."""
        return [*([self.asked] if self.asked is not None else []), *(asked for asked, _ in self.folders)]

    @property
    def held(self) -> int:
        """Pages in memory or on their way."""
        return len(self.ready) + len(self.under_way) + (self.crossing is not None)

    @property
    def wants_more(self) -> bool:
        """Whether the next page may be asked for."""
        return not (self.ended or self.asked is not None or self.crossing is not None or self.error is not None)

    def inside(self, places: Iterable[str]) -> list[str]:
        """Return those of the places that cut what is left in two, in order."""
        low, high = _rank(self.last or ""), None if self.upto is None else _rank(self.upto)
        ranks = sorted({_rank(place) for place in places})
        return [rank.decode() for rank in ranks if low < rank and (high is None or rank < high)]

    def add(self, page: ListedPage) -> None:
        """Take a page in, or hold it where it reaches beyond the end."""
        if self.upto is not None and page.keys and _rank(page.keys[-1]) > _rank(self.upto):
            self.crossing = page
            return
        if page.keys:
            self.ready.append(page)
        self.ended = self.final = page.token is None

    def drop(self) -> None:
        """Let go of what is under way."""
        for asked in self.under_way:
            asked.cancel()
        self.asked = self.crossing = None
        self.folders = []


class Listing:
    """The pages of everything under `prefix` that is greater than `after`, in key order where the server has one.

    Args:
        requests: asks the server.
        prefix: what all keys start with.
        after: only keys greater than this one.
        cutting: shared by the listings of a place.
    """

    def __init__(self, requests: Requests, prefix: str, after: str | None, cutting: Cutting) -> None:
        self._requests = requests
        self._prefix = prefix
        self._begins_inside = after is not None
        self._cutting = cutting
        self._parts = [_Part(after)]
        self._was_cut = self._over = self._refused = self._slow = False
        self._taken = self._wasted = 0
        self._waited = 0.0

    def pages(self) -> Generator[ListedPage]:
        """Yield the pages; whoever does not want the rest closes the generator, which cancels what is under way.

        Raises:
            BackendError: what a request raised, when the pages before it have been yielded.
        """
        try:
            while self._collect():
                head = self._parts[0]
                if self._over and head.first is not None:
                    raise UnexpectedBackendError(
                        "the server ended the listing before a key that it lists", disposition=Disposition.RETRY
                    )
                if head.ready:
                    page = head.ready.popleft()
                    # Who begins in the middle may want no more than a page.
                    if self._taken > 1 or not self._begins_inside:
                        self._ask()
                    yield page
                elif head.error is not None:
                    raise head.error
                elif head.ended:
                    self._leave(head)
                else:
                    self._ask()
                    self._wait()
        finally:
            for part in self._parts:
                part.drop()

    def _leave(self, head: _Part) -> None:
        self._parts.remove(head)
        if head.final:
            self._over = True
            self._parts = [part for part in self._parts if part.begun]

    def _ask(self) -> None:
        """Ask for more, the nearest keys first, as far as the limits allow."""
        flying = sum(len(part.under_way) for part in self._parts)
        held = sum(part.held for part in self._parts)
        for index, part in enumerate(tuple(self._parts)):
            if index and held >= PAGES_IN_MEMORY and part.wants_more and not part.begun:
                held -= self._forget_behind(index)
            if flying >= FAN_OUT or (index and held >= PAGES_IN_MEMORY):
                return
            if part.wants_more and len(part.ready) < 2 * LONG and not (self._over and not part.begun):
                part.asked = self._requests.page(part.after, part.token)
                part.begun = True
                flying, held = flying + 1, held + 1
            if part.final:
                return

    def _forget_behind(self, index: int) -> int:
        """Begin the farthest part anew some time, for the sake of one that is nearer; return the pages that it held."""
        farthest = max(place for place, part in enumerate(self._parts) if part.begun)
        part = self._parts[farthest]
        if farthest <= index or self._parts[farthest - 1].ended:
            # Where the part before it has ended, the two have met, and nobody could read on in its stead.
            return 0
        self._parts[farthest] = _Part(part.after, part.upto)
        held = part.held
        self._wasted += held
        part.drop()
        return held

    def _wait(self) -> None:
        begun = time.monotonic()
        wait([asked for part in self._parts for asked in part.under_way], return_when=FIRST_COMPLETED)
        if self._taken:
            # The first page waits for a connection, too.
            self._waited += time.monotonic() - begun

    def _collect(self) -> bool:
        """Take what has come, and join the parts that have met; tell whether there is any left."""
        for part in tuple(self._parts):
            if part.asked is not None and part.asked.done():
                self._take(part)
            if part.folders and all(asked.done() for asked, _ in part.folders):
                self._cut_at_folders(part)
        for part in () if self._over else tuple(self._parts):
            while part.crossing is not None and self._join(part, part.crossing):
                pass
        return bool(self._parts)

    def _take(self, part: _Part) -> None:
        asked, part.asked = part.asked, None
        assert asked is not None
        try:
            page = self._requests.read_page(asked, part.token)
        except BackendError as error:
            part.error = error
            return
        self._taken += 1
        part.pages += 1
        part.token = page.token
        if not _ascend(page.keys, part.after if part.last is None else part.last):
            self._cutting.allowed = False
            if part.first is None and (self._over or part is not self._parts[0]):
                self._give_up_from(part)
                return
            if self._was_cut:
                part.error = UnexpectedBackendError("the server's listing is not in order, and was read in parts")
                part.upto = None
        if page.keys:
            part.first = part.first or page.keys[0]
            part.last = page.keys[-1]
            part.sample.append(page.keys[:: 1 + len(page.keys) // _SAMPLED])
        part.add(page)
        if part.pages >= (2 * LONG if self._was_cut else LONG) and part.wants_more:
            self._begin_to_cut(part)

    def _join(self, part: _Part, page: ListedPage) -> bool:
        """End a part where the next one begins, or make one of both; return false when that has to wait."""
        follower = self._parts[self._parts.index(part) + 1]
        assert part.upto is not None
        place = bisect_right(page.keys, _rank(part.upto), key=_rank)
        meets = follower.first == page.keys[place] or (follower.first is None and follower.error is not None)
        if not meets and follower.first is None and follower.begun and not follower.ended:
            return False
        part.crossing = None
        if meets:
            part.ended = True
            if place:
                part.ready.append(_cut(page, place))
            if page.keys[0] == part.first and 2 * place < len(page.keys):
                self._wasted += 1
                self._thin_out()
            return False
        self._wasted += len(follower.ready) + follower.begun
        self._parts.remove(follower)
        follower.drop()
        part.upto = follower.upto
        part.add(page)
        return True

    def _thin_out(self) -> None:
        """Make one of every two parts that are not begun, because they are too short."""
        kept: list[_Part] = []
        whole = True
        for part in self._parts:
            whole = whole or part.begun or kept[-1].begun
            if whole:
                kept.append(part)
            else:
                kept[-1].upto = part.upto
            whole = not whole
        self._parts = kept

    def _give_up_from(self, part: _Part) -> None:
        """Read everything from a part on with the one before, because the server does not start where it should."""
        index = self._parts.index(part)
        for follower in self._parts[index:]:
            follower.drop()
        del self._parts[index:]
        if self._parts:
            before = self._parts[-1]
            before.upto = None
            page, before.crossing = before.crossing, None
            if page is not None:
                before.add(page)

    def _begin_to_cut(self, part: _Part) -> None:
        """Ask for the folders at which a long part may be cut, or guess where."""
        self._slow = self._slow or self._waited > SLOW * (self._taken - 1)
        useless = self._wasted > FAN_OUT and 2 * self._wasted > self._taken
        if not self._cutting.allowed or self._refused or not self._slow or useless or part.folders:
            return
        if part.last is None or keys.problem(part.last) is not None:
            return
        found = splits.levels(list(chain(*part.sample)), self._prefix)[:_LEVELS]
        if found:
            part.folders = [(self._requests.folders(name, part.last), share) for name, share in found]
        else:
            self._cut(part, ())
        part.pages = 0

    def _cut_at_folders(self, part: _Part) -> None:
        listed, part.folders = part.folders, []
        places: list[str] = []
        try:
            for asked, share in listed:
                names = part.inside(self._requests.read_folders(asked))
                together = max(1, round(1 / share))
                places += names[together - 1 :: together]
        except BackendError:
            # Not a failure of the listing: it goes on as it is.
            self._refused = True
            return
        self._wasted += not places
        self._cut(part, places)

    def _cut(self, part: _Part, places: Sequence[str]) -> None:
        """Cut what a part has left at these places, or where its keys suggest it."""
        part.pages = 0
        if part.ended or part.crossing is not None or part.error is not None:
            return
        inside = (part.inside(places) or part.inside(splits.beyond(list(chain(*part.sample)), _GUESSES)))[:MOST_PARTS]
        if inside:
            new = [_Part(after, upto) for after, upto in zip(inside, [*inside[1:], part.upto], strict=True)]
            part.upto = inside[0]
            index = self._parts.index(part) + 1
            self._parts[index:index] = new
            self._was_cut = True
            while len(self._parts) > MOST_PARTS and not self._parts[-1].begun:
                del self._parts[-1]
                self._parts[-1].upto = None


def _rank(name: str) -> bytes:
    """Return what servers sort a key by, also where it is no Unicode text."""
    return name.encode("utf-8", "surrogateescape")


def _ascend(names: Sequence[str], last: str | None) -> bool:
    if not names:
        return True
    if last is not None and _rank(names[0]) <= _rank(last):
        return False
    if all(map(lt, names, islice(names, 1, None))):
        return True
    ranks = [_rank(name) for name in names]
    return all(map(lt, ranks, islice(ranks, 1, None)))


def _cut(page: ListedPage, place: int) -> ListedPage:
    return ListedPage(page.keys[:place], page.sizes[:place], page.etags[:place], page.modified[:place], page.token)
