"""Where buckets and objects are in the URLs of the JSON API (https://cloud.google.com/storage/docs/request-endpoints)."""

from __future__ import annotations

import dataclasses
from typing import Self
from urllib.parse import quote, urlsplit

from cloudsync_core.backends.objectstore.server import Server, server_of

GOOGLE = "https://storage.googleapis.com"
"""Where Google Cloud Storage answers."""


@dataclasses.dataclass(frozen=True, slots=True)
class Address(Server):
    """How the requests about one bucket are addressed. All its paths are percent-encoded.

    Attributes:
        base: the path of the endpoint, without a slash at its end.
        bucket: the bucket's name.
    """

    base: str
    bucket: str

    @classmethod
    def of(cls, bucket: str, url: str) -> Self:
        """Return the address of a bucket on the server of a URL."""
        server = server_of(url)
        base = quote(urlsplit(url).path.rstrip("/"), safe="/%:@!$&'()*+,;=-._~")
        return cls(server.scheme, server.host, server.port, base, bucket)

    @property
    def objects(self) -> str:
        """The path of the bucket's objects: their listing."""
        return f"{self.base}/storage/v1/b/{segment(self.bucket)}/o"

    @property
    def uploads(self) -> str:
        """The path to which objects are uploaded."""
        return f"{self.base}/upload/storage/v1/b/{segment(self.bucket)}/o"

    @property
    def batches(self) -> str:
        """The path to which several requests are sent in one."""
        return f"{self.base}/batch/storage/v1"

    def object(self, name: str) -> str:
        """Return the path of an object."""
        return f"{self.objects}/{segment(name)}"


def segment(name: str) -> str:
    """Return a name as one segment of a path: slashes in it are encoded, too.

    https://cloud.google.com/storage/docs/request-endpoints#encoding
    """
    return quote(name, safe="-._~")
