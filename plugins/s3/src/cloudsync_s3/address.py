"""Where a bucket is: in the host name or in the path of its server's URL. The one decision, for every way to it."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
from typing import Self
from urllib.parse import quote, urlsplit

from cloudsync_core.backends.objectstore.server import DEFAULT_PORTS, Server
from cloudsync_s3.config import DIRECTORY_BUCKET

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_SPECIAL = re.compile(r"--[a-z]+-s3")


def is_plain(bucket: str) -> bool:
    """Tell whether this is the name of an ordinary bucket.

    Others have endpoints and signatures of their own, which botocore knows: directory buckets (`…--x-s3`), the aliases
    of access points that end likewise, ARNs. Or they are names that no bucket can have.
    """
    return _NAME.fullmatch(bucket) is not None and not (
        bucket.endswith(DIRECTORY_BUCKET) or _SPECIAL.search(bucket, len(bucket) - len("--xxxx-s3"))
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Address(Server):
    """How the requests about one bucket are addressed.

    Attributes:
        host: the name or address of the server, with the bucket before it if that is its place.
        base: the path of the endpoint, without a slash at its end.
        bucket: the bucket's name.
        in_host: whether the bucket stands in the host name; otherwise it is the first segment of the path.
    """

    base: str
    bucket: str
    in_host: bool

    @classmethod
    def of(cls, bucket: str, url: str, *, path_style: bool) -> Self:
        """Return the address of a bucket.

        Args:
            bucket: its name, which is plain.
            url: of the server.
            path_style: whether the bucket belongs into the path. It is put there in any case where the host is an
                address, and where its name holds a dot: a certificate for `*.example.com` is none for
                `a.b.example.com`.
        """
        parts = urlsplit(url)
        host = parts.hostname or ""
        in_host = not path_style and "." not in bucket and not _is_ip(host)
        port = parts.port or DEFAULT_PORTS[parts.scheme]
        base = quote(parts.path.rstrip("/"), safe="/%:@!$&'()*+,;=-._~")
        return cls(parts.scheme, f"{bucket}.{host}" if in_host else host, port, base, bucket, in_host)

    @property
    def url(self) -> str:
        """The endpoint: with the bucket if it stands in the host name, without it if it belongs into the path."""
        return f"{self.scheme}://{self.netloc}{self.base}"

    def path(self, key: str | None) -> str:
        """Return the path of a request about an object, or about the bucket, percent-encoded as signatures want it."""
        bucket = self.base if self.in_host else f"{self.base}/{self.bucket}"
        if key is None:
            return bucket or "/"
        return f"{bucket}/{quote(key, safe='/-._~')}"


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
