"""The place that one backend serves: a bucket and a prefix, and what is the same for every request to it."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from cloudsync_core import keys
from cloudsync_core.backends.judging import naming
from cloudsync_core.errors import (
    ConfigError,
    InvalidKeyError,
    UnexpectedBackendError,
)
from cloudsync_core.location import Location
from cloudsync_core.models import Identity, ObjectInfo
from cloudsync_s3 import attributes, versions
from cloudsync_s3.config import DIRECTORY_BUCKET, S3Options
from cloudsync_s3.connection import Connection
from cloudsync_s3.errors import meaning

LONGEST_KEY = 1024
"""Bytes of a whole key in UTF-8 (https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html)."""

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclasses.dataclass(frozen=True)
class Place:
    """A bucket and a prefix on a connected server.

    Attributes:
        connection: the client.
        bucket: its name.
        root: what every whole key starts with: "", or the prefix with a slash at its end.
        location: as users write it, for messages.
        credentials: equal for places that are reached with the same ones.
        ordered: whether listings are in order.
        etag_is_md5: whether ETags may be taken for MD5s.
        takes_md5: whether the server takes Content-MD5.
    """

    connection: Connection
    bucket: str
    root: str
    location: str
    credentials: tuple[object, ...] = dataclasses.field(repr=False)
    ordered: bool
    etag_is_md5: bool
    takes_md5: bool

    @classmethod
    def open(cls, location: Location, options: S3Options) -> Place:
        """Connect to the server of a location.

        Raises:
            ConfigError: the location names no bucket, or the connection cannot be set up.
        """
        text = str(location).removesuffix("/")
        if not location.container:
            raise ConfigError(f"{text}: the location names no bucket", hint="Write it as s3://bucket/prefix.")
        directory_bucket = location.container.endswith(DIRECTORY_BUCKET)
        connection = Connection(options, text)
        return cls(
            connection,
            location.container,
            keys.folder(location.prefix),
            text,
            options.credentials(),
            ordered=options.ordered_listing and not directory_bucket,
            etag_is_md5=options.etag_is_md5 and not directory_bucket,
            takes_md5=not directory_bucket,
        )

    @property
    def identity(self) -> Identity:
        """Where the root is. All of Amazon S3 is one store: no two of its buckets share a name."""
        store = "aws" if self.connection.is_amazon else self.connection.endpoint
        return Identity(f"s3://{store}", f"{self.bucket}/{self.root}")

    @property
    def longest_name(self) -> int:
        """Bytes of a key under this root."""
        return LONGEST_KEY - len(self.root.encode())

    def named(self, key: str) -> dict[str, Any]:
        """Return the parameters that name an object.

        Raises:
            InvalidKeyError: there can be no object of that name.
        """
        why = keys.problem(key)
        if why is None and len(key.encode()) > self.longest_name:
            why = f"the name is longer than {self.longest_name} bytes"
        if why is not None:
            raise InvalidKeyError(why)
        return {"Bucket": self.bucket, "Key": self.root + key}

    def errors(self, operation: str, key: str | None = None) -> AbstractContextManager[None]:
        """Turn the failures of requests into errors of the contract, and say in each what was done to what."""
        return naming(meaning, operation, self.location, key)

    def call(self, key: str, request: str, **parameters: Any) -> dict[str, Any]:
        """Make one request about one object and return the response; use it within `errors`."""
        return self.connection.call(request, **self.named(key), **parameters)

    def put_object(
        self, key: str, data: bytes, md5: str, carried: Mapping[str, Any], wanted: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Write an object in one request; use it within `errors`.

        Args:
            key: the object.
            data: its content.
            md5: of the content, in hexadecimal.
            carried: the parameters that say what it carries.
            wanted: those that say under which condition.
        """
        request = {"Body": data, **carried, **wanted}
        if self.takes_md5:
            request["ContentMD5"] = content_md5(md5)
        return self.call(key, "put_object", **request)

    def tells_md5(self, response: Mapping[str, Any]) -> bool:
        """Tell whether the ETag in a response is about the content."""
        return self.etag_is_md5 and not versions.encrypted_apart(response)

    def describe(self, key: str, size: int, response: Mapping[str, Any]) -> ObjectInfo:
        """Return what a response of GetObject or HeadObject says about an object of `size` bytes."""
        version = versions.version(response)
        if "LastModified" not in response:
            raise UnexpectedBackendError("the server does not tell when the object was written")
        return ObjectInfo(
            key,
            size,
            version.etag or "",
            nanoseconds(response["LastModified"]),
            version,
            versions.digests(response, size) if self.etag_is_md5 else (),
            attributes.from_response(response),
        )


def length(response: Mapping[str, Any]) -> int:
    """Return the bytes that a response says it has."""
    length = response.get("ContentLength")
    if not isinstance(length, int):
        raise UnexpectedBackendError("the server does not tell the object's size")
    return length


def content_md5(digest: str) -> str:
    """Return the value of a Content-MD5 header for an MD5 in hexadecimal."""
    return base64.b64encode(bytes.fromhex(digest)).decode("ascii")


def nanoseconds(moment: dt.datetime) -> int:
    """Return a moment as nanoseconds since the epoch, without a float in between."""
    return (moment - _EPOCH) // dt.timedelta(microseconds=1) * 1000
