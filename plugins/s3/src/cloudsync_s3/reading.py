"""list, stat and get."""

from __future__ import annotations

import contextlib
import datetime as dt
import re
from collections.abc import Iterator
from typing import Any

from cloudsync_core import keys
from cloudsync_core.body import CHUNK_SIZE, ObjectReader
from cloudsync_core.errors import (
    Disposition,
    IntegrityError,
    PreconditionFailedError,
    UnexpectedBackendError,
    printable,
)
from cloudsync_core.models import ByteRange, Digest, Gap, ObjectInfo, Page, Version
from cloudsync_s3 import conditions, etags, listing
from cloudsync_s3.connection import RAW_PAGE
from cloudsync_s3.errors import FAILURES, is_bodiless
from cloudsync_s3.place import Place, nanoseconds
from cloudsync_s3.plane import FastWay

_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


def pages(place: Place, prefix: str, start_after: str | None) -> Iterator[Page]:
    """Yield the listing of everything under `prefix`; the next page is on its way while one is used."""
    wanted = place.root + keys.folder(prefix)
    request: dict[str, Any] = {"Bucket": place.bucket, "EncodingType": "url", "Prefix": wanted}
    if start_after is not None:
        request["StartAfter"] = place.root + start_after
    asked = place.connection.start("list_objects_v2", **request)
    try:
        token = None
        while True:
            with place.errors("list"):
                page = _checked(asked.result()[RAW_PAGE], wanted, token)
            token = page.token
            if token is not None:
                asked = place.connection.start("list_objects_v2", **request, ContinuationToken=token)
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
                place.connection.drop(place.call(key, "get_object", Range="bytes=0-0")["Body"])
            raise
        place.learn(response)
        return place.describe(key, _length(response), response)


@contextlib.contextmanager
def get(place: Place, key: str, byte_range: ByteRange | None, if_match: Version | None) -> Iterator[ObjectReader]:
    """Open an object by one GetObject: all its bytes are of the version that its headers tell (G1)."""
    with place.errors("get", key):
        request = place.named(key)
    if byte_range is None and place.fast is not None and place.fast.reads(request["Key"]):
        with _get_fast(place, place.fast, key, if_match) as reader:
            yield reader
        return
    with place.errors("get", key):
        if byte_range is not None:
            last = "" if byte_range.end is None else byte_range.end - 1
            request["Range"] = f"bytes={byte_range.start}-{last}"
        if if_match is not None:
            request["IfMatch"] = conditions.if_match(if_match)
        response, first = place.connection.open(CHUNK_SIZE, **request)
    try:
        with place.errors("get", key):
            length = _length(response)
            size = length if byte_range is None else _size_of_all(response, byte_range)
            info = place.describe(key, size, response)
            place.learn(response)
            _check(info, if_match)
        yield ObjectReader(info, _chunks(place, key, response["Body"], first, length), length)
    finally:
        place.connection.drop(response["Body"])


@contextlib.contextmanager
def _get_fast(place: Place, fast: FastWay, key: str, if_match: Version | None) -> Iterator[ObjectReader]:
    """Open an object the fast way, which does not tell whether the ETag is an MD5."""
    with place.errors("get", key):
        wanted = None if if_match is None else conditions.if_match(if_match)
        response, chunks = fast.get_object(place.root + key, wanted)
        info = place.describe(key, _length(response), response)
        _check(info, if_match)
    try:
        yield ObjectReader(info, _placed(place, key, chunks))
    except IntegrityError:
        # Damaged bytes, or an encrypted object (B09): the next attempt goes the way that tells which.
        fast.learn(etag_tells=False)
        raise


def _check(info: ObjectInfo, if_match: Version | None) -> None:
    """Find out the servers that ignore If-Match and answer with what is there."""
    if if_match is not None and info.version.etag != if_match.etag:
        raise PreconditionFailedError("the object is another version than expected")


def _placed(place: Place, key: str, chunks: Iterator[bytes]) -> Iterator[bytes]:
    with place.errors("get", key):
        yield from chunks


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


def _length(response: dict[str, Any]) -> int:
    length = response.get("ContentLength")
    if not isinstance(length, int):
        raise UnexpectedBackendError("the server does not tell the object's size")
    return length


def _size_of_all(response: dict[str, Any], byte_range: ByteRange) -> int:
    """Return the size of the whole object, once the answer is known to be the range that was asked for."""
    match = _CONTENT_RANGE.fullmatch(response.get("ContentRange", ""))
    if match is None or int(match[1]) != byte_range.start:
        raise UnexpectedBackendError("the server answered with other bytes than the range that was asked for")
    return int(match[3])


def _chunks(place: Place, key: str, body: Any, first: bytes, length: int) -> Iterator[bytes]:
    """Yield the bytes of a body, each chunk read while the one before it is used."""
    missing = length - len(first)
    chunk = first
    while chunk:
        coming = place.connection.read(body, CHUNK_SIZE) if missing > 0 else None
        try:
            yield chunk
            if coming is None:
                return
            with place.errors("get", key):
                chunk = coming.result()
        finally:
            if coming is not None:
                coming.cancel()
        missing -= len(chunk)
