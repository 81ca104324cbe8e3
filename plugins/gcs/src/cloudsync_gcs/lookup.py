"""list and stat."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from concurrent.futures import Future

from cloudsync_core import keys
from cloudsync_core.backends.objectstore.listing import ListedPage, ListingError, relative, trusted
from cloudsync_core.backends.objectstore.ranges import Cutting, Listing
from cloudsync_core.backends.objectstore.wire import Request
from cloudsync_core.errors import Disposition, UnexpectedBackendError
from cloudsync_core.models import ObjectInfo, Page, Version
from cloudsync_gcs import attributes, listing, operations, versions
from cloudsync_gcs.place import Place

_LINE_BREAK = re.compile(r"[\r\n]")


class Lister:
    """Lists one place; safe to use from many threads.

    Args:
        place: which.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._cutting = Cutting(allowed=True)

    def pages(self, prefix: str, start_after: str | None) -> Iterator[Page]:
        """Yield the listing of everything under `prefix`; the next pages are on their way while one is used."""
        place = self._place
        requests = _Requests(place, place.root + keys.folder(prefix))
        after = None if start_after is None else place.root + start_after
        with contextlib.closing(Listing(requests, requests.prefix, after, self._cutting).pages()) as listed:
            for page in listed:
                yield relative(page, place.root, self._row)

    def _row(self, page: ListedPage, key: str, index: int) -> ObjectInfo:
        """Return the entry of one row of a page."""
        generation = page.etags[index]
        created = attributes.instant(page.modified[index])
        with self._place.errors("list", key):
            if created is None:
                raise UnexpectedBackendError("the server's listing holds a time that is none")
        told = dict(zip(versions.FIELDS.values(), (column[index] for column in page.others), strict=True))
        digests = versions.digests(told)
        return ObjectInfo(key, page.sizes[index], generation, created, Version(generation, generation), digests)


def stat(place: Place, key: str) -> ObjectInfo:
    """Return what the object is, with all that it carries."""
    with place.errors("stat", key):
        return place.describe(key, place.look(place.named(key)))


class _Requests:
    """The requests of one listing; see `cloudsync_core.backends.objectstore.ranges.Requests`."""

    def __init__(self, place: Place, prefix: str) -> None:
        self._place = place
        self._after: dict[Future[bytes], str] = {}
        self.prefix = prefix

    def page(self, after: str | None, token: str | None) -> Future[bytes]:
        query = dict(self._place.common)
        if after is not None:
            query["startOffset"] = _offset(after)
        if token is not None:
            query["pageToken"] = token
        asked = self._ask(operations.list_page(self._place.address, self.prefix, query))
        if after is not None:
            self._after[asked] = after
        return asked

    def folders(self, folder: str, after: str) -> Future[bytes]:
        query = {**self._place.common, "startOffset": _offset(after)}
        return self._ask(operations.list_folders(self._place.address, folder, query))

    def read_page(self, asked: Future[bytes], previous: str | None) -> ListedPage:
        after = self._after.pop(asked, None)
        with self._place.errors("list"):
            page = trusted(listing.parse, asked.result(), self.prefix, previous)
        # The server begins with the key that is given, not after it.
        return page.rows(1, len(page.keys)) if page.keys and page.keys[0] == after else page

    def read_folders(self, asked: Future[bytes]) -> list[str]:
        with self._place.errors("list"):
            try:
                return listing.folders(asked.result())
            except ListingError as error:
                raise UnexpectedBackendError(str(error), disposition=Disposition.RETRY) from error

    def _ask(self, request: Request) -> Future[bytes]:
        return self._place.connection.submit(lambda: self._place.connection.request(request).body)


def _offset(after: str) -> str:
    """Return where a listing starts that is to begin after some text.

    No name holds a line break, so the server may refuse one. Where the text has one, which a guess at where to cut a
    listing may have, whatever follows comes after the next character as well.
    """
    found = _LINE_BREAK.search(after)
    return after if found is None else after[: found.start()] + chr(ord(found[0]) + 1)
