"""The place that one backend serves: a container and a prefix, and what is the same for every request to it."""

from __future__ import annotations

import dataclasses
import re
from contextlib import AbstractContextManager

from cloudsync_azure import attributes, versions
from cloudsync_azure.address import Address
from cloudsync_azure.config import AzureOptions
from cloudsync_azure.connection import Connection
from cloudsync_azure.environment import Environment, shown
from cloudsync_azure.errors import meaning
from cloudsync_azure.signing import Bearer, SharedAccess, SharedKey
from cloudsync_core import keys
from cloudsync_core.backends.judging import naming
from cloudsync_core.backends.objectstore.wire import Answer
from cloudsync_core.errors import InvalidKeyError, ObjectNotFoundError, UnexpectedBackendError
from cloudsync_core.location import Location
from cloudsync_core.models import Identity, ObjectInfo

LONGEST_KEY = 1024
"""Characters of a whole key, counted in UTF-16 as the service does
(https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata)."""

MOST_SEGMENTS = 254
"""Segments of a whole key (the same page)."""

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ufffe\uffff]")
_BEYOND_UTF_16 = re.compile("[\U00010000-\U0010ffff]")


@dataclasses.dataclass(frozen=True)
class Place:
    """A container and a prefix on a connected server.

    Attributes:
        connection: the client.
        address: of the container.
        root: what every whole key starts with: "", or the prefix with a slash at its end.
        location: as users write it, for messages.
        endpoint: of the account: equal for equal places.
        credentials: equal for places that are reached with the same ones.
        content_md5: whether Content-MD5 may be taken for that of the content.
    """

    connection: Connection
    address: Address
    root: str
    location: str
    endpoint: str
    credentials: tuple[object, ...] = dataclasses.field(repr=False)
    content_md5: bool

    @classmethod
    def open(cls, location: Location, options: AzureOptions) -> Place:
        """Connect to the server of a location.

        Raises:
            ConfigError: the location names no container, or the connection cannot be set up.
        """
        environment = Environment(location, options)
        return cls(
            Connection(environment, options),
            environment.address,
            keys.folder(location.prefix),
            shown(location),
            environment.endpoint,
            _credentials(environment, options),
            options.content_md5,
        )

    @property
    def identity(self) -> Identity:
        """Where the root is, whichever scheme it is written with."""
        return Identity(f"az://{self.endpoint}", f"{self.address.container}/{self.root}")

    def problem(self, key: str) -> str | None:
        """Say why the service can hold no object of that name exactly, or return `None` when it can.

        It takes a backslash for a slash, and drops a dot from the end of a segment (Azure/azure-sdk-for-java#36674,
        versity/versitygw#845): another object would be written, or deleted.
        """
        why = keys.problem(key)
        if why is not None:
            return why
        whole = self.root + key
        if "\\" in key:
            why = "Azure would take the backslash for a slash"
        elif _CONTROL.search(key):
            why = "Azure takes no control characters in names"
        elif key.endswith(".") or "./" in key:
            why = "Azure would drop the dot at the end of a name"
        elif whole.count("/") >= MOST_SEGMENTS:
            why = f"the name has more than {MOST_SEGMENTS} segments"
        elif len(whole) + len(_BEYOND_UTF_16.findall(whole)) > LONGEST_KEY:
            why = f"the name is longer than {LONGEST_KEY - len(self.root)} characters"
        return why

    def path(self, key: str) -> str:
        """Return the path of requests about an object.

        Raises:
            InvalidKeyError: there can be no object of that name.
        """
        why = self.problem(key)
        if why is not None:
            raise InvalidKeyError(why)
        return self.address.path(self.root + key)

    def errors(self, operation: str, key: str | None = None) -> AbstractContextManager[None]:
        """Turn the failures of requests into errors of the contract, and say in each what was done to what."""
        return naming(meaning, operation, self.location, key)

    def describe(self, key: str, size: int, answer: Answer) -> ObjectInfo:
        """Return what an answer about an object of `size` bytes says of it.

        Raises:
            ObjectNotFoundError: it is about a directory.
        """
        headers = answer.headers
        if attributes.is_folder(headers):
            raise ObjectNotFoundError("it is a directory, and no object")
        version = versions.version(headers)
        return ObjectInfo(
            key,
            size,
            version.etag or "",
            versions.nanoseconds(headers.get("last-modified")),
            version,
            versions.digests(headers, answer.status) if self.content_md5 else (),
            attributes.from_headers(headers),
        )


def length(answer: Answer) -> int:
    """Return the bytes that an answer says it has."""
    text = answer.headers.get("content-length", "")
    if not text.isdecimal():
        raise UnexpectedBackendError("the server does not tell the object's size")
    return int(text)


def _credentials(environment: Environment, options: AzureOptions) -> tuple[object, ...]:
    """Return what is equal for places that are reached with the same credentials."""
    who = environment.authorise
    if isinstance(who, SharedKey):
        return ("key", who.account)
    if isinstance(who, SharedAccess):
        return ("sas", who.token)
    if isinstance(who, Bearer):
        return ("identity", options.tenant_id, options.client_id, options.client_secret, options.managed_identity)
    return ("anonymous",)
