"""What a server tells of files and folders: the multistatus answer of PROPFIND (RFC 4918, section 13)."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree as ET

# Asked for by name: servers put names of files into other properties, and a name can hold what XML cannot.
PROPERTIES: Final = (
    b'<?xml version="1.0"?><propfind xmlns="DAV:"><prop>'
    b"<resourcetype/><getcontentlength/><getetag/><getlastmodified/></prop></propfind>"
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class NotWebdavError(Exception):
    """What came is no answer of WebDAV; the message says why."""


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """One file or folder.

    Attributes:
        path: absolute and not encoded; bytes that are no UTF-8 are lone surrogates.
        is_folder: whether it is a folder.
        size: bytes; 0 for a folder.
        etag: without quotes; `None` where there is none, or a weak one, which does not change with every content.
        modified_ns: nanoseconds since the epoch, in whole seconds.
    """

    path: str
    is_folder: bool
    size: int
    etag: str | None
    modified_ns: int

    @property
    def name(self) -> str:
        """The last segment of the path."""
        return self.path.rstrip("/").rpartition("/")[2]

    @property
    def folder(self) -> str:
        """The path of the folder that it lies in."""
        return self.path.rstrip("/").removesuffix(self.name)


def entries_of(content: bytes) -> list[Entry]:
    """Return what a multistatus tells of, at least one entry.

    Raises:
        NotWebdavError: it is none, or it leaves out what was asked for.
    """
    try:
        # expat itself bounds what entities expand to, since 2.4.1.
        responses = ET.fromstring(content).findall("{DAV:}response")  # noqa: S314
        found = [_entry(response) for response in responses]
    except (ET.ParseError, ValueError) as error:
        raise NotWebdavError(f"the server's answer is no multistatus: {error}") from error
    if not found:
        raise NotWebdavError("the server's answer tells of nothing")
    return found


def _entry(response: ET.Element) -> Entry:
    properties = {
        prop.tag.removeprefix("{DAV:}"): prop
        for told in response.findall("{DAV:}propstat")
        if " 200" in (told.findtext("{DAV:}status") or "")
        for prop in told.findall("{DAV:}prop/*")
    }
    if "resourcetype" not in properties:
        raise ValueError("it does not tell what is a folder")
    is_folder = properties["resourcetype"].find("{DAV:}collection") is not None
    text = {name: (prop.text or "").strip() for name, prop in properties.items()}
    etag = text.get("getetag", "")
    modified = text.get("getlastmodified")
    return Entry(
        path=unquote(urlsplit(response.findtext("{DAV:}href") or "").path.strip(), errors="surrogateescape"),
        is_folder=is_folder,
        size=0 if is_folder else int(text.get("getcontentlength") or 0),
        etag=None if is_folder or not etag or etag.startswith("W/") else etag.strip('"'),
        modified_ns=int((parsedate_to_datetime(modified) - _EPOCH).total_seconds()) * 10**9 if modified else 0,
    )
