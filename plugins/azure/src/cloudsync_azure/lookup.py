"""list and stat."""

from __future__ import annotations

import contextlib
from bisect import bisect_right
from collections.abc import Generator, Iterator
from concurrent.futures import Future

from cloudsync_azure import listing, operations, versions
from cloudsync_azure.place import Place, length
from cloudsync_core import keys
from cloudsync_core.backends.objectstore.order import in_byte_order
from cloudsync_core.backends.objectstore.wire import Answer
from cloudsync_core.errors import Disposition, UnexpectedBackendError, printable
from cloudsync_core.models import Gap, ObjectInfo, Page, Version


def pages(place: Place, prefix: str, start_after: str | None, *, ordered: bool) -> Iterator[Page]:
    """Yield the listing of everything under `prefix`; the next page is on its way while one is used.

    The service cannot begin a listing at a name: with `start_after`, what comes before is read and dropped.

    Args:
        place: where.
        prefix: "" for everything, else whole segments.
        start_after: only keys greater than this one.
        ordered: put in the order of bytes what the service lists in the order of UTF-16.
    """
    listed = _listed(place, place.root + keys.folder(prefix))
    with contextlib.closing(listed):
        found = in_byte_order(listed) if ordered else listed
        for page in found:
            yield page if start_after is None else _after(page, start_after)


def stat(place: Place, key: str) -> ObjectInfo:
    """Return what Get Blob Properties says."""
    with place.errors("stat", key):
        answer = place.connection.call(operations.get_blob_properties(place.path(key)))
        return place.describe(key, length(answer), answer)


def _listed(place: Place, prefix: str) -> Generator[Page, None, None]:
    """Yield the pages in the order of the service."""
    asked: Future[Answer] | None = _ask(place, prefix, None)
    circles = _Circles()
    try:
        while asked is not None:
            with place.errors("list"):
                page = _checked(asked.result().body, prefix)
                circles.check(page.token)
            asked = None if page.token is None else _ask(place, prefix, page.token)
            # A page of the service may hold nothing, and not be the last one.
            if page.keys:
                yield _relative(place, page)
    finally:
        if asked is not None:
            asked.cancel()


def _ask(place: Place, prefix: str, marker: str | None) -> Future[Answer]:
    return place.connection.start(operations.list_blobs(place.address.path(None), prefix, marker))


class _Circles:
    """Finds out a listing that never ends, by the markers of its pages, of which it remembers one (Brent's way)."""

    def __init__(self) -> None:
        self._remembered: str | None = None
        self._since = 0
        self._until = 1

    def check(self, marker: str | None) -> None:
        """Take in where the next page is.

        Raises:
            UnexpectedBackendError: the listing has been there before.
        """
        if marker is not None and marker == self._remembered:
            raise UnexpectedBackendError("the server's listing turns in a circle: a page comes again")
        self._since += 1
        if self._since == self._until:
            self._remembered, self._since, self._until = marker, 0, 2 * self._until


def _checked(document: bytes, prefix: str) -> listing.ListedPage:
    """Return the page, once it is known to belong to the listing that was asked for (A13)."""
    try:
        page = listing.parse(document)
    except listing.ListingError as error:
        raise UnexpectedBackendError(str(error), disposition=Disposition.RETRY) from error
    stray = next((key for key in page.keys if not key.startswith(prefix)), None)
    if stray is not None:
        raise UnexpectedBackendError(f"the server lists {printable(stray)!r}, which is not under the prefix")
    return page


def _relative(place: Place, listed: listing.ListedPage) -> Page:
    """Return a page with names relative to the root, without the marker of the root itself."""
    cut = len(place.root)
    names = [key[cut:] for key in listed.keys]
    page = Page(names, listed.sizes, listed.etags, lambda index: _entry(place, names[index], listed, index))
    unusable = [index for index, name in enumerate(names) if not name or not _is_unicode(name)]
    if not unusable:
        return page
    gaps = tuple(Gap(printable(names[index]), "the name is not valid Unicode") for index in unusable if names[index])
    usable = sorted(set(range(len(names))).difference(unusable))
    return page.select(usable, gaps)


def _is_unicode(name: str) -> bool:
    return name.isascii() or keys.problem(name) is None


def _entry(place: Place, name: str, listed: listing.ListedPage, index: int) -> ObjectInfo:
    etag = listed.etags[index]
    with place.errors("list", name):
        modified_ns = versions.nanoseconds(listed.modified[index])
    digest = versions.md5(listed.md5s[index]) if place.content_md5 else None
    return ObjectInfo(
        name, listed.sizes[index], etag, modified_ns, Version(etag or None), () if digest is None else (digest,)
    )


def _after(page: Page, start_after: str) -> Page:
    """Return what of a page in order is greater than a key."""
    begin = bisect_right(page.keys, start_after)
    gaps = tuple(gap for gap in page.gaps if gap.key > start_after)
    return page.select(range(begin, len(page.keys)), gaps)
