"""Objects of the Google Cloud Storage test server: their content, metadata, hashes and names.

What a resource holds: https://cloud.google.com/storage/docs/json_api/v1/objects#resource. Names:
https://cloud.google.com/storage/docs/objects#naming. Hashes: https://cloud.google.com/storage/docs/hashes-etags.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import hashlib
import urllib.parse
from collections.abc import Mapping
from typing import Any

import google_crc32c

from tests.servers.gcs_errors import Refusal, invalid

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
        return base64.b64encode(b"\x08" + varint(self.generation) + b"\x10" + varint(self.metageneration)).decode()

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


def varint(number: int) -> bytes:
    """Return a number as protocol buffers write it: etags are such messages."""
    digits: list[int] = []
    while number > 0x7F:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*digits, number])
