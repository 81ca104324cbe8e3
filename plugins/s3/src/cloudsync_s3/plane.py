"""The fast way: writes and reads of small objects by obstore, answered in the form of botocore's responses.

It has the endpoint, credentials and patience of the connection. What it cannot say exactly goes the other way: keys
that obstore would change, and metadata with the name of a header. What it does not tell is how an object is encrypted,
which is what decides whether an ETag is an MD5 (B09): nothing is read this way before an answer of the other way has
shown an object whose ETag tells its content, and a mismatch is never believed on this way alone.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

import botocore.exceptions
from obstore.exceptions import BaseError
from obstore.store import S3Store

from cloudsync_core.backends.objectstore import NO_RETRIES, DataPlane, PlaneError, client_options, sayable
from cloudsync_s3.config import DIRECTORY_BUCKET, S3Options
from cloudsync_s3.connection import Connection

_HEADERS = {
    "ContentType": "Content-Type",
    "CacheControl": "Cache-Control",
    "ContentEncoding": "Content-Encoding",
    "ContentDisposition": "Content-Disposition",
    "ContentLanguage": "Content-Language",
}
_RESERVED = {*(header.lower() for header in _HEADERS.values()), "storage-class", "content-length"}

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")

_CREDENTIALS_KEPT = dt.timedelta(minutes=4)
"""How long credentials are used before the connection is asked again; it refreshes them 10 to 15 minutes before they
expire (botocore's mandatory and advisory timeouts)."""


class FastWay:
    """PutObject and GetObject of one bucket by native code; safe to use from many threads.

    Args:
        connection: whose server and credentials are used.
        options: the location's.
        bucket: its name.
    """

    def __init__(self, connection: Connection, options: S3Options, bucket: str) -> None:
        self._plane = DataPlane(_store(connection, options, bucket))
        self._left = False
        self._etags_tell = False
        self._process = os.getpid()

    def takes(self, key: str, carried: Mapping[str, Any]) -> bool:
        """Tell whether an object of this whole key, with these parameters of PutObject, can go this way.

        In the child of a fork nothing can: native threads do not survive one. The other way says so.
        """
        if self._left or self._process != os.getpid():
            return False
        return sayable(key) and _RESERVED.isdisjoint(carried.get("Metadata", ()))

    def reads(self, key: str) -> bool:
        """Tell whether an object of this whole key can be read this way."""
        return self._etags_tell and self.takes(key, {})

    def learn(self, *, etag_tells: bool) -> None:
        """Take note of what an answer has shown: that an object's ETag tells its content, or that it does not.

        In the second case this way is left for good.
        """
        self._etags_tell = self._etags_tell or etag_tells
        self._left = self._left or not etag_tells

    def put_object(
        self, key: str, data: bytes, carried: Mapping[str, Any], wanted: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Write an object.

        Args:
            key: the whole key.
            data: the content.
            carried: the parameters of PutObject that say what the object carries.
            wanted: those that say under which condition.

        Raises:
            botocore.exceptions.ClientError, botocore.exceptions.HTTPClientError: as botocore would.
        """
        headers = {_HEADERS[name]: value for name, value in carried.items() if name in _HEADERS}
        headers.update(carried.get("Metadata", {}))
        try:
            stored = self._plane.put(
                key, data, headers, if_absent="IfNoneMatch" in wanted, if_match=wanted.get("IfMatch")
            )
        except PlaneError as error:
            raise _as_botocore(error, "PutObject") from error
        return _response(stored.etag, stored.version)

    def get_object(self, key: str) -> tuple[dict[str, Any], Iterator[bytes]]:
        """Open an object; return the response and the chunks of its body, which raise as the call does.

        Raises:
            botocore.exceptions.ClientError, botocore.exceptions.HTTPClientError: as botocore would.
        """
        try:
            found = self._plane.get(key)
        except PlaneError as error:
            raise _as_botocore(error, "GetObject") from error
        names = {header: name for name, header in _HEADERS.items()}
        response = _response(found.stored.etag, found.stored.version)
        response["LastModified"] = found.modified
        response["ContentLength"] = found.size
        response["Metadata"] = {}
        for header, value in found.headers.items():
            if header in names:
                response[names[header]] = value
            else:
                response["Metadata"][header] = value
        return response, _chunks(found.chunks)


def fast_way(connection: Connection, options: S3Options, bucket: str) -> FastWay | None:
    """Return the fast way to a bucket, or `None` where obstore cannot be set up to do just what the connection does."""
    if not _NAME.fullmatch(bucket) or bucket.endswith(DIRECTORY_BUCKET):
        return None
    try:
        return FastWay(connection, options, bucket)
    except (BaseError, OSError, ValueError):
        # What is wrong with the settings, the connection says better.
        return None


def _store(connection: Connection, options: S3Options, bucket: str) -> S3Store:
    address = connection.address(bucket)
    client = client_options(
        connect_timeout=options.connect_timeout, read_timeout=options.read_timeout, secure=address.scheme == "https"
    )
    if not options.verify_tls:
        client["allow_invalid_certificates"] = True
    elif connection.ca_bundle is not None:
        client["root_certificate"] = connection.ca_bundle.read_bytes()
    settings: dict[str, Any] = {
        "bucket": bucket,
        # By its most specific name, which no variable of the environment overrides.
        "aws_endpoint_url_s3": address.url,
        "region": connection.region,
        "virtual_hosted_style_request": address.in_host,
        "conditional_put": "etag",
        "client_options": client,
        "retry_config": NO_RETRIES,
    }
    if options.anonymous:
        return S3Store(skip_signature=True, **settings)

    def credentials() -> Any:
        found = connection.credentials()
        if found is None:
            raise botocore.exceptions.NoCredentialsError
        return {
            "access_key_id": found.access_key,
            "secret_access_key": found.secret_key,
            "token": found.token,
            "expires_at": dt.datetime.now(dt.UTC) + _CREDENTIALS_KEPT,
        }

    return S3Store(credential_provider=credentials, **settings)


def _response(etag: str | None, version: str | None) -> dict[str, Any]:
    response: dict[str, Any] = {}
    if etag is not None:
        response["ETag"] = etag
    if version is not None:
        response["VersionId"] = version
    return response


def _chunks(chunks: Iterator[bytes]) -> Iterator[bytes]:
    try:
        yield from chunks
    except PlaneError as error:
        raise _as_botocore(error, "GetObject") from error


def _as_botocore(error: PlaneError, operation: str) -> Exception:
    """Return the failure in the form that the plugin's table of errors judges."""
    if error.status is None:
        unreachable: Exception = botocore.exceptions.HTTPClientError(error=error)
        return unreachable
    code = error.code or str(error.status)
    answer = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": error.status, "HTTPHeaders": {}}}
    refused: Exception = botocore.exceptions.ClientError(answer, operation)
    return refused
