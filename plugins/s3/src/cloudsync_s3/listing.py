"""Pages of ListObjectsV2, parsed strictly: a page is whole and consistent, or it raises (clauses L3 and L4).

A page of the usual form is read by one regular expression a field, column by column, and the numbers of their matches
are held against each other. Whatever differs from that form goes through a real XML parser, whole.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_plus
from xml.etree import ElementTree as ET

from cloudsync_core import keys
from cloudsync_core.backends.objectstore.listing import ListedPage, ListingError

_START, _END = "<Contents>", "</Contents>"
_BETWEEN = re.compile(r"</Contents>\s*<Contents>")
_FIELDS = (
    re.compile(r"<Key>([^<]+)</Key>"),
    re.compile(r"<Size>(\d+)</Size>"),
    re.compile(r"<ETag>([^<]*)</ETag>"),
    re.compile(r"<LastModified>([^<]*)</LastModified>"),
)


def parse(document: bytes) -> ListedPage:
    """Return the page that a response body holds.

    Raises:
        ListingError: it is damaged, contradicts itself, or says that there is more and not where (A13).
    """
    try:
        text = document.decode()
        first, last = text.find(_START), text.rfind(_END) + len(_END)
        rows = text[first:last] if 0 <= first < last else ""
        columns = _columns(rows)
        frame = _tree(text[:first] + text[last:] if rows else text)
        if columns is None or any(_name(element) == "Contents" for element in frame):
            frame = _tree(text)
            columns = _columns_of_tree(frame)
    except (ValueError, ET.ParseError) as error:
        raise ListingError("the server's listing is damaged") from error
    keys, sizes, etags, modified = columns
    token, encoded = _outline(frame, len(keys))
    return ListedPage(_decoded(keys) if encoded else keys, [int(size) for size in sizes], etags, modified, token)


def folders(document: bytes) -> list[str]:
    """Return the common prefixes that an answer to ListObjectsV2 with a delimiter tells, in order.

    Raises:
        ValueError: it is no such answer.
    """
    try:
        frame = _tree(document)
    except ET.ParseError as error:
        raise ValueError("the answer is damaged") from error
    encoded = any(_name(element) == "EncodingType" and element.text == "url" for element in frame)
    texts = [child.text or "" for element in frame if _name(element) == "CommonPrefixes" for child in element]
    names = [unquote_plus(text, errors="surrogateescape") for text in texts] if encoded else texts
    return sorted(name for name in names if keys.problem(name) is None)


def _columns(rows: str) -> tuple[list[str], ...] | None:
    """Return keys, sizes, ETags and times of a page of the usual form, `None` of any other."""
    if not rows:
        return [], [], [], []
    keys, sizes, etags, modified = (field.findall(rows) for field in _FIELDS)
    count = len(_BETWEEN.findall(rows)) + 1
    if not len(keys) == len(sizes) == len(etags) == len(modified) == rows.count(_START) == count or "<!" in rows:
        return None
    # One string for a column: a page has a thousand values, and Python takes longer for a step than for a value.
    plain_etags = "\n".join(etags).replace("&quot;", "").replace("&#34;", "").replace('"', "")
    if "&" in "\n".join((*keys, *modified, plain_etags)):
        return None
    etags = plain_etags.split("\n")
    return (keys, sizes, etags, modified) if len(etags) == count else None


def _tree(text: str | bytes) -> ET.Element:
    return ET.fromstring(text)  # noqa: S314 - expat resolves nothing external and bounds the expansion of entities


def _columns_of_tree(frame: ET.Element) -> tuple[list[str], ...]:
    objects = [element for element in frame if _name(element) == "Contents"]
    rows = [{_name(child): child.text or "" for child in element} for element in objects]
    for row in rows:
        if not row.get("Key") or not row.get("Size", "").isdecimal() or not row.get("LastModified"):
            raise ValueError("an entry without key, size or time")
    return (
        [row["Key"] for row in rows],
        [row["Size"] for row in rows],
        [row.get("ETag", "").strip('"') for row in rows],
        [row["LastModified"] for row in rows],
    )


def _outline(frame: ET.Element, count: int) -> tuple[str | None, bool]:
    """Return where the listing goes on, and whether its keys are URL-encoded; check the page as a whole."""
    if _name(frame) != "ListBucketResult":
        raise ListingError(f"the server answered with {_name(frame)[:100]!r} instead of a listing")
    told = {_name(element): element.text or "" for element in frame}
    if told.get("KeyCount", str(count)) != str(count):
        raise ListingError(f"the server's page says that it holds {told['KeyCount'][:20]} keys and holds {count}")
    truncated = told.get("IsTruncated", "").strip().lower()
    if truncated not in {"true", "false"}:
        raise ListingError("the server's page does not say whether it is the last one")
    token = told.get("NextContinuationToken") or None
    if truncated == "true" and token is None:
        raise ListingError("the server's page is not the last one and does not say where the next begins")
    return (token if truncated == "true" else None), told.get("EncodingType") == "url"


def _decoded(keys: list[str]) -> list[str]:
    """Return keys without their URL encoding; at once, unless one holds the character that joins them."""
    joined = unquote_plus("\n".join(keys), errors="surrogateescape")
    decoded = joined.split("\n") if joined else []
    return decoded if len(decoded) == len(keys) else [unquote_plus(key, errors="surrogateescape") for key in keys]


def _name(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]
