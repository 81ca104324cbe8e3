"""Listings of stores that sort by UTF-16, put into the order of UTF-8 (clause L1).

The two orders differ in one thing: to UTF-16, characters beyond U+FFFF come before those from U+E000 to U+FFFF. So what
is held back are the keys with such a character, until nothing can come any more that belongs before them. Those are the
keys that agree with one of them up to its first such character; in most listings there are none.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterator
from typing import Final

from cloudsync_core.models import ObjectInfo, Page

MOST_HELD: Final = 100_000
"""Objects that are held back at most. A listing that would need more comes as the store has it: the engine checks the
order, and sorts on disk what is not in it (ADR 0008)."""

_BEYOND = re.compile("[\U00010000-\U0010ffff]")


def in_byte_order(pages: Iterator[Page], most: int = MOST_HELD) -> Iterator[Page]:
    """Yield the objects of a listing in the order of UTF-16 in that of their keys' UTF-8 bytes.

    Args:
        pages: the listing.
        most: objects that may be held back.
    """
    held: list[tuple[str, int, ObjectInfo]] = []
    number = 0
    for page in pages:
        if not held and _is_plain(page):
            yield page
            continue
        found: list[ObjectInfo] = []
        for info in page:
            key = info.key
            while held and not key.startswith(_before_beyond(held[0][0])):
                found.append(heapq.heappop(held)[2])
            if _BEYOND.search(key):
                number += 1
                heapq.heappush(held, (key, number, info))
            else:
                found.append(info)
        if len(held) > most:
            found += [info for *_, info in sorted(held)]
            held = []
        yield Page.of(found, page.gaps, listed_at=page.listed_at)
    if held:
        yield Page.of([info for *_, info in sorted(held)])


def _is_plain(page: Page) -> bool:
    """Tell whether the two orders are the same for a page and all that follows it."""
    joined = "".join(page.keys)
    return joined.isascii() or _BEYOND.search(joined) is None


def _before_beyond(key: str) -> str:
    """Return what a key begins with before its first character beyond U+FFFF."""
    return _BEYOND.split(key, maxsplit=1)[0]
