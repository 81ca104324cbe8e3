"""list and stat."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
from collections.abc import Iterator
from concurrent.futures import Future

from cloudsync_core import keys
from cloudsync_core.backends.objectstore.listing import ListedPage, relative, trusted
from cloudsync_core.backends.objectstore.ranges import Cutting, Listing
from cloudsync_core.errors import UnexpectedBackendError
from cloudsync_core.models import Digest, ObjectInfo, Page, Version
from cloudsync_s3 import listing, versions
from cloudsync_s3.errors import FAILURES, is_bodiless
from cloudsync_s3.place import Place, length, nanoseconds


def pages(place: Place, prefix: str, start_after: str | None, cutting: Cutting) -> Iterator[Page]:
    """Yield the listing of everything under `prefix`; the next pages are on their way while one is used."""
    requests = _Requests(place, place.root + keys.folder(prefix))
    after = None if start_after is None else place.root + start_after
    entry = functools.partial(_entry, place)
    with contextlib.closing(Listing(requests, requests.prefix, after, cutting).pages()) as listed:
        for page in listed:
            yield relative(page, place.root, entry)


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
    """The requests of one listing; see `cloudsync_core.backends.objectstore.ranges.Requests`."""

    def __init__(self, place: Place, prefix: str) -> None:
        self._place = place
        self.prefix = prefix

    def page(self, after: str | None, token: str | None) -> Future[bytes]:
        more = {} if after is None else {"StartAfter": after}
        return self._ask(self.prefix, more if token is None else {**more, "ContinuationToken": token})

    def folders(self, folder: str, after: str) -> Future[bytes]:
        return self._ask(folder, {"StartAfter": after, "Delimiter": "/"})

    def read_page(self, asked: Future[bytes], previous: str | None) -> ListedPage:
        with self._place.errors("list"):
            return trusted(listing.parse, asked.result(), self.prefix, previous)

    def read_folders(self, asked: Future[bytes]) -> list[str]:
        with self._place.errors("list"):
            try:
                return listing.folders(asked.result())
            except ValueError as error:
                raise UnexpectedBackendError(str(error)) from error

    def _ask(self, prefix: str, more: dict[str, str]) -> Future[bytes]:
        return self._place.connection.list_page(Bucket=self._place.bucket, EncodingType="url", Prefix=prefix, **more)


def _entry(place: Place, listed: ListedPage, name: str, index: int) -> ObjectInfo:
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
        (Digest("md5", etag),) if place.etag_is_md5 and versions.is_md5(etag) else (),
    )
