"""One listing in key order, of which several stretches are read at a time where it is long and the server slow.

A listing begins page by page. Once some full pages have come, what is left is cut into stretches, and so is any stretch
that proves to be long itself. Where to cut is guessed (`splits`), and nothing but speed depends on it. The
stretches are half-open intervals `(after, upto]` that cover everything, and each is read until a key
beyond its end appears. That key has to be the first one that the server told of the next stretch, else the two are read
as one. So a server that does not know where to start, or knows it in a way of its own, costs requests and no key.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from itertools import chain
from typing import Protocol

from cloudsync_core import keys
from cloudsync_core.backends.objectstore import splits
from cloudsync_core.backends.objectstore.listing import ListedPage
from cloudsync_core.backends.objectstore.stretches import Stretch
from cloudsync_core.errors import BackendError, Disposition, UnexpectedBackendError

FAN_OUT = 8
"""Pages of one listing that are on their way at a time."""

PAGES_IN_MEMORY = 32
"""Pages of one listing that wait for their turn, those on their way included."""

LONG = 4
"""Pages after which a listing is cut, and about as many as a stretch shall have: one of twice as many is cut again."""

SLOW = 0.01
"""Seconds that a page has to be waited for, on an average, before a listing is cut: stretches cost further requests."""

MOST_STRETCHES = 64
"""Stretches of a listing at a time; the last one is as long as the rest."""

FOLDERS_AT_A_TIME = 3
"""Folders, one within the other, that are asked at a time where a stretch may be cut."""

_GUESSES = 32


class Requests(Protocol):
    """How a listing asks the server; what its methods raise is a `BackendError`.

    Where the server has no way to start after a key, or does not list in order, cutting is not allowed; then `folders`
    and `read_folders` are never called, and only the key that the whole listing starts after is ever given to `page`.
    """

    def page(self, after: str | None, token: str | None) -> Future[bytes]:
        """Begin the request for the page of a token, or for the first one after a key."""

    def folders(self, folder: str, after: str) -> Future[bytes]:
        """Begin the request for the folders that are directly in a folder and hold keys greater than `after`."""

    def read_page(self, asked: Future[bytes], previous: str | None) -> ListedPage:
        """Return the page that has come; `previous` is the token by which it was asked for."""

    def read_folders(self, asked: Future[bytes]) -> list[str]:
        """Return the folders that have come."""


@dataclasses.dataclass
class Cutting:
    """What is known about cutting the listings of one place.

    Attributes:
        allowed: false where the server does not promise to list in order, or was seen to break that promise.
    """

    allowed: bool


class Listing:
    """The pages of everything under a prefix.

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
        self._stretches = [Stretch(after)]
        self._was_cut = False
        self._refused = False
        self._over = False
        self._slow = False
        self._waited = 0.0
        self._taken = 0
        self._wasted = 0

    def pages(self) -> Generator[ListedPage]:
        """Yield the pages as the server has them, in key order if it lists in order.

        Whoever does not want the rest closes the generator, which cancels what is under way.

        Raises:
            BackendError: a request failed; the pages before it have been yielded.
        """
        try:
            while self._collect():
                head = self._stretches[0]
                if self._over and head.first is not None:
                    raise UnexpectedBackendError(
                        "the server ended the listing before a key that it lists", disposition=Disposition.RETRY
                    )
                if head.ready:
                    page = head.ready.popleft()
                    # Who begins in the middle may want no more than one page.
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
            for stretch in self._stretches:
                stretch.drop()

    def _leave(self, head: Stretch) -> None:
        self._stretches.remove(head)
        if head.final:
            self._over = True
            self._stretches = [stretch for stretch in self._stretches if stretch.begun]

    def _ask(self) -> None:
        """Ask for more, the nearest keys first, as far as the limits allow."""
        flying = sum(stretch.asked is not None for stretch in self._stretches)
        held = sum(stretch.held for stretch in self._stretches)
        for index, stretch in enumerate(tuple(self._stretches)):
            if flying >= FAN_OUT:
                return
            if index and held >= PAGES_IN_MEMORY and not stretch.begun:
                held -= self._forget_behind(index)
            if index and held >= PAGES_IN_MEMORY:
                return
            if stretch.is_open and stretch.asked is None and len(stretch.ready) < 2 * LONG:
                stretch.asked = self._requests.page(stretch.after, stretch.token)
                stretch.begun = True
                flying, held = flying + 1, held + 1
            if stretch.final:
                return

    def _forget_behind(self, index: int) -> int:
        """Drop the pages of the farthest stretch in favour of a nearer one; return how many there were."""
        farthest = max(place for place, stretch in enumerate(self._stretches) if stretch.begun)
        stretch = self._stretches[farthest]
        if farthest <= index or self._stretches[farthest - 1].ended:
            # Where the stretch before it has ended there, nobody could read on in its stead.
            return 0
        self._stretches[farthest] = Stretch(stretch.after, stretch.upto)
        held = stretch.held
        self._wasted += held
        stretch.drop()
        return held

    def _wait(self) -> None:
        begun = time.monotonic()
        wait([asked for stretch in self._stretches for asked in stretch.under_way], return_when=FIRST_COMPLETED)
        if self._taken:
            # The first page waits for a connection, too.
            self._waited += time.monotonic() - begun

    def _collect(self) -> bool:
        """Take what has come, join what has met, cut what is long; return false when nothing is left."""
        for stretch in tuple(self._stretches):
            if stretch.asked is not None and stretch.asked.done():
                asked, stretch.asked = stretch.asked, None
                self._take(stretch, asked)
            if stretch.folders and all(asked.done() for asked, _ in stretch.folders):
                self._cut_at_folders(stretch)
        for stretch in () if self._over else tuple(self._stretches):
            while stretch.crossing is not None and self._join(stretch, stretch.crossing):
                pass
        if self._may_cut():
            most = 2 * LONG if self._was_cut else LONG
            long = next((stretch for stretch in self._stretches if stretch.is_open and stretch.pages >= most), None)
            if long is not None:
                self._begin_to_cut(long)
        return bool(self._stretches)

    def _take(self, stretch: Stretch, asked: Future[bytes]) -> None:
        try:
            page = self._requests.read_page(asked, stretch.token)
        except BackendError as error:
            stretch.error = error
            return
        self._taken += 1
        if not stretch.goes_on_with(page.keys):
            self._cutting.allowed = False
            if stretch.first is None and (self._over or stretch is not self._stretches[0]):
                self._give_up_from(stretch)
                return
            if self._was_cut:
                # Whoever checks the order sees the page; what else there would be, nobody knows.
                stretch.error = UnexpectedBackendError("the listing is not in order, and several stretches were read")
                stretch.upto = None
        stretch.take(page)

    def _join(self, stretch: Stretch, page: ListedPage) -> bool:
        """End a stretch where the next one begins, or make one of both; return false when there is no more to do."""
        follower = self._stretches[self._stretches.index(stretch) + 1]
        place = stretch.belonging(page)
        if follower.first is None and follower.begun and not follower.ended and follower.error is None:
            return False
        if follower.first == page.keys[place] or (follower.first is None and follower.error is not None):
            if page.keys[0] == stretch.first and 2 * place < len(page.keys):
                self._wasted += 1
                self._thin_out()
            stretch.end_with(page)
            return False
        self._wasted += len(follower.ready) + follower.begun
        self._stretches.remove(follower)
        follower.drop()
        stretch.extend(follower.upto)
        return True

    def _thin_out(self) -> None:
        """Make one of every two stretches that are not begun, because they are too short."""
        kept: list[Stretch] = []
        alone = True
        for stretch in self._stretches:
            alone = alone or stretch.begun or kept[-1].begun
            if alone:
                kept.append(stretch)
            else:
                kept[-1].upto = stretch.upto
            alone = not alone
        self._stretches = kept

    def _give_up_from(self, stretch: Stretch) -> None:
        """Read everything from a stretch on with the one before, because the server does not start where it should."""
        index = self._stretches.index(stretch)
        for follower in self._stretches[index:]:
            follower.drop()
        del self._stretches[index:]
        if self._stretches:
            self._stretches[-1].extend(None)

    def _may_cut(self) -> bool:
        self._slow = self._slow or (self._taken >= LONG and self._waited > SLOW * (self._taken - 1))
        pays = self._wasted <= FAN_OUT or 2 * self._wasted <= self._taken
        busy = any(stretch.folders for stretch in self._stretches)
        return self._cutting.allowed and self._slow and pays and not (self._refused or self._over or busy)

    def _begin_to_cut(self, stretch: Stretch) -> None:
        """Ask for the folders at which a long stretch may be cut, or guess where."""
        stretch.pages = 0
        if stretch.last is None or keys.problem(stretch.last) is not None:
            return
        sample = list(chain(*stretch.sample))
        found = splits.levels(sample, self._prefix)[:FOLDERS_AT_A_TIME]
        for name, share in found:
            asked = self._requests.folders(name, stretch.last)
            stretch.folders.append((asked, share * len(stretch.sample)))
        if not found:
            self._cut(stretch, ())

    def _cut_at_folders(self, stretch: Stretch) -> None:
        listed, stretch.folders = stretch.folders, []
        places: list[str] = []
        try:
            for asked, pages in listed:
                together = max(1, round(LONG / pages))
                places += stretch.inside(self._requests.read_folders(asked))[together - 1 :: together]
        except BackendError:
            # Not a failure of the listing: it goes on as it is.
            self._refused = True
            return
        self._wasted += not places
        self._cut(stretch, places)

    def _cut(self, stretch: Stretch, places: Sequence[str]) -> None:
        """Cut what a stretch has left at these places, or else where its keys suggest it."""
        if not stretch.is_open:
            return
        guesses = () if places else splits.beyond(list(chain(*stretch.sample)), _GUESSES)
        inside = stretch.inside([*places, *guesses])[:MOST_STRETCHES]
        if not inside:
            return
        self._was_cut = True
        new = [Stretch(after, upto) for after, upto in zip(inside, [*inside[1:], stretch.upto], strict=True)]
        stretch.upto = inside[0]
        index = self._stretches.index(stretch) + 1
        self._stretches[index:index] = new
        while len(self._stretches) > MOST_STRETCHES and not self._stretches[-1].begun:
            del self._stretches[-1]
            self._stretches[-1].upto = None
