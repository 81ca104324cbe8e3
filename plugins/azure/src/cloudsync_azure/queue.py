"""A storage queue: its requests, and what its refusals mean.

https://learn.microsoft.com/rest/api/storageservices/queue-service-rest-api. The service has no long polling, and
deletes messages one by one: many requests are under way at once instead.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Final, NamedTuple
from urllib.parse import quote
from xml.etree import ElementTree as ET

from pydantic import SecretStr

from cloudsync_azure.address import Address
from cloudsync_azure.config import AzureOptions
from cloudsync_azure.connection import Connection
from cloudsync_azure.environment import Environment, shown
from cloudsync_azure.errors import RefusedError, meaning
from cloudsync_core.backends.objectstore.rules import Rule
from cloudsync_core.backends.objectstore.transport import DamagedAnswerError
from cloudsync_core.backends.objectstore.wire import Answer, Request
from cloudsync_core.errors import AccessDeniedError, BackendError, ConfigError, ContainerNotFoundError, UnavailableError
from cloudsync_core.location import Location

MOST_AT_ONCE: Final = 32
"""Messages that one request returns at most (https://learn.microsoft.com/rest/api/storageservices/get-messages)."""

CODES: Final[Mapping[str, Rule]] = {
    "QueueNotFound": Rule(ContainerNotFoundError, "there is no such queue", "`cloudsync azure setup` makes it."),
    "QueueBeingDeleted": Rule(
        ContainerNotFoundError, "the queue is being deleted", "Its name is free again within a minute or so."
    ),
    "QueueDisabled": Rule(UnavailableError, "the queue is disabled"),
    "QueueAlreadyExists": Rule(UnavailableError, "there is a queue of that name already, which somebody else uses"),
    "AuthorizationPermissionMismatch": Rule(
        AccessDeniedError,
        "access to the queue is denied",
        "The permissions that the queue needs are listed in the documentation of cloudsync-azure.",
    ),
}
"""By Azure's name of the error; what is not here means what it does for objects."""

_GONE: Final = frozenset({"MessageNotFound", "PopReceiptMismatch", "QueueNotFound", "QueueBeingDeleted"})
_LONGEST_NAME: Final = 63
"""Characters of a queue's name (https://learn.microsoft.com/rest/api/storageservices/naming-queues-and-metadata)."""

_METADATA: Final = "x-ms-meta-"


def meaning_of(failure: BaseException, key: str | None = None) -> BackendError | None:
    """Return what one of `errors.FAILURES` means where a queue was asked, without its place."""
    if isinstance(failure, RefusedError) and (rule := CODES.get(failure.code)) is not None:
        return rule.failure()
    return meaning(failure, key)


def queue_name(container: str, prefix: str) -> str:
    """Return the name that the queue has by which a place is watched, unless another one is chosen."""
    name = f"cloudsync-{container.lstrip('$')}"
    if prefix or len(name) > _LONGEST_NAME:
        digest = hashlib.sha256(f"{container}/{prefix}".encode()).hexdigest()[:8]
        name = f"{name[: _LONGEST_NAME - len(digest) - 1].rstrip('-')}-{digest}"
    return name


class Message(NamedTuple):
    """A message that was received, and is hidden from others for a while.

    Attributes:
        identifier: the same whenever it is received.
        receipt: lets its holder delete it, until somebody else has received it.
        received: how often it was, this time included.
        text: the content.
    """

    identifier: str
    receipt: str
    received: int
    text: str


class Queue:
    """One queue; safe to use from many threads. Every method may raise `errors.FAILURES`.

    Args:
        connection: to the account's queue service; closed with the queue.
        address: of the queue, which has the place of a container there.
    """

    def __init__(self, connection: Connection, address: Address) -> None:
        self._connection = connection
        self._path = address.path(None)

    def receive(self, visibility: int) -> list[Message]:
        """Return the next messages, up to `MOST_AT_ONCE`, and hide them for so many seconds."""
        query = {"numofmessages": str(MOST_AT_ONCE), "visibilitytimeout": str(visibility)}
        answer = self._connection.call(Request("GET", f"{self._path}/messages", query))
        try:
            found = ET.fromstring(answer.body)  # noqa: S314 - of the account that holds the objects themselves
            return [
                Message(_said(one, "MessageId"), _said(one, "PopReceipt"), int(_said(one, "DequeueCount")), _text(one))
                for one in found.iter("QueueMessage")
            ]
        except (ET.ParseError, ValueError) as error:
            raise DamagedAnswerError("the answer is no list of messages") from error

    def hide(self, identifier: str, receipt: str, seconds: int) -> Future[Answer]:
        """Begin to hide a message for so many seconds from now; `receipt_of` the answer is its new receipt."""
        query = {"popreceipt": receipt, "visibilitytimeout": str(seconds)}
        return self._connection.start(Request("PUT", self._message(identifier), query))

    def delete(self, identifier: str, receipt: str) -> Future[Answer]:
        """Begin to delete a message."""
        return self._connection.start(Request("DELETE", self._message(identifier), {"popreceipt": receipt}))

    def create(self, metadata: Mapping[str, str]) -> None:
        """Make the queue."""
        headers = {f"{_METADATA}{name}": value for name, value in metadata.items()}
        self._connection.call(Request("PUT", self._path, {}, headers))

    def describe(self) -> tuple[dict[str, str], int] | None:
        """Return the metadata of the queue, and about how many messages it has; `None` where it does not exist."""
        try:
            headers = self._connection.call(Request("GET", self._path, {"comp": "metadata"})).headers
        except RefusedError as error:
            if error.code in _GONE:
                return None
            raise
        metadata = {name.removeprefix(_METADATA): headers[name] for name in headers if name.startswith(_METADATA)}
        return metadata, int(headers.get("x-ms-approximate-messages-count", "0"))

    def remove(self) -> None:
        """Delete the queue and what is in it."""
        self._connection.call(Request("DELETE", self._path))

    def close(self) -> None:
        """Close the connections: what is under way fails."""
        self._connection.close()

    def _message(self, identifier: str) -> str:
        return f"{self._path}/messages/{quote(identifier, safe='-')}"


def open_queue(
    location: Location,
    options: AzureOptions,
    queue: str,
    url: str | None,
    *,
    connection_string: SecretStr | None = None,
    sas_token: SecretStr | None = None,
) -> Queue:
    """Return a queue beside a location; nothing is asked of the server.

    Raises:
        ConfigError: it cannot be told where the queue is, or by what to be let in.
    """
    environment = Environment(location, options)
    try:
        found = environment.at_queue(
            queue,
            url,
            connection_string=None if connection_string is None else connection_string.get_secret_value(),
            sas=None if sas_token is None else sas_token.get_secret_value(),
        )
    except ValueError as error:
        raise ConfigError(
            f"{shown(location)}: the queue {queue} cannot be reached: {error}",
            hint="endpoint_url names the queue service, for instance https://account.queue.core.windows.net.",
        ) from error
    return Queue(Connection(found, options), found.address)


def _said(element: ET.Element, name: str) -> str:
    text = element.findtext(name)
    if not text:
        raise ValueError(name)
    return text


def _text(element: ET.Element) -> str:
    return element.findtext("MessageText") or ""
