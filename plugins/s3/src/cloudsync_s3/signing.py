"""Signatures of requests: AWS Signature Version 4, as S3 wants it.

https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html. botocore's own signer costs three times
as much, because it takes a request apart that is at hand here in its parts; tests hold the two against each other.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping

from botocore.credentials import ReadOnlyCredentials

from cloudsync_core.backends.objectstore.wire import Authorise, Request, query_string

UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
"""Instead of a digest: the signature does not extend to the content."""

NO_PAYLOAD = hashlib.sha256(b"").hexdigest()
"""The digest of no content."""

_ALGORITHM = "AWS4-HMAC-SHA256"


class Signer:
    """Signs requests to one service of one region; safe to use from many threads.

    Args:
        region: the service's.
        service: its name in signatures. What S3 alone wants, a header with the payload's digest, others ignore.
    """

    def __init__(self, region: str, service: str = "s3") -> None:
        self._region = region
        self._service = service
        self._derived: tuple[tuple[str, str], bytes] = (("", ""), b"")

    def sign(
        self,
        credentials: ReadOnlyCredentials,
        method: str,
        path: str,
        *,
        query: str,
        headers: Mapping[str, str],
        payload: str,
        moment: float,
    ) -> dict[str, str]:
        """Return the headers of a signed request: those given, and those that sign it.

        Args:
            credentials: whose signature.
            method: `GET` and so on.
            path: percent-encoded, without the query.
            query: from `cloudsync_core.backends.objectstore.wire.query_string`.
            headers: by lower-case names, `host` among them. All are signed.
            payload: the SHA-256 of the content, in hexadecimal, or `UNSIGNED_PAYLOAD`.
            moment: now, in seconds since the epoch.
        """
        stamp = _stamp(int(moment))
        signed = {**headers, "x-amz-content-sha256": payload, "x-amz-date": stamp}
        if credentials.token:
            signed["x-amz-security-token"] = credentials.token
        names = sorted(signed)
        listed = ";".join(names)
        lines = [f"{name}:{' '.join(signed[name].split())}" for name in names]
        canonical = "\n".join((method, path, query, *lines, "", listed, payload))
        scope = f"{stamp[:8]}/{self._region}/{self._service}/aws4_request"
        text = f"{_ALGORITHM}\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        signature = hmac.digest(self._key(credentials.secret_key, stamp[:8]), text.encode(), "sha256").hex()
        signed["authorization"] = (
            f"{_ALGORITHM} Credential={credentials.access_key}/{scope}, SignedHeaders={listed}, Signature={signature}"
        )
        return signed

    def _key(self, secret: str, day: str) -> bytes:
        """Return the key of a day, which is derived once."""
        known, key = self._derived
        if known != (secret, day):
            key = f"AWS4{secret}".encode()
            for part in (day, self._region, self._service, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._derived = ((secret, day), key)
        return key


def authorising(signer: Signer, credentials: Callable[[], ReadOnlyCredentials | None]) -> Authorise:
    """Return what signs requests.

    Args:
        signer: of the bucket's region.
        credentials: returns those of now, `None` for anonymous requests; what it raises, every request does.
    """

    def authorise(request: Request, headers: Mapping[str, str]) -> tuple[str, Mapping[str, str]]:
        query = query_string(request.query)
        found = credentials()
        if found is None:
            return query, headers
        return query, signer.sign(
            found,
            request.method,
            request.path,
            query=query,
            headers=headers,
            payload=request.payload or NO_PAYLOAD,
            moment=time.time(),
        )

    return authorise


@functools.lru_cache(maxsize=4)
def _stamp(second: int) -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second))
