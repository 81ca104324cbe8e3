"""Lists of objects: https://cloud.google.com/storage/docs/json_api/v1/objects/list.

Names come in the order of their UTF-8 bytes. A page token stands for the last entry of its page, so what is written
behind that meanwhile is seen, and what is written before it is not.
"""

from __future__ import annotations

import base64
import binascii
import bisect
from collections.abc import Iterator, Mapping
from typing import Any

from tests.servers.gcs_errors import invalid
from tests.servers.gcs_objects import Stored
from tests.servers.gcs_store import Bucket

_UNKNOWN = ("matchGlob", "filter", "softDeleted")
_PAST = b"\xff"  # in no UTF-8 text: behind everything that begins with what is before it


def page(bucket: Bucket, query: Mapping[str, str], most: int, url: str) -> dict[str, Any]:
    """Return a page of a list; the caller holds the store's lock.

    Args:
        bucket: which.
        query: the request's parameters.
        most: entries of a page at most, objects and prefixes together.
        url: the server's.

    Raises:
        Refusal: a parameter is wrong, or one that this server does not know and that would change the answer.
    """
    for name in _UNKNOWN:
        if query.get(name, "false").lower() != "false":
            raise invalid(f"The test server does not know {name}.", name)
    most = min(most, _number(query.get("maxResults"), most))
    prefix, start = query.get("prefix", "").encode(), query.get("startOffset", "").encode()
    end = query.get("endOffset", "").encode()
    delimiter = query.get("delimiter", "").encode()
    trailing = _flag(query, "includeTrailingDelimiter")
    versions = _flag(query, "versions")
    found = _Page(most)
    position, after = _read(query.get("pageToken"))
    entries = _Entries(bucket, max(prefix, start, position), versions=versions)
    for key in entries:
        if not key.startswith(prefix) or (end and key >= end):
            break
        group = _group(key, prefix, delimiter)
        if group is None or (trailing and key == group):
            for stored in entries.versions(key, after if key == position else 0):
                if found.full:
                    return found.answer()
                found.items.append(stored.resource(url))
                found.next = _token(key, stored.generation) if versions else _token(key + b"\0", 0)
        if group is not None:
            if found.full:
                return found.answer()
            found.prefixes.append(group.decode())
            found.next = _token(group + _PAST, 0)
            entries.skip(group + _PAST)
    found.next = None
    return found.answer()


class _Page:
    """What one answer lists.

    Attributes:
        next: the token of what comes behind it.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.items: list[dict[str, Any]] = []
        self.prefixes: list[str] = []
        self.next: str | None = None

    @property
    def full(self) -> bool:
        return len(self.items) + len(self.prefixes) >= self._most

    def answer(self) -> dict[str, Any]:
        """Return the page without the lists that are empty, as the API leaves them out."""
        parts = {"nextPageToken": self.next, "items": self.items, "prefixes": self.prefixes}
        return {"kind": "storage#objects", **{name: value for name, value in parts.items() if value}}


class _Entries:
    """The keys of a bucket from one on; `skip` goes on later than at the next one."""

    def __init__(self, bucket: Bucket, start: bytes, *, versions: bool) -> None:
        self._bucket = bucket
        self._all = versions
        keys = bucket.keys
        if versions and bucket.noncurrent:
            keys = sorted({*bucket.keys, *(name.encode() for name in bucket.noncurrent)})
        self._keys = keys
        self._next = bisect.bisect_left(keys, start)

    def __iter__(self) -> Iterator[bytes]:
        while self._next < len(self._keys):
            self._next += 1
            yield self._keys[self._next - 1]

    def skip(self, to: bytes) -> None:
        self._next = bisect.bisect_left(self._keys, to, self._next)

    def versions(self, key: bytes, after: int) -> list[Stored]:
        """Return what is listed of a key, oldest first, beginning behind a generation."""
        name = key.decode()
        older = self._bucket.noncurrent.get(name, []) if self._all else []
        current = self._bucket.live.get(name)
        candidates = (*older, *([] if current is None else [current]))
        return [stored for stored in candidates if stored.generation > after]


def _group(key: bytes, prefix: bytes, delimiter: bytes) -> bytes | None:
    """Return the prefix under which a key is listed, or `None` where it is listed itself."""
    if not delimiter:
        return None
    found = key.find(delimiter, len(prefix))
    return None if found < 0 else key[: found + len(delimiter)]


def _token(key: bytes, generation: int) -> str:
    return base64.urlsafe_b64encode(generation.to_bytes(8, "big") + key).decode()


def _read(token: str | None) -> tuple[bytes, int]:
    """Return the key at which a page begins, and the generation of it behind which it does."""
    if not token:
        return b"", 0
    try:
        raw = base64.b64decode(token, altchars=b"-_", validate=True)
    except binascii.Error:
        raise invalid(f"Invalid page token: {token}", "pageToken") from None
    return raw[8:], int.from_bytes(raw[:8], "big")


def _flag(query: Mapping[str, str], name: str) -> bool:
    """Return whether a parameter is set; Google's client for Python writes `True`."""
    return query.get(name, "false").lower() == "true"


def _number(text: str | None, default: int) -> int:
    if text is None:
        return default
    if not text.isdecimal():
        raise invalid(f"Invalid unsigned integer value: '{text}'.", "maxResults")
    return int(text) or default
