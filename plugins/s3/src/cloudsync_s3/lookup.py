"""list and stat."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

from cloudsync_core import keys
from cloudsync_core.errors import Disposition, UnexpectedBackendError, printable
from cloudsync_core.models import Digest, Gap, ObjectInfo, Page, Version
from cloudsync_s3 import etags, listing
from cloudsync_s3.errors import FAILURES, is_bodiless
from cloudsync_s3.place import Place, length, nanoseconds


def pages(place: Place, prefix: str, start_after: str | None) -> Iterator[Page]:
    """Yield the listing of everything under `prefix`; the next page is on its way while one is used."""
    wanted = place.root + keys.folder(prefix)
    request: dict[str, Any] = {"Bucket": place.bucket, "EncodingType": "url", "Prefix": wanted}
    if start_after is not None:
        request["StartAfter"] = place.root + start_after
    asked = place.connection.list_page(**request)
    try:
        token = None
        while True:
            with place.errors("list"):
                page = _checked(asked.result(), wanted, token)
            token = page.token
            if token is not None:
                asked = place.connection.list_page(**request, ContinuationToken=token)
            if page.keys:
                yield _relative(place, page)
            if token is None:
                return
    finally:
        asked.cancel()


def stat(place: Place, key: str) -> ObjectInfo:
    """Return what HeadObject says; the answer to a HEAD that fails has no body, so a GET asks for the reason (L2)."""
    with place.errors("stat", key):
        try:
            response = place.call(key, "head_object")
        except FAILURES as failure:
            if is_bodiless(failure):
                place.connection.probe(**place.named(key), Range="bytes=0-0")
            raise
        place.learn(response)
        return place.describe(key, length(response), response)


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
