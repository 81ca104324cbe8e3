"""A subscription of Pub/Sub as a queue: what is said to the server, and what it answers.

By the REST API (https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions), over the plugin's wire.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from cloudsync_core.backends.judging import naming
from cloudsync_core.backends.objectstore.rules import Rule
from cloudsync_core.backends.objectstore.transport import DamagedAnswerError
from cloudsync_core.backends.objectstore.wire import Request
from cloudsync_core.errors import BackendError, ContainerNotFoundError
from cloudsync_gcs import errors, operations
from cloudsync_gcs.address import segment
from cloudsync_gcs.config import GCSOptions
from cloudsync_gcs.connection import Connection
from cloudsync_gcs.environment import Service

PUBSUB: Final = Service(
    "https://pubsub.googleapis.com", "PUBSUB_EMULATOR_HOST", "https://www.googleapis.com/auth/pubsub"
)

_LONGEST_PULL: Final = 120.0
"""Seconds for which no byte may come while a pull waits for messages. Google waits for a bounded time, and does not say
how long that is."""

_SETTLING_CONNECT: Final = 5.0
_SETTLING_READ: Final = 10.0
"""Seconds: nobody's end waits for long because a server does not answer."""

_AT_ONCE: Final = 1000
"""Acknowledgement IDs in one request, which has 512 KiB at most (https://cloud.google.com/pubsub/quotas)."""

_NO_SUBSCRIPTION: Final = Rule(
    ContainerNotFoundError, "there is no such subscription", "Create it: cloudsync gcs setup --help"
)


class Received(NamedTuple):
    """A message as it was delivered: how it is acknowledged, and what it says."""

    lease: str
    message: Mapping[str, Any]


def connect(options: GCSOptions, location: str, endpoint_url: str | None, **other: float) -> Connection:
    """Return a connection to Pub/Sub, with the credentials of a location.

    Args:
        options: the location's.
        location: for messages.
        endpoint_url: of the server, `None` for the one of the environment or Google's.
        other: options that have other values.

    Raises:
        ConfigError: the options or the environment cannot be used.
    """
    return Connection(options.model_copy(update={"endpoint_url": endpoint_url, **other}), location, PUBSUB)


class Subscription:
    """One subscription; safe to use from many threads.

    Args:
        name: `projects/…/subscriptions/…`.
        options: how Google is reached, and with whose credentials.
        endpoint_url: of another server in Google's place.

    Raises:
        ConfigError: the options or the environment cannot be used.
    """

    def __init__(self, name: str, options: GCSOptions, endpoint_url: str | None = None) -> None:
        self.name = name
        self._path = f"/v1/{'/'.join(segment(part) for part in name.split('/'))}"
        connecting = min(options.connect_timeout, _SETTLING_CONNECT)
        # A pull is ended by closing its connections, and what is settled goes out after that.
        waiting = max(options.read_timeout, _LONGEST_PULL)
        settling = min(options.read_timeout, _SETTLING_READ)
        self._pulls = connect(options, name, endpoint_url, connect_timeout=connecting, read_timeout=waiting)
        self._settles = connect(options, name, endpoint_url, connect_timeout=connecting, read_timeout=settling)

    def pull(self, most: int, *, at_once: bool = False) -> list[Received]:
        """Return messages as soon as there are any; none when the server would wait no longer.

        Args:
            most: how many, at most.
            at_once: whether to wait for none.

        Raises:
            BackendError: the server could not be asked.
        """
        body = {"maxMessages": most, **({"returnImmediately": True} if at_once else {})}
        with naming(_meaning, "pull", self.name):
            return list(_received(self._ask(self._pulls, "pull", body)))

    def acknowledge(self, leases: Sequence[str]) -> None:
        """Say that messages need not come again; raises as `pull` does."""
        with naming(_meaning, "acknowledge", self.name):
            for number in range(0, len(leases), _AT_ONCE):
                self._ask(self._settles, "acknowledge", {"ackIds": leases[number : number + _AT_ONCE]})

    def extend(self, leases: Sequence[str], seconds: int) -> None:
        """Let messages not come again for so many seconds from now; 0 gives them back. Raises as `pull` does."""
        with naming(_meaning, "extend", self.name):
            for number in range(0, len(leases), _AT_ONCE):
                body = {"ackIds": leases[number : number + _AT_ONCE], "ackDeadlineSeconds": seconds}
                self._ask(self._settles, "modifyAckDeadline", body)

    def interrupt(self) -> None:
        """End the pull that is under way, which then raises; there is no other afterwards."""
        self._pulls.close()

    def close(self) -> None:
        """Close the connections."""
        self._pulls.close()
        self._settles.close()

    def _ask(self, connection: Connection, verb: str, body: Mapping[str, Any]) -> dict[str, Any]:
        content = json.dumps(body).encode()
        headers = {"content-type": "application/json; charset=UTF-8"}
        request = Request("POST", f"{self._path}:{verb}", {}, headers, content, len(content))
        return operations.document(connection.request(request))


def _received(answer: Mapping[str, Any]) -> Iterator[Received]:
    try:
        for delivery in answer.get("receivedMessages", ()):
            yield Received(str(delivery["ackId"]), dict(delivery.get("message") or {}))
    except (TypeError, KeyError, ValueError) as error:
        raise DamagedAnswerError("the answer to a pull holds no messages") from error


def _meaning(failure: BaseException, key: str | None) -> BackendError | None:
    if isinstance(failure, errors.Refusal) and failure.status == errors.NOT_FOUND:
        return _NO_SUBSCRIPTION.failure()
    return errors.meaning(failure, key)
