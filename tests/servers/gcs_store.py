"""Buckets and objects of the Google Cloud Storage test server, in memory.

What an object's resource holds: https://cloud.google.com/storage/docs/json_api/v1/objects#resource. Its names:
https://cloud.google.com/storage/docs/objects#naming.
"""

from __future__ import annotations

import base64
import bisect
import dataclasses
import datetime as dt
import hashlib
import threading
import time
import urllib.parse
from collections.abc import Mapping
from typing import Any

import google_crc32c

from tests.servers.gcs_errors import Refusal, invalid, no_such_bucket, no_such_object

NAME_BYTES = 1024
WRITABLE = (
    "cacheControl", "contentDisposition", "contentEncoding", "contentLanguage", "contentType", "customTime",
    "eventBasedHold", "kmsKeyName", "metadata", "storageClass", "temporaryHold",
)  # fmt: skip
"""What a client may say of an object; everything else in a resource is the service's."""


@dataclasses.dataclass(slots=True)
class Stored:
    """One generation of an object; its content never changes.

    Attributes:
        components: of how many objects it was composed, or `None` where it was uploaded. What was composed has no MD5.
        fields: those of `WRITABLE` that are set.
    """

    bucket: str
    name: str
    generation: int
    content: bytes
    fields: dict[str, Any]
    crc32c: str
    md5: str | None
    created: str
    components: int | None = None
    metageneration: int = 1
    updated: str = ""
    deleted: str | None = None
    _resource: dict[str, Any] | None = None

    @property
    def etag(self) -> str:
        """An opaque text that changes with the content and with the metadata."""
        return base64.b64encode(b"\x08" + _varint(self.generation) + b"\x10" + _varint(self.metageneration)).decode()

    def resource(self, url: str) -> dict[str, Any]:
        """Return what the API says of the object; `url` is the server's."""
        if self._resource is None:
            self._resource = self._made(url)
        return self._resource

    def change(self, fields: Mapping[str, Any]) -> None:
        """Replace the metadata."""
        self.fields = {name: value for name, value in fields.items() if value is not None}
        self.metageneration += 1
        self.updated = now()
        self._resource = None

    def retire(self) -> None:
        """Note that the generation is no longer the live one."""
        self.deleted = now()
        self._resource = None

    def _made(self, url: str) -> dict[str, Any]:
        path = f"storage/v1/b/{self.bucket}/o/{urllib.parse.quote(self.name, safe='')}"
        made: dict[str, Any] = {
            "kind": "storage#object",
            "id": f"{self.bucket}/{self.name}/{self.generation}",
            "selfLink": f"{url}/{path}",
            "mediaLink": f"{url}/download/{path}?generation={self.generation}&alt=media",
            "name": self.name,
            "bucket": self.bucket,
            "generation": str(self.generation),
            "metageneration": str(self.metageneration),
            "storageClass": "STANDARD",
            "size": str(len(self.content)),
            "crc32c": self.crc32c,
            "etag": self.etag,
            "timeCreated": self.created,
            "updated": self.updated or self.created,
            "timeStorageClassUpdated": self.created,
            **self.fields,
        }
        if self.md5 is not None:
            made["md5Hash"] = self.md5
        if self.components is not None:
            made["componentCount"] = self.components
        if self.deleted is not None:
            made["timeDeleted"] = self.deleted
        return made


class Bucket:
    """A bucket. Whoever changes it holds the store's lock.

    Attributes:
        settings: of its resource: versioning, billing, retentionPolicy, labels and so on.
        live: the live objects.
        keys: their names as UTF-8, in order.
        noncurrent: older generations by name, oldest first; kept while versioning is on.
    """

    def __init__(self, name: str, settings: Mapping[str, Any]) -> None:
        self.name = name
        self.settings = {key: value for key, value in settings.items() if value is not None}
        self.created = now()
        self.metageneration = 1
        self.live: dict[str, Stored] = {}
        self.keys: list[bytes] = []
        self.noncurrent: dict[str, list[Stored]] = {}

    @property
    def versioned(self) -> bool:
        return bool(self.settings.get("versioning", {}).get("enabled"))

    @property
    def empty(self) -> bool:
        return not self.live and not self.noncurrent

    def find(self, name: str, generation: str | int | None = None) -> Stored | None:
        """Return the live object of that name, or the generation that is asked for."""
        current = self.live.get(name)
        if generation is None:
            return current
        candidates = [*self.noncurrent.get(name, ()), *([] if current is None else [current])]
        return next((stored for stored in candidates if str(stored.generation) == str(generation)), None)

    def existing(self, name: str, generation: str | int | None = None) -> Stored:
        """Return the same.

        Raises:
            Refusal: there is none.
        """
        if (found := self.find(name, generation)) is None:
            raise no_such_object(self.name, name)
        return found

    def put(self, stored: Stored) -> None:
        """Make a generation the live one."""
        replaced = self.live.get(stored.name)
        if replaced is None:
            bisect.insort(self.keys, stored.name.encode())
        else:
            self._retire(replaced)
        self.live[stored.name] = stored

    def remove(self, stored: Stored, *, for_good: bool) -> None:
        """Take a generation away; the live one of a versioned bucket becomes noncurrent unless it goes `for_good`."""
        if self.live.get(stored.name) is stored:
            del self.live[stored.name]
            del self.keys[bisect.bisect_left(self.keys, stored.name.encode())]
            if not for_good:
                self._retire(stored)
            return
        older = self.noncurrent[stored.name]
        older.remove(stored)
        if not older:
            del self.noncurrent[stored.name]

    def resource(self, url: str) -> dict[str, Any]:
        """Return what the API says of the bucket."""
        return {
            "kind": "storage#bucket",
            "id": self.name,
            "selfLink": f"{url}/storage/v1/b/{self.name}",
            "name": self.name,
            "projectNumber": "1",
            "metageneration": str(self.metageneration),
            "etag": base64.b64encode(b"\x10" + _varint(self.metageneration)).decode(),
            "location": "US",
            "locationType": "multi-region",
            "storageClass": "STANDARD",
            "timeCreated": self.created,
            "updated": self.created,
            **self.settings,
        }

    def _retire(self, stored: Stored) -> None:
        if self.versioned:
            stored.retire()
            self.noncurrent.setdefault(stored.name, []).append(stored)


