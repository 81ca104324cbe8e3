"""ListObjects, both versions, over anything that has its keys in order."""

from __future__ import annotations

import dataclasses
import urllib.parse
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from xml.sax.saxutils import escape

from benchmarks.synthetic.buckets import Bucket, Show, shown_by

PAGE = 1000
_LAST = "\U0010ffff"
_AFTER_SLASH = chr(ord("/") + 1)


@dataclasses.dataclass(frozen=True, slots=True)
class _Found:
    """A part of a listing: its elements, how many, where it goes on, and whether it does."""

    elements: bytes
    count: int
    last: str
    more: bool


def page(bucket: Bucket, name: str, query: Mapping[str, str]) -> bytes:
    """Return one page as XML.

    Args:
        bucket: what is listed.
        name: the bucket's.
        query: `prefix`, `delimiter` (none, or `/`), `continuation-token`, `start-after` or `marker`, `max-keys`,
            `encoding-type`.
    """
    prefix, encoding = query.get("prefix", ""), query.get("encoding-type", "")
    limit = min(PAGE, int(query.get("max-keys") or PAGE))
    show = shown_by(encoding)
    walk = _by_folder if query.get("delimiter") else _flat
    found = walk(bucket, prefix, _after(query), limit, show)
    token = escape(urllib.parse.quote(found.last, safe=""))
    head = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Name>{name}</Name><Prefix>{show(prefix)}</Prefix><KeyCount>{found.count}</KeyCount><MaxKeys>{limit}</MaxKeys>"
        + (f"<EncodingType>{encoding}</EncodingType>" if encoding else "")
        + f"<IsTruncated>{str(found.more).lower()}</IsTruncated>"
        + (f"<NextContinuationToken>{token}</NextContinuationToken>" if found.more else "")
        + (f"<NextMarker>{show(found.last)}</NextMarker>" if found.more else "")
    )
    return b"".join((head.encode(), found.elements, b"</ListBucketResult>"))


def _after(query: Mapping[str, str]) -> str:
    token = urllib.parse.unquote(query.get("continuation-token", ""))
    # The first version of the call goes on after a `marker`.
    return max(token, query.get("start-after", ""), query.get("marker", ""))


def _flat(bucket: Bucket, prefix: str, after: str, limit: int, show: Show) -> _Found:
    keys = bucket.keys
    first = max(bisect_left(keys, prefix), bisect_right(keys, after) if after else 0)
    end = bisect_left(keys, prefix + _LAST)
    stop = min(first + limit, end)
    if stop <= first:
        return _Found(b"", 0, "", more=False)
    return _Found(bucket.rows(first, stop, show), stop - first, keys[stop - 1], more=stop < end)


def _by_folder(bucket: Bucket, prefix: str, after: str, limit: int, show: Show) -> _Found:
    keys = bucket.keys
    place = bisect_left(keys, prefix)
    if after:
        place = max(place, bisect_left(keys, _behind(after)) if after.endswith("/") else bisect_right(keys, after))
    end = bisect_left(keys, prefix + _LAST)
    elements: list[bytes] = []
    last = ""
    while place < end and len(elements) < limit:
        key = keys[place]
        cut = key.find("/", len(prefix)) + 1
        last = key[:cut] or key
        if cut:
            elements.append(f"<CommonPrefixes><Prefix>{show(last)}</Prefix></CommonPrefixes>".encode())
            place = bisect_left(keys, _behind(last))
        else:
            elements.append(bucket.rows(place, place + 1, show))
            place += 1
    return _Found(b"".join(elements), len(elements), last, more=place < end)


def _behind(folder: str) -> str:
    """Return the least text that is greater than every key in `folder`, which ends with a slash."""
    return folder[:-1] + _AFTER_SLASH
