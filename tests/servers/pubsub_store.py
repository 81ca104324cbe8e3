"""Topics, subscriptions and messages of the Pub/Sub test server, in memory.

How messages are delivered: https://cloud.google.com/pubsub/docs/subscription-overview and
https://cloud.google.com/pubsub/docs/handling-failures. A message is leased to who pulled it until its deadline, and
delivered again after that, until it is acknowledged or was delivered so often that it goes to the dead-letter topic.
"""

from __future__ import annotations

import base64
import collections
import dataclasses
import datetime as dt
import itertools
import random
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

DELETED_TOPIC = "_deleted-topic_"
LONGEST_DEADLINE = 600
_PAUSE = 0.02
"""Seconds between two looks at whether a message is due again, or whoever waits has gone."""


@dataclasses.dataclass
class Disturbance:
    """What goes wrong with the messages that are published from now on.

    Attributes:
        duplicate: the share of messages that come twice.
        drop: the share that never comes.
        shuffle: whether a pull picks messages in any order.
        delay: seconds until a message can be pulled.
        dice: decides which.
    """

    duplicate: float = 0.0
    drop: float = 0.0
    shuffle: bool = False
    delay: float = 0.0
    dice: random.Random = dataclasses.field(default_factory=lambda: random.Random(0))


@dataclasses.dataclass(slots=True)
class Message:
    """A message of one subscription.

    Attributes:
        due: when it can be delivered (again), in seconds of the monotonic clock.
        attempts: how often it was delivered.
        lease: the acknowledgement ID of its last delivery.
    """

    resource: dict[str, Any]
    due: float
    attempts: int = 0
    lease: str = ""


class Topic:
    def __init__(self, name: str, settings: Mapping[str, Any]) -> None:
        self.resource = {**settings, "name": name}
        self.policy: dict[str, Any] = {"etag": "ACAB"}


class Subscription:
    """A subscription. Whoever looks at it holds the store's lock.

    Attributes:
        acknowledged: message IDs, in the order of their acknowledgement.
        extended: how often a deadline was moved on.
    """

    def __init__(self, name: str, settings: Mapping[str, Any]) -> None:
        self.resource = {"ackDeadlineSeconds": 10, **settings, "name": name, "state": "ACTIVE"}
        self.policy: dict[str, Any] = {"etag": "ACAB"}
        self.messages: dict[str, Message] = {}
        self.acknowledged: list[str] = []
        self.extended = 0
        self.deleted = False
        self._numbers = itertools.count()

    @property
    def deadline(self) -> float:
        return float(self.resource["ackDeadlineSeconds"])

    @property
    def most_attempts(self) -> int | None:
        policy = self.resource.get("deadLetterPolicy")
        return None if policy is None else int(policy.get("maxDeliveryAttempts", 5))

    def add(self, resource: dict[str, Any], due: float) -> None:
        self.messages[f"{next(self._numbers)}"] = Message(resource, due)

    def find(self, lease: str) -> tuple[str, Message] | None:
        """Return the message of a delivery, unless it was delivered again or acknowledged since."""
        number, _, _ = lease.partition(":")
        message = self.messages.get(number)
        return None if message is None or message.lease != lease else (number, message)

    def lease(self, number: str, message: Message) -> dict[str, Any]:
        """Deliver a message."""
        message.attempts += 1
        message.lease = f"{number}:{uuid.uuid4().hex}"
        message.due = time.monotonic() + self.deadline
        counted = {} if self.most_attempts is None else {"deliveryAttempt": message.attempts}
        return {"ackId": message.lease, "message": message.resource, **counted}


