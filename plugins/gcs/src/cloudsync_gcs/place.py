"""The place that one backend serves: a bucket and a prefix, and what is the same for every request to it."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from cloudsync_core import keys
from cloudsync_core.backends.judging import naming
from cloudsync_core.backends.objectstore.wire import Answer, Request
from cloudsync_core.errors import ConfigError, InvalidKeyError, UnexpectedBackendError
from cloudsync_core.location import Location
from cloudsync_core.models import Attributes, Digest, Identity, ObjectInfo
from cloudsync_gcs import attributes, operations, versions
from cloudsync_gcs.address import Address
from cloudsync_gcs.config import GCSOptions
from cloudsync_gcs.connection import Connection
from cloudsync_gcs.errors import NOT_FOUND, Refusal, meaning

LONGEST_NAME = 1024
"""Bytes of a whole name in UTF-8 (https://cloud.google.com/storage/docs/objects#naming)."""

_RESERVED = ".well-known/acme-challenge/"


def problem(name: str) -> str | None:
    """Say why no object of a bucket can have that whole name, or return `None` when one can.

    https://cloud.google.com/storage/docs/objects#naming
    """
    if "\n" in name or "\r" in name:
        return "a name in Google Cloud Storage holds no line break"
    if name in {".", ".."}:
        return f"no object of Google Cloud Storage can have the name {name!r}"
    if name.startswith(_RESERVED):
        return f"no name in Google Cloud Storage begins with {_RESERVED}"
    return None


@dataclasses.dataclass(frozen=True)
class Place:
    """A bucket and a prefix on a connected server.

    Attributes:
        connection: to the server.
        address: how requests about the bucket are addressed.
        root: what every whole name starts with: "", or the prefix with a slash at its end.
        location: as users write it, for messages.
        credentials: equal for places that are reached with the same ones.
        conditional: whether the server honours preconditions.
        common: the parameters of every request.
    """

    connection: Connection
    address: Address
    root: str
    location: str
    credentials: tuple[object, ...] = dataclasses.field(repr=False)
    conditional: bool
    common: Mapping[str, str]

    @classmethod
    def open(cls, location: Location, options: GCSOptions) -> Place:
        """Connect to the server of a location.

        Raises:
            ConfigError: the location names no bucket, or the options or the environment cannot be used.
        """
        text = str(location).removesuffix("/")
        if not location.container:
            raise ConfigError(f"{text}: the location names no bucket", hint="Write it as gs://bucket/prefix.")
        connection = Connection(options, text)
        return cls(
            connection,
            Address.of(location.container, connection.url),
            keys.folder(location.prefix),
            text,
            options.credentials(),
            conditional=connection.is_google if options.preconditions == "auto" else options.preconditions,
            common={} if options.user_project is None else {"userProject": options.user_project},
        )

    @property
    def identity(self) -> Identity:
        """Where the root is. All of Google Cloud Storage is one store: no two of its buckets share a name."""
        store = "google" if self.connection.is_google else self.connection.endpoint
        return Identity(f"gs://{store}", f"{self.address.bucket}/{self.root}")

    @property
    def longest_name(self) -> int:
        """Bytes of a key under this root."""
        return LONGEST_NAME - len(self.root.encode())

    def named(self, key: str) -> str:
        """Return the whole name of an object.

        Raises:
            InvalidKeyError: there can be no object of that name.
        """
        why = keys.problem(key)
        if why is None and len(key.encode()) > self.longest_name:
            why = f"the name is longer than {self.longest_name} bytes"
        name = self.root + key
        why = why or problem(name)
        if why is not None:
            raise InvalidKeyError(why)
        return name

    def errors(self, operation: str, key: str | None = None) -> AbstractContextManager[None]:
        """Turn the failures of requests into errors of the contract, and say in each what was done to what."""
        return naming(meaning, operation, self.location, key)

    def look(self, name: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Return the resource of an object; use it within `errors`.

        Args:
            name: the whole name.
            query: conditions.
        """
        return self.ask(operations.describe(self.address, name, {**self.common, **(query or {})}))

    def ask(self, request: Request) -> dict[str, Any]:
        """Make a request that is answered by a document, and return it; use it within `errors`."""
        return operations.document(self.answer(request))

    def answer(self, request: Request, *, most: int | None = None) -> Answer:
        """Make a request about an object; use it within `errors`."""
        try:
            return self.connection.request(request, most=most)
        except Refusal as refusal:
            self.tell_what_is_missing(refusal)
            raise

    def tell_what_is_missing(self, refusal: Refusal) -> None:
        """Find out whether the bucket is missing, where a server says no more than that something is (L2)."""
        if refusal.status != NOT_FOUND or refusal.missing is not None:
            return
        refusal.missing = "object"
        try:
            self.connection.request(operations.probe(self.address, self.common))
        except Refusal as probed:
            if probed.status == NOT_FOUND:
                refusal.missing = "bucket"

    def describe(self, key: str, resource: Mapping[str, Any]) -> ObjectInfo:
        """Return what the resource of an object says of it."""
        return self.written(key, resource, versions.digests(resource), attributes.from_resource(resource))

    def written(
        self, key: str, resource: Mapping[str, Any], digests: tuple[Digest, ...], carried: Attributes | None
    ) -> ObjectInfo:
        """Return what a resource, or the part of one that answers a write, says of an object.

        Args:
            key: the object.
            resource: the answer.
            digests: those of its content that are known to be right.
            carried: what it carries.

        Raises:
            UnexpectedBackendError: the answer tells no generation, or no size.
        """
        version = versions.version(resource)
        created = attributes.instant(resource.get("timeCreated"))
        modified_ns = time.time_ns() if created is None else created
        return ObjectInfo(key, size(resource), version.etag or "", modified_ns, version, digests, carried)


def size(resource: Mapping[str, Any]) -> int:
    """Return the bytes of an object, as they are stored.

    Raises:
        UnexpectedBackendError: its resource does not tell them.
    """
    text = str(resource.get("size", ""))
    if not text.isdecimal():
        raise UnexpectedBackendError("the server does not tell the object's size")
    return int(text)
