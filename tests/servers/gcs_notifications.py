"""Notifications of the Google Cloud Storage test server: what changes in a bucket is published to topics.

https://cloud.google.com/storage/docs/pubsub-notifications and
https://cloud.google.com/storage/docs/json_api/v1/notifications: at most 100 configurations a bucket; each names a topic
to which Cloud Storage's service agent may publish, and may choose kinds of events and the start of names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from tests.servers.gcs_errors import Refusal, invalid, required
from tests.servers.gcs_objects import Stored, now

AGENT = "service-1@gs-project-accounts.iam.gserviceaccount.com"
"""The service agent of Cloud Storage in the project of every bucket."""

MOST = 100
EVENTS = frozenset({"OBJECT_FINALIZE", "OBJECT_METADATA_UPDATE", "OBJECT_DELETE", "OBJECT_ARCHIVE"})
_TOPIC = re.compile(r"//pubsub\.googleapis\.com/(projects/[^/]+/topics/[^/]+)")
_WRITABLE = ("topic", "payload_format", "event_types", "object_name_prefix", "custom_attributes")

Publish = Callable[[str, bytes, Mapping[str, str]], object]
"""Sends a message to a topic: its name, the data and the attributes."""


class Publisher:
    """What Cloud Storage knows of Pub/Sub; a test connects the two by setting both.

    Attributes:
        publish: sends a message.
        may_publish: tells whether somebody may publish to a topic, which then exists.
    """

    def __init__(self) -> None:
        self.publish: Publish = lambda *_: None
        self.may_publish: Callable[[str, str], bool] = lambda *_: False


class Notifications:
    """The configurations of one bucket. Whoever uses it holds the store's lock."""

    def __init__(self, bucket: str, publisher: Publisher) -> None:
        self._bucket = bucket
        self._publisher = publisher
        self._configs: dict[str, dict[str, Any]] = {}
        self._last = 0

    def list(self) -> dict[str, Any]:
        """Return all configurations."""
        found = {"items": [*self._configs.values()]} if self._configs else {}
        return {"kind": "storage#notifications", **found}

    def get(self, identity: str) -> dict[str, Any]:
        """Return one configuration.

        Raises:
            Refusal: there is none of that name.
        """
        try:
            return self._configs[identity]
        except KeyError:
            raise Refusal(404, "notFound", f"The specified notification {identity} does not exist.") from None

    def insert(self, wanted: Mapping[str, Any], url: str) -> dict[str, Any]:
        """Make a configuration; an equal one may be there already."""
        for name in ("topic", "payload_format"):
            if not wanted.get(name):
                raise required(name)
        topic = _TOPIC.fullmatch(wanted["topic"])
        if topic is None or wanted["payload_format"] not in {"JSON_API_V1", "NONE"}:
            raise invalid("Invalid argument.")
        if not set(wanted.get("event_types", ())) <= EVENTS:
            raise invalid("Invalid event type.")
        if len(self._configs) >= MOST:
            raise invalid("Too many overlapping notifications.")
        if not self._publisher.may_publish(topic[1], f"serviceAccount:{AGENT}"):
            why = f"The service account '{AGENT}' does not have permission to publish messages to the Cloud Pub/Sub"
            raise Refusal(403, "forbidden", f"{why} topic '{wanted['topic']}', or that topic does not exist.")
        self._last += 1
        identity = str(self._last)
        self._configs[identity] = {
            "kind": "storage#notification",
            "id": identity,
            "etag": identity,
            "selfLink": f"{url}/storage/v1/b/{self._bucket}/notificationConfigs/{identity}",
            **{name: wanted[name] for name in _WRITABLE if name in wanted},
        }
        return self._configs[identity]

    def delete(self, identity: str) -> None:
        """Forget a configuration; raises as `get` does."""
        self.get(identity)
        del self._configs[identity]

    def tell(self, event: str, stored: Stored, url: str = "", **also: int) -> None:
        """Publish what has happened to an object to whoever wants to know."""
        for config in self._configs.values():
            kinds = config.get("event_types")
            if (kinds and event not in kinds) or not stored.name.startswith(config.get("object_name_prefix", "")):
                continue
            attributes = {
                **config.get("custom_attributes", {}),
                "notificationConfig": f"projects/_/buckets/{self._bucket}/notificationConfigs/{config['id']}",
                "eventType": event,
                "payloadFormat": config["payload_format"],
                "bucketId": self._bucket,
                "objectId": stored.name,
                "objectGeneration": str(stored.generation),
                "eventTime": now(),
                **{name: str(generation) for name, generation in also.items()},
            }
            data = json.dumps(stored.resource(url)).encode() if config["payload_format"] == "JSON_API_V1" else b""
            self._publisher.publish(config["topic"].removeprefix("//pubsub.googleapis.com/"), data, attributes)
