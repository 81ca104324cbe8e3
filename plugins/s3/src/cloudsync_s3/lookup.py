"""list and stat."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator
from concurrent.futures import Future

from cloudsync_core import keys
from cloudsync_core.errors import Disposition, UnexpectedBackendError, printable
from cloudsync_core.models import Digest, Gap, ObjectInfo, Page, Version
from cloudsync_s3 import etags, listing, splits
from cloudsync_s3.errors import FAILURES, is_bodiless
from cloudsync_s3.place import Place, length, nanoseconds
from cloudsync_s3.ranges import Cutting, Listing


def pages(place: Place, prefix: str, start_after: str | None, cutting: Cutting) -> Iterator[Page]:
    """Yield the listing of everything under `prefix`; the next pages are on their way while one is used."""
    requests = _Requests(place, place.root + keys.folder(prefix))
    after = None if start_after is None else place.root + start_after
    with contextlib.closing(Listing(requests, requests.prefix, after, cutting).pages()) as listed:
        for page in listed:
            yield _relative(place, page)


def stat(place: Place, key: str) -> ObjectInfo:
    """Return what HeadObject says; the answer to a HEAD that fails has no body, so a GET asks for the reason (L2)."""
    with place.errors("stat", key):
        try:
            response = place.call(key, "head_object")
        except FAILURES as failure:
            if is_bodiless(failure):
                place.connection.probe(**place.named(key), Range="bytes=0-0")
            raise
        return place.describe(key, length(response), response)


class _Requests:
    """The requests of one listing; see `cloudsync_s3.ranges.Requests`."""

    def __init__(self, place: Place, prefix: str) -> None:
        self._place = place
        self.prefix = prefix

    def page(self, after: str | None, token: str | None) -> Future[bytes]:
        more = {} if after is None else {"StartAfter": after}
        return self._ask(self.prefix, more if token is None else {**more, "ContinuationToken": token})

    def folders(self, folder: str, after: str) -> Future[bytes]:
        return self._ask(folder, {"StartAfter": after, "Delimiter": "/"})

    def read_page(self, asked: Future[bytes], previous: str | None) -> listing.ListedPage:
        with self._place.errors("list"):
            return _checked(asked.result(), self.prefix, previous)

    def read_folders(self, asked: Future[bytes]) -> list[str]:
        with self._place.errors("list"):
            try:
                return splits.folders(asked.result())
            except ValueError as error:
                raise UnexpectedBackendError(str(error)) from error

    def _ask(self, prefix: str, more: dict[str, str]) -> Future[bytes]:
        return self._place.connection.list_page(Bucket=self._place.bucket, EncodingType="url", Prefix=prefix, **more)


def _checked(document: bytes, prefix: str, previous: str | None) -> listing.ListedPage:
    """Return the page, once it is known to continue the listing that was asked for (A13)."""
    try:
        page = listing.parse(document)
    except listing.ListingError as error:
        raise UnexpectedBackendError(str(error), disposition=Disposition.RETRY) from error
    if page.token is not None and page.token == previous:
        raise UnexpectedBackendError("the server's listing turns in a circle: the same page comes next again")
    stray = next((key for key in page.keys if not key.startswith(prefix)), None)
    if stray is not None:
        raise UnexpectedBackendError(f"the server lists {printable(stray)!r}, which is not under the prefix")
    return page


def _relative(place: Place, listed: listing.ListedPage) -> Page:
    """Return a page with names relative to the root, without the marker of the root itself."""
    cut = len(place.root)
    names = [key[cut:] for key in listed.keys]
    gaps: tuple[Gap, ...] = ()
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
        try:
            moment = dt.datetime.fromisoformat(listed.modified[index])
            modified_ns = nanoseconds(moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC))
        except ValueError as error:
            raise UnexpectedBackendError("the server's listing holds a time that is none") from error
    return ObjectInfo(
        name,
        listed.sizes[index],
        etag,
        modified_ns,
        Version(etag or None),
        (Digest("md5", etag),) if place.etag_is_md5 and etags.is_md5(etag) else (),
    )
