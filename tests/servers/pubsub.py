"""Pub/Sub, as its REST API is documented, in this process and in memory, beside the server of Google Cloud Storage.

`pubsub` is connected to the server of `gcs`: what changes in a bucket with notifications is published to it. It keeps
acknowledgement deadlines, delivers again, and moves to the dead-letter topic what was delivered too often. `disturb`
lets messages come twice, late, in another order, or never. `running_pubsub` starts any other.
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.servers.gcs import GcsServer
from tests.servers.gcs_http import HttpServer
from tests.servers.gcs_notifications import AGENT as STORAGE_AGENT
from tests.servers.gcs_tokens import PROJECT, Tokens
from tests.servers.pubsub_service import Service
from tests.servers.pubsub_store import Disturbance, Subscription, Topic, members

__all__ = ["PubSubServer", "Queue", "connect", "running_pubsub"]


@dataclasses.dataclass(frozen=True)
class Queue:
    """A topic and its subscription, named alike, with another pair as dead-letter topic."""

    server: PubSubServer
    name: str

    @property
    def topic(self) -> str:
        return f"projects/{PROJECT}/topics/{self.name}"

    @property
    def subscription(self) -> str:
        return f"projects/{PROJECT}/subscriptions/{self.name}"

    @property
    def state(self) -> Subscription:
        """What the server knows of the subscription."""
        return self.server.service.store.subscriptions[self.subscription]

    @property
    def waiting(self) -> int:
        """Messages that are not acknowledged, delivered or not."""
        with self.server.service.store.lock:
            return len(self.state.messages)

    def send(self, data: bytes = b"", **attributes: str) -> str:
        """Publish a message and return its ID."""
        return self.server.service.store.publish(self.topic, data, attributes)

    def until(self, condition: Any, what: str) -> None:
        """Wait until a condition of this queue holds."""
        end = time.monotonic() + 20
        while not condition(self):
            assert time.monotonic() < end, f"it never came about: {what}"
            # The server is this process: a short pause lets it work.
            threading.Event().wait(0.005)


@dataclasses.dataclass(frozen=True)
class PubSubServer:
    """A running server.

    Attributes:
        endpoint_url: where.
        service: what answers.
        name: for messages.
    """

    endpoint_url: str
    service: Service = dataclasses.field(repr=False, compare=False)
    name: str = "pubsub"

    @property
    def host(self) -> str:
        """What PUBSUB_EMULATOR_HOST holds."""
        return self.endpoint_url.removeprefix("http://")

    def disturb(self, **how: Any) -> None:
        """Let things go wrong with what is published from now on; see `Disturbance`. Nothing stops it."""
        self.service.store.disturbance = Disturbance(**how)

    def make_queue(self, name: str | None = None, **settings: Any) -> Queue:
        """Create a topic and a subscription without a request.

        Args:
            name: of both, by default one that nothing else uses.
            settings: as in the resource of a subscription; `ackDeadlineSeconds` may be a fraction here.
        """
        queue = Queue(self, name or f"queue-{uuid.uuid4().hex[:16]}")
        store = self.service.store
        with store.lock:
            store.topics[queue.topic] = Topic(queue.topic, {})
            store.topics[queue.topic].policy["bindings"] = [
                {"role": "roles/pubsub.publisher", "members": [f"serviceAccount:{STORAGE_AGENT}"]}
            ]
            store.subscriptions[queue.subscription] = Subscription(
                queue.subscription, {"topic": queue.topic, **settings}
            )
        return queue


@contextlib.contextmanager
def running_pubsub(*, tokens: Tokens | None = None, wait: float = 20.0) -> Iterator[PubSubServer]:
    """Run a server for the length of the block; see `Service`."""
    service = Service(tokens=tokens, wait=wait)
    listener = HttpServer(service.answer)
    listener.start()
    try:
        yield PubSubServer(listener.url, service)
    finally:
        service.store.close()
        listener.stop()


def connect(gcs: GcsServer, server: PubSubServer) -> None:
    """Let a server of Cloud Storage publish to a server of Pub/Sub."""
    store = server.service.store

    def may_publish(topic: str, member: str) -> bool:
        with store.lock:
            found = store.topics.get(topic)
            return found is not None and member in members(found.policy, "roles/pubsub.publisher")

    gcs.service.store.publisher.publish = store.publish
    gcs.service.store.publisher.may_publish = may_publish


def notify(gcs: GcsServer, bucket: str, queue: Queue, **fields: Any) -> None:
    """Let what changes in a bucket be told to a queue; `fields` as in the resource of a notification."""
    store = gcs.service.store
    with store.lock:
        wanted = {"topic": f"//pubsub.googleapis.com/{queue.topic}", "payload_format": "NONE", **fields}
        store.bucket(bucket).notifications.insert(wanted, gcs.endpoint_url)


@pytest.fixture(scope="session")
def pubsub(gcs: GcsServer) -> Iterator[PubSubServer]:
    """The usual server, to which that of `gcs` publishes."""
    with running_pubsub() as server:
        connect(gcs, server)
        yield server


@pytest.fixture
def pubsub_calm(pubsub: PubSubServer) -> Iterator[PubSubServer]:
    """The usual server, on which a test may let things go wrong: afterwards nothing does."""
    yield pubsub
    pubsub.disturb()
    pubsub.service.denied.clear()
    pubsub.service.unavailable = False
