"""leftovers: blocks of objects whose list nobody has put.

Azure removes them a week after the last block of an object came, and at once when somebody writes the object
(https://learn.microsoft.com/rest/api/storageservices/put-block). There is no request that does: to put a list of them
would make an object of them first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from urllib.parse import unquote
from xml.etree import ElementTree as ET

from cloudsync_azure import operations
from cloudsync_azure.place import Place
from cloudsync_azure.resuming import Block, held_blocks, random_of
from cloudsync_core.errors import UnexpectedBackendError
from cloudsync_core.unfinished import Leftover

EXPIRY = "nobody can remove it; Azure does, a week after its last block"


def find(place: Place, recorded: Sequence[tuple[str, str]]) -> Iterator[Leftover]:
    """Yield what was begun under the root and is not finished; see `Backend.leftovers`."""
    seen = set()
    for key, token in recorded:
        seen.add(key)
        ours = [block for block in _blocks(place, key) if block.name.startswith(random_of(token))]
        if ours:
            yield _leftover(key, token, ours, recorded=True)
    for key in _candidates(place):
        if key not in seen and (blocks := _blocks(place, key)):
            yield _leftover(key, "", blocks, recorded=False)


def _leftover(key: str, token: str, blocks: Sequence[Block], *, recorded: bool) -> Leftover:
    size = sum(block.size for block in blocks)
    return Leftover("unfinished upload", key, token, None, size, recorded, ours=recorded, expiry=EXPIRY)


def _blocks(place: Place, key: str) -> list[Block]:
    with place.errors("list", key):
        return held_blocks(place.connection, place.path(key))


def _candidates(place: Place) -> Iterator[str]:
    """Yield the keys that are listed without a byte: an object of which there are only blocks looks so."""
    marker: str | None = None
    while True:
        with place.errors("list"):
            request = operations.list_uncommitted(place.address.path(None), place.root, marker)
            page = _tree(place.connection.call(request).body)
            following = page.findtext("NextMarker") or None
            if following is not None and following == marker:
                raise UnexpectedBackendError("the server repeats a page of its listing")
        for blob in page.iterfind("Blobs/Blob"):
            if blob.findtext("Properties/Content-Length", "0") == "0" and not blob.findtext("Properties/Content-MD5"):
                key = _name(blob)[len(place.root) :]
                if key and place.problem(key) is None:
                    yield key
        if following is None:
            return
        marker = following


def _name(blob: ET.Element) -> str:
    found = blob.find("Name")
    name = "" if found is None else found.text or ""
    encoded = found is not None and found.get("Encoded", "").lower() == "true"
    return unquote(name, errors="surrogateescape") if encoded else name


def _tree(document: bytes) -> ET.Element:
    try:
        return ET.fromstring(document)  # noqa: S314 - expat resolves nothing external and bounds entities
    except ET.ParseError as error:
        raise UnexpectedBackendError("the server's listing is damaged") from error