class Store:
    """All buckets.

    Attributes:
        lock: is held by whoever looks at something and then changes it.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.buckets: dict[str, Bucket] = {}
        self._last = 0

    def bucket(self, name: str) -> Bucket:
        """Return a bucket.

        Raises:
            Refusal: there is none.
        """
        found = self.buckets.get(name)
        if found is None:
            raise no_such_bucket()
        return found

    def make_bucket(self, name: str, settings: Mapping[str, Any]) -> Bucket:
        """Create a bucket.

        Raises:
            Refusal: it exists.
        """
        with self.lock:
            if name in self.buckets:
                raise Refusal(
                    409,
                    "conflict",
                    "Your previous request to create the named bucket succeeded and you already own it.",
                )
            self.buckets[name] = Bucket(name, settings)
            return self.buckets[name]

    def add(
        self,
        bucket: Bucket,
        name: str,
        content: bytes,
        fields: Mapping[str, Any],
        hashes: Hashes,
        *,
        components: int | None = None,
    ) -> Stored:
        """Make a new generation and let it be the live one; the caller has checked whatever could forbid it."""
        with self.lock:
            kept = {key: fields[key] for key in WRITABLE if fields.get(key) not in (None, {})}
            stored = Stored(
                bucket.name,
                name,
                self._generation(),
                content,
                kept,
                hashes.crc32c,
                None if components else hashes.md5,
                now(),
                components,
            )
            bucket.put(stored)
            return stored

    def _generation(self) -> int:
        """Return microseconds since 1970, and more than ever before."""
        self._last = max(self._last + 1, time.time_ns() // 1000)
        return self._last


@dataclasses.dataclass(frozen=True, slots=True)
class Hashes:
    """What the service computes of a content, in base64, CRC32C in big-endian order."""

    crc32c: str
    md5: str

    @classmethod
    def of(cls, content: bytes) -> Hashes:
        # The C function takes bytes alone, and a fresh object of the class costs more than the sum of a small content.
        crc32c = google_crc32c.value(content).to_bytes(4, "big")
        md5 = hashlib.md5(content, usedforsecurity=False).digest()
        return cls(base64.b64encode(crc32c).decode(), base64.b64encode(md5).decode())

    def check(self, claimed: Mapping[str, Any]) -> None:
        """Raise `Refusal` where a client's `crc32c` or `md5Hash` is another one; it is told of both."""
        wrong = [
            f'Provided {what} "{claimed[field]}" doesn\'t match calculated {what} "{actual}".'
            for field, what, actual in (("crc32c", "CRC32C", self.crc32c), ("md5Hash", "MD5 hash", self.md5))
            if claimed.get(field) not in {None, actual}
        ]
        if wrong:
            raise Refusal(400, "invalid", wrong[0], also=tuple(("invalid", text) for text in wrong[1:]))


def check_name(name: str | None) -> str:
    """Return the name of an object to be written.

    Raises:
        Refusal: no object can have it.
    """
    if not name:
        raise Refusal(400, "required", "Required", location="name")
    if len(name.encode(errors="surrogatepass")) > NAME_BYTES:
        raise invalid(f"The maximum object length is {NAME_BYTES} characters, but got a name with more characters.")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise invalid("Object names must be valid UTF-8.") from None
    if "\r" in name or "\n" in name:
        raise invalid("Disallowed unicode characters present in object name.")
    if name in {".", ".."} or name.startswith(".well-known/acme-challenge/"):
        raise invalid(f"Invalid object name: '{name}'.")
    return name


def now() -> str:
    """Return the time as the API writes it."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def merged(fields: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return metadata after a patch: null takes a field away, and `metadata` is patched key by key.

    https://cloud.google.com/storage/docs/json_api/v1/objects/patch
    """
    found = dict(fields)
    for name in WRITABLE:
        if name not in changes:
            continue
        value = changes[name]
        if name == "metadata" and value is not None:
            both = {**found.get(name, {}), **value}
            value = {key: text for key, text in both.items() if text is not None} or None
        found[name] = value
    return {name: value for name, value in found.items() if value is not None}


def _varint(number: int) -> bytes:
    digits: list[int] = []
    while number > 0x7F:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*digits, number])
