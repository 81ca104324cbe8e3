"""A storage queue: its requests, and messages that are kept from others for as long as they are worked on.

https://learn.microsoft.com/rest/api/storageservices/queue-service-rest-api. The service has no long polling, and
deletes messages one by one: many requests are under way at once instead.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from typing import Final, NamedTuple, TypeVar
from urllib.parse import quote
from xml.etree import ElementTree as ET

from cloudsync_azure.address import Address
from cloudsync_azure.connection import IN_FLIGHT, Connection
from cloudsync_azure.errors import FAILURES, RefusedError, meaning
from cloudsync_core.backends.objectstore.rules import Rule
from cloudsync_core.backends.objectstore.transport import DamagedAnswerError
from cloudsync_core.backends.objectstore.wire import Answer, Request
from cloudsync_core.errors import AccessDeniedError, BackendError, ContainerNotFoundError, UnavailableError

T = TypeVar("T")

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
_FINAL: Final = frozenset({400, 403, 404})
"""Statuses that asking again for the same does not change."""

_RELEASE_SECONDS: Final = 1.0
"""For giving back what was not worked on; what is left comes again by itself."""

_METADATA: Final = "x-ms-meta-"


def meaning_of(failure: BaseException, key: str | None = None) -> BackendError | None:
    """Return what one of `errors.FAILURES` means where a queue was asked, without its place."""
    if isinstance(failure, RefusedError) and (rule := CODES.get(failure.code)) is not None:
        return rule.failure()
    return meaning(failure, key)


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


class _Lease(NamedTuple):
    receipt: str
    renewed: float
    lasts_until: float


class Leases:
    """The messages that are worked on: hidden from others until they are settled, and then deleted, by one thread.

    Args:
        queue: where they come from.
        visibility: seconds for which a message is hidden; renewed at half of that.
        denied: called once if the service does not let messages be hidden any longer.
    """

    def __init__(self, queue: Queue, visibility: int, denied: Callable[[BackendError], None]) -> None:
        self._queue = queue
        self._visibility = visibility
        self._denied: Callable[[BackendError], None] | None = denied
        self._held: dict[str, _Lease] = {}
        self._settled: list[str] = []
        self._closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._keep, name="cloudsync-azure-leases", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        return len(self._held)

    def hold(self, messages: Iterable[Message], asked: float) -> None:
        """Keep messages from others from now on.

        Args:
            messages: that were received.
            asked: the moment before they were, of `time.monotonic`.
        """
        with self._changed:
            # One that comes again while it is held has a new receipt, and the old one is worth nothing.
            self._held.update(
                {found.identifier: _Lease(found.receipt, asked, asked + self._visibility) for found in messages}
            )
            self._changed.notify()

    def settle(self, identifiers: Sequence[str]) -> None:
        """Delete messages soon; those that are not held are passed over."""
        with self._changed:
            self._settled += identifiers
            self._changed.notify()

    def close(self) -> None:
        """Delete what is settled, give back what is not, and end; within a second or so."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(_RELEASE_SECONDS)
        self._queue.close()
        self._thread.join()

    def _keep(self) -> None:
        while not self._closing:
            with self._changed:
                if not self._settled and not self._closing:
                    self._changed.wait(self._pause())
            self._delete_settled()
            if not self._closing:
                self._renew()
        self._delete_settled()
        self._release()

    def _pause(self) -> float | None:
        """Return the seconds until a lease has to be renewed; `None` where there is none."""
        if not self._held:
            return None
        first = min(lease.renewed for lease in self._held.values())
        return max(0.05, first + self._visibility / 2 - time.monotonic())

    def _delete_settled(self) -> None:
        with self._changed:
            names, self._settled = self._settled, []
            found = [(name, lease.receipt) for name in names if (lease := self._held.pop(name, None)) is not None]
        for some in _batches(found):
            # What could not be deleted comes again, and is looked at again.
            for started in [self._started(self._queue.delete, *one) for one in some]:
                _outcome(started)

    def _renew(self) -> None:
        now = time.monotonic()
        with self._changed:
            due = [(name, lease) for name, lease in self._held.items() if now >= lease.renewed + self._visibility / 2]
        for some in _batches(due):
            if self._closing or self._settled:
                return
            asked = time.monotonic()
            begun = [(*one, self._started(self._queue.hide, one[0], one[1].receipt, self._visibility)) for one in some]
            for name, lease, started in begun:
                self._renewed(name, lease, _outcome(started), asked)

    def _renewed(self, name: str, lease: _Lease, outcome: Answer | BaseException, asked: float) -> None:
        if isinstance(outcome, Answer):
            receipt = outcome.headers.get("x-ms-popreceipt", lease.receipt)
            found: _Lease | None = _Lease(receipt, asked, asked + self._visibility)
        elif asked >= lease.lasts_until or (isinstance(outcome, RefusedError) and outcome.answer.status in _FINAL):
            found = None
            error = meaning_of(outcome)
            if isinstance(error, AccessDeniedError) and self._denied is not None:
                self._denied(error)
                self._denied = None
        else:
            # Again a little later: the network may be back before the lease ends.
            found = lease._replace(renewed=lease.renewed + self._visibility / 8)
        with self._changed:
            if self._held.get(name) == lease:
                if found is None:
                    del self._held[name]
                else:
                    self._held[name] = found

    def _release(self) -> None:
        until = time.monotonic() + _RELEASE_SECONDS / 2
        for some in _batches(list(self._held.items())):
            if time.monotonic() >= until:
                return
            for started in [self._started(self._queue.hide, name, lease.receipt, 0) for name, lease in some]:
                _outcome(started)

    @staticmethod
    def _started(begin: Callable[..., Future[Answer]], *arguments: object) -> Future[Answer] | None:
        with contextlib.suppress(RuntimeError):  # closed meanwhile
            return begin(*arguments)
        return None


def _batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Return the items, as many at a time as requests are under way at once."""
    return (items[start : start + IN_FLIGHT] for start in range(0, len(items), IN_FLIGHT))


def _outcome(started: Future[Answer] | None) -> Answer | BaseException:
    """Wait for a request that was begun, and return how it ended."""
    if started is None:
        return RuntimeError()
    try:
        return started.result()
    except (*FAILURES, CancelledError) as failure:
        return failure


def _said(element: ET.Element, name: str) -> str:
    text = element.findtext(name)
    if not text:
        raise ValueError(name)
    return text


def _text(element: ET.Element) -> str:
    return element.findtext("MessageText") or ""
