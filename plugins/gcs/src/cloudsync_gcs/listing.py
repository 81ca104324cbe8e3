"""Pages of objects.list, read strictly: a page is whole and consistent, or it raises (clauses L3 and L4).

https://cloud.google.com/storage/docs/json_api/v1/objects/list. A damaged document is no JSON, and of any other document
than a listing the kind is another one.
"""

from __future__ import annotations

import json
from typing import Any

from cloudsync_core.backends.objectstore.listing import ListedPage, ListingError

_KIND = "storage#objects"


def parse(document: bytes) -> ListedPage:
    """Return the page that the body of an answer holds: the etags are generations, the other columns MD5s and CRC32Cs.

    Raises:
        ListingError: it is damaged, or no listing.
    """
    page = _page(document)
    items = page.get("items", [])
    try:
        names = [item["name"] for item in items]
        sizes = [int(item["size"]) for item in items]
        generations = [item["generation"] for item in items]
        created = [item["timeCreated"] for item in items]
        # Composed objects have no MD5, and those encrypted by a customer's key tell no digest at all.
        digests = [item.get("md5Hash", "") for item in items], [item.get("crc32c", "") for item in items]
        if not "".join(generations).isdecimal() and generations:
            raise ListingError("the server's listing holds a generation that is none")
        # Joining is a check that costs next to nothing: each name and time is a text.
        del items
        "".join(names), "".join(created)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise ListingError("the server's listing is damaged") from error
    if not all(names):
        raise ListingError("the server's listing holds an object without a name")
    token = page.get("nextPageToken")
    if token is not None and not (isinstance(token, str) and token):
        raise ListingError("the server's page does not say where the next one begins")
    return ListedPage(names, sizes, generations, created, token, digests)


def folders(document: bytes) -> list[str]:
    """Return the folders that an answer to a request with a delimiter tells, in order.

    Raises:
        ListingError: it is no such answer.
    """
    found = _page(document).get("prefixes", [])
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise ListingError("the server's listing is damaged")
    return sorted(found)


def _page(document: bytes) -> dict[str, Any]:
    try:
        page = json.loads(document)
    except ValueError as error:
        raise ListingError("the server's listing is damaged") from error
    if not isinstance(page, dict) or page.get("kind") != _KIND:
        raise ListingError("the server answered with something else than a listing")
    return page
