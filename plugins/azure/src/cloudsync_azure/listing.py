"""Pages of List Blobs, parsed strictly: a page is whole and consistent, or it raises (clauses L3 and L4).

A page of the usual form is read by one regular expression a field, column by column, and the numbers of their matches
are held against each other. Whatever differs from that form goes through a real XML parser, whole.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from urllib.parse import unquote
from xml.etree import ElementTree as ET

from cloudsync_azure.attributes import FOLDER

_START, _END = "<Blob>", "</Blob>"
_BETWEEN = re.compile(r"</Blob>\s*<Blob>")
_FIELDS = (
    re.compile(r"<Name>([^<]+)</Name>"),
    re.compile(r"<Content-Length>(\d+)</Content-Length>"),
    re.compile(r"<Etag>([^<]*)</Etag>"),
    re.compile(r"<Last-Modified>([^<]*)</Last-Modified>"),
    re.compile(r"<Content-MD5(?:>([^<]*)</Content-MD5>|\s*/>)"),
)
_UNUSUAL = ("<snapshot>", "<deleted>", "<iscurrentversion>", "<resourcetype>directory", FOLDER)
"""What only some entries have, in lower case, and makes them something else than an object as it is now."""


class ListingError(ValueError):
    """A page cannot be trusted; the message says why."""


@dataclasses.dataclass(frozen=True, slots=True)
class ListedPage:
    """What one answer to List Blobs says, as parallel columns.

    Attributes:
        keys: whole keys, decoded. Where the name of an object is no Unicode text, it holds lone surrogates.
        sizes: bytes.
        etags: without quotes.
        modified: when the objects were written, in the form of HTTP.
        md5s: Content-MD5 as the server tells it, "" where it tells none.
        token: where the listing goes on; `None` at its end.
    """

    keys: list[str]
    sizes: list[int]
    etags: list[str]
    modified: list[str]
    md5s: list[str]
    token: str | None


def parse(document: bytes) -> ListedPage:
    """Return the page that a response body holds, without what is no object as it is now.

    That are directories, and snapshots, older versions, and deleted objects, which nobody has asked for.

    Raises:
        ListingError: it is damaged, contradicts itself, or does not say whether there is more (A13).
    """
    try:
        text = document.decode("utf-8-sig")
        first, last = text.find(_START), text.rfind(_END) + len(_END)
        rows = text[first:last] if 0 <= first < last else ""
        columns = _columns(rows)
        frame = _tree(text[:first] + text[last:] if rows else text)
        if columns is None or _blobs(frame):
            frame = _tree(text)
            columns = _columns_of(frame)
    except (ValueError, ET.ParseError) as error:
        raise ListingError("the server's listing is damaged") from error
    keys, sizes, etags, modified, md5s = columns
    return ListedPage(keys, [int(size) for size in sizes], etags, modified, md5s, _token(frame))


def _columns(rows: str) -> tuple[list[str], ...] | None:
    """Return keys, sizes, ETags, times and digests of a page of the usual form, `None` of any other."""
    if not rows:
        return [], [], [], [], []
    columns = tuple(field.findall(rows) for field in _FIELDS)
    count = rows.count(_START)
    between = rows.count(f"{_END}{_START}")
    if between + 1 != count:
        between = len(_BETWEEN.findall(rows))
    if between + 1 != count or not all(len(column) == count for column in columns) or _is_unusual(rows):
        return None
    keys, sizes, etags, modified, md5s = columns
    # One string for a column: a page has five thousand values, and Python takes longer for a step than for a value.
    plain = "\n".join(etags).replace("&quot;", "").replace('"', "")
    if "&" in "\n".join((*modified, *md5s, plain)):
        return None
    if "&" in (joined := "\n".join(keys)):
        joined = joined.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&apos;", "'")
        if joined.count("&") != joined.count("&amp;"):
            return None
        keys = joined.replace("&amp;", "&").split("\n")
    etags = plain.split("\n")
    return (keys, sizes, etags, modified, md5s) if len(etags) == len(keys) == count else None


def _is_unusual(rows: str) -> bool:
    lowered = rows.lower()
    return any(sign in lowered for sign in _UNUSUAL) or ("!" in rows and "<!" in rows)


def _tree(text: str) -> ET.Element:
    return ET.fromstring(text)  # noqa: S314 - expat resolves nothing external and bounds the expansion of entities


def _blobs(frame: ET.Element) -> list[ET.Element]:
    return frame.findall("Blobs/Blob")


def _columns_of(frame: ET.Element) -> tuple[list[str], ...]:
    rows = [row for blob in _blobs(frame) if _is_object(row := _Row(blob))]
    for row in rows:
        if not row.key or not row.told.get("Content-Length", "").isdecimal() or not row.told.get("Last-Modified"):
            raise ValueError("an entry without key, size or time")
    return (
        [row.key for row in rows],
        [row.told["Content-Length"] for row in rows],
        [row.told.get("Etag", "").strip('"') for row in rows],
        [row.told["Last-Modified"] for row in rows],
        [row.told.get("Content-MD5", "") for row in rows],
    )


class _Row:
    """An entry of a listing as XML.

    Attributes:
        key: decoded; names that XML cannot carry come percent-encoded, and say so.
        told: its properties by their names, and what stands beside them.
        metadata: by lower-case names.
    """

    def __init__(self, blob: ET.Element) -> None:
        name = blob.find("Name")
        self.key = "" if name is None else name.text or ""
        if name is not None and name.get("Encoded", "").lower() == "true":
            self.key = unquote(self.key, errors="surrogateescape")
        self.told = {child.tag: child.text or "" for child in (*blob, *blob.iterfind("Properties/*"))}
        self.metadata = {child.tag.lower(): child.text or "" for child in blob.iterfind("Metadata/*")}


def _is_object(row: _Row) -> bool:
    told: Mapping[str, str] = row.told
    return not (
        told.get("Snapshot")
        or told.get("Deleted", "").lower() == "true"
        or told.get("IsCurrentVersion", "true").lower() == "false"
        or told.get("ResourceType", "").lower() == "directory"
        or row.metadata.get(FOLDER, "").strip().lower() == "true"
    )


def _token(frame: ET.Element) -> str | None:
    """Return where the listing goes on."""
    if frame.tag != "EnumerationResults":
        raise ListingError(f"the server answered with {frame.tag[:100]!r} instead of a listing")
    if frame.find("Blobs") is None:
        raise ListingError("the server's page holds no list of objects")
    marker = frame.find("NextMarker")
    if marker is None:
        raise ListingError("the server's page does not say whether it is the last one")
    return marker.text or None