class Store:
    """All topics and subscriptions, by their full names."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.news = threading.Condition(self.lock)
        self.topics: dict[str, Topic] = {}
        self.subscriptions: dict[str, Subscription] = {}
        self.disturbance = Disturbance()
        self.closed = False
        self.may_forward: Callable[[Subscription], bool] = lambda _: True
        self._ids = itertools.count(int(time.time() * 1000))

    def publish(self, topic: str, data: bytes, attributes: Mapping[str, str]) -> str:
        """Send a message to every subscription of a topic, and return its ID."""
        number = str(next(self._ids))
        resource: dict[str, Any] = {"messageId": number, "publishTime": dt.datetime.now(dt.UTC).isoformat()}
        if data:
            resource["data"] = base64.b64encode(data).decode()
        if attributes:
            resource["attributes"] = dict(attributes)
        with self.news:
            trouble = self.disturbance
            for subscription in self.subscriptions.values():
                if subscription.resource["topic"] != topic or trouble.dice.random() < trouble.drop:
                    continue
                for _ in range(2 if trouble.dice.random() < trouble.duplicate else 1):
                    subscription.add(resource, time.monotonic() + trouble.delay)
            self.news.notify_all()
        return number

    def pull(
        self, subscription: Subscription, most: int, seconds: float, connected: Callable[[], bool]
    ) -> Sequence[dict[str, Any]]:
        """Return what is due, as soon as there is something; nothing when the time is over or who asked has gone."""
        until = time.monotonic() + seconds
        with self.news:
            while not self.closed and not subscription.deleted:
                if not connected():
                    break
                if found := self._due(subscription, most):
                    return found
                left = until - time.monotonic()
                if left <= 0:
                    break
                self.news.wait(min(left, _PAUSE))
        return []

    def _due(self, subscription: Subscription, most: int) -> list[dict[str, Any]]:
        now = time.monotonic()
        due = [(number, message) for number, message in subscription.messages.items() if message.due <= now]
        if self.disturbance.shuffle:
            self.disturbance.dice.shuffle(due)
        found = []
        for number, message in due:
            limit = subscription.most_attempts
            if limit is not None and message.attempts >= limit and self.may_forward(subscription):
                del subscription.messages[number]
                self._bury(subscription, message)
            elif len(found) < most:
                found.append(subscription.lease(number, message))
        return found

    def _bury(self, subscription: Subscription, message: Message) -> None:
        data = base64.b64decode(message.resource.get("data", ""))
        told = {
            **message.resource.get("attributes", {}),
            "CloudPubSubDeadLetterSourceSubscription": subscription.resource["name"].rpartition("/")[2],
            "CloudPubSubDeadLetterSourceDeliveryCount": str(message.attempts),
        }
        self.publish(subscription.resource["deadLetterPolicy"]["deadLetterTopic"], data, told)

    def acknowledge(self, subscription: Subscription, leases: Sequence[str]) -> None:
        """Forget messages; a lease that has ended may be late, which is no error."""
        with self.news:
            for lease in leases:
                if (found := subscription.find(lease)) is not None:
                    del subscription.messages[found[0]]
                    subscription.acknowledged.append(found[1].resource["messageId"])
            self.news.notify_all()

    def extend(self, subscription: Subscription, leases: Sequence[str], seconds: int) -> None:
        """Move deadlines; one of 0 lets a message be delivered again now."""
        with self.news:
            for lease in leases:
                if (found := subscription.find(lease)) is not None:
                    found[1].due = time.monotonic() + seconds
                    subscription.extended += seconds > 0
            self.news.notify_all()

    def remove_topic(self, name: str) -> None:
        """Delete a topic; its subscriptions stay, and hear nothing any more."""
        with self.lock:
            del self.topics[name]
            for subscription in self.subscriptions.values():
                if subscription.resource["topic"] == name:
                    subscription.resource["topic"] = DELETED_TOPIC

    def remove_subscription(self, name: str) -> None:
        with self.news:
            self.subscriptions.pop(name).deleted = True
            self.news.notify_all()

    def close(self) -> None:
        """End every wait."""
        with self.news:
            self.closed = True
            self.news.notify_all()


def members(policy: Mapping[str, Any], role: str) -> collections.abc.Set[str]:
    """Return who has a role without a condition."""
    bindings = policy.get("bindings", [])
    return {
        member
        for binding in bindings
        if binding["role"] == role and "condition" not in binding
        for member in binding["members"]
    }
