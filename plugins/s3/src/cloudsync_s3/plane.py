"""The fast way: small writes and reads by obstore, answered in the form of botocore's responses.

The same endpoint, credentials and patience as the connection's. What it cannot say exactly goes the other way: keys that
obstore would change, and metadata with the name of a header. What it does not tell is how an object is encrypted, which
is what decides whether an ETag is an MD5 (B09): a mismatch is therefore never believed on this way alone.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import botocore.exceptions
from obstore.store import S3Store

from cloudsync_core.backends.objectstore import NO_RETRIES, DataPlane, PlaneError, client_options, sayable
from cloudsync_core.models import ByteRange
from cloudsync_s3.config import S3Options
from cloudsync_s3.connection import Connection

_HEADERS = {
    "ContentType": "Content-Type",
    "CacheControl": "Cache-Control",
    "ContentEncoding": "Content-Encoding",
    "ContentDisposition": "Content-Disposition",
    "ContentLanguage": "Content-Language",
}
_RESERVED = {*(header.lower() for header in _HEADERS.values()), "storage-class", "content-length"}

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

    @staticmethod
    def takes(key: str, carried: Mapping[str, Any]) -> bool:
        """Tell whether an object of this whole key, with these parameters of PutObject, can go this way."""
        return sayable(key) and _RESERVED.isdisjoint(carried.get("Metadata", ()))

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

    def get_object(
        self, key: str, byte_range: ByteRange | None, if_match: str | None
    ) -> tuple[dict[str, Any], Iterator[bytes]]:
        """Open an object; return the response and the chunks of its body, which raise as the call does.

        Raises:
            botocore.exceptions.ClientError, botocore.exceptions.HTTPClientError: as botocore would.
        """
        try:
            found = self._plane.get(key, byte_range=byte_range, if_match=if_match)
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


def _store(connection: Connection, options: S3Options, bucket: str) -> S3Store:
    endpoint = connection.url
    secure = endpoint.startswith("https:")
    client = client_options(connect_timeout=options.connect_timeout, read_timeout=options.read_timeout, secure=secure)
    if not options.verify_tls:
        client["allow_invalid_certificates"] = True
    elif connection.ca_bundle is not None:
        client["root_certificate"] = connection.ca_bundle.read_bytes()
    virtual = connection.is_virtual_hosted
    if virtual:
        parts = urlsplit(endpoint)
        endpoint = f"{parts.scheme}://{bucket}.{parts.netloc}{parts.path}"
    settings: dict[str, Any] = {
        "bucket": bucket,
        "endpoint": endpoint,
        "region": connection.region,
        "virtual_hosted_style_request": virtual,
        "conditional_put": "etag",
        "client_options": client,
        "retry_config": NO_RETRIES,
    }
    if connection.is_anonymous:
        return S3Store(skip_signature=True, **settings)

    def credentials() -> dict[str, Any]:
        found = connection.credentials()
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
        return botocore.exceptions.HTTPClientError(error=error)
    code = error.code or str(error.status)
    return botocore.exceptions.ClientError(
        {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": error.status, "HTTPHeaders": {}}}, operation
    )
