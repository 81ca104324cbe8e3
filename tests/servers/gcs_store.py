"""Buckets of the Google Cloud Storage test server, in memory."""

from __future__ import annotations

import base64
import bisect
import threading
import time
from collections.abc import Mapping
from typing import Any

from tests.servers.gcs_errors import Refusal, no_such_bucket, no_such_object
from tests.servers.gcs_notifications import Notifications, Publisher
from tests.servers.gcs_objects import WRITABLE, Hashes, Stored, now, varint


class Bucket:
    """A bucket. Whoever changes it holds the store's lock.

    Attributes:
        settings: of its resource: versioning, billing, retentionPolicy, labels and so on.
        live: the live objects.
        keys: their names as UTF-8, in order.
        noncurrent: older generations by name, oldest first; kept while versioning is on.
        notifications: who is told of what changes.
    """

    def __init__(self, name: str, settings: Mapping[str, Any], publisher: Publisher) -> None:
        self.name = name
        self.notifications = Notifications(name, publisher)
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
            self._retire(replaced, overwrittenByGeneration=stored.generation)
        self.live[stored.name] = stored
        also = {} if replaced is None else {"overwroteGeneration": replaced.generation}
        self.notifications.tell("OBJECT_FINALIZE", stored, **also)

    def remove(self, stored: Stored, *, for_good: bool) -> None:
        """Take a generation away; the live one of a versioned bucket becomes noncurrent unless it goes `for_good`."""
        if self.live.get(stored.name) is stored:
            del self.live[stored.name]
            del self.keys[bisect.bisect_left(self.keys, stored.name.encode())]
            self._retire(stored, for_good=for_good)
            return
        older = self.noncurrent[stored.name]
        older.remove(stored)
        if not older:
            del self.noncurrent[stored.name]
        self.notifications.tell("OBJECT_DELETE", stored)

    def resource(self, url: str) -> dict[str, Any]:
        """Return what the API says of the bucket."""
        return {
            "kind": "storage#bucket",
            "id": self.name,
            "selfLink": f"{url}/storage/v1/b/{self.name}",
            "name": self.name,
            "projectNumber": "1",
            "metageneration": str(self.metageneration),
            "etag": base64.b64encode(b"\x10" + varint(self.metageneration)).decode(),
            "location": "US",
            "locationType": "multi-region",
            "storageClass": "STANDARD",
            "timeCreated": self.created,
            "updated": self.created,
            **self.settings,
        }

    def _retire(self, stored: Stored, *, for_good: bool = False, **also: int) -> None:
        kept = self.versioned and not for_good
        if kept:
            stored.retire()
            self.noncurrent.setdefault(stored.name, []).append(stored)
        self.notifications.tell("OBJECT_ARCHIVE" if kept else "OBJECT_DELETE", stored, **also)


class Store:
    """All buckets.

    Attributes:
        lock: is held by whoever looks at something and then changes it.
        publisher: sends notifications.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.buckets: dict[str, Bucket] = {}
        self.publisher = Publisher()
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
            self.buckets[name] = Bucket(name, settings, self.publisher)
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
