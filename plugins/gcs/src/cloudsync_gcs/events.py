"""What Cloud Storage's notifications say, as they come by Pub/Sub: pure reading.

https://cloud.google.com/storage/docs/pubsub-notifications: everything that counts stands in the attributes of a
message; with the payload format JSON_API_V1 its data is the object's resource, with NONE there is none.
"""

from __future__ import annotations

import base64
import collections
import json
import threading
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from cloudsync_core import keys

CREATED: Final = "OBJECT_FINALIZE"
"""The kind of event that tells of a new generation."""

_REMEMBERED: Final = 20_000
"""Generations of which it is remembered that they were looked at."""


class UnreadableError(Exception):
    """A message that says nothing that is understood; the text says why, and nothing of its content."""


class Change(NamedTuple):
    """What a notification tells.

    Attributes:
        key: of the object, relative to the root of what is watched.
        kind: of the event: OBJECT_FINALIZE, OBJECT_DELETE, OBJECT_ARCHIVE, OBJECT_METADATA_UPDATE, or a later one.
        generation: of the object, "" where it is not told.
        overwrote: the generation that it took the place of, "" for none.
        overwritten_by: the one that took its place, "" for none.
    """

    key: str
    kind: str = ""
    generation: str = ""
    overwrote: str = ""
    overwritten_by: str = ""


def read(message: Mapping[str, Any], bucket: str, root: str) -> Change | None:
    """Return what a message tells of an object under a root, `None` where it tells of anything else.

    Args:
        message: a `PubsubMessage` (https://cloud.google.com/pubsub/docs/reference/rest/v1/PubsubMessage).
        bucket: which is watched.
        root: what the names of its objects begin with.

    Raises:
        UnreadableError: it is no notification.
    """
    attributes = message.get("attributes")
    told = {name: str(value) for name, value in attributes.items()} if isinstance(attributes, Mapping) else {}
    if "bucketId" not in told or "objectId" not in told:
        told = {**_payload(message.get("data")), **told}
    name = told["objectId"]
    if told["bucketId"] != bucket or not name.startswith(root) or name == root:
        return None
    key = name[len(root) :]
    if keys.problem(key) is not None:
        raise UnreadableError("the name of the object is not valid Unicode")
    return Change(
        key,
        told.get("eventType", ""),
        told.get("objectGeneration", ""),
        told.get("overwroteGeneration", ""),
        told.get("overwrittenByGeneration", ""),
    )


def _payload(data: object) -> dict[str, str]:
    """Return what the resource of an object says, under the names that attributes have."""
    if not data:
        raise UnreadableError("it has not the attributes of a notification of Cloud Storage")
    try:
        resource = json.loads(base64.b64decode(str(data), validate=True))
    except (ValueError, RecursionError) as error:
        raise UnreadableError("its data is no JSON document") from error
    if not isinstance(resource, dict) or resource.get("kind") != "storage#object":
        raise UnreadableError("its data is not the resource of an object of Cloud Storage")
    found = {
        attribute: resource.get(field)
        for attribute, field in (("bucketId", "bucket"), ("objectId", "name"), ("objectGeneration", "generation"))
    }
    if not all(isinstance(value, str) for value in found.values()):
        raise UnreadableError("the resource of an object lacks its bucket, its name or its generation")
    return {attribute: str(value) for attribute, value in found.items()}


class Settled:
    """What was acted on already, so that late and repeated notifications of it need no look; for many threads.

    The order of generations' numbers is not relied on, only that no two are equal: what is stale is told by what
    notifications themselves say of which generation followed which.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # Whether everything about a generation is over, or only its creation.
        self._over: collections.OrderedDict[tuple[str, str], bool] = collections.OrderedDict()

    def covers(self, change: Change) -> bool:
        """Tell whether whoever has acted on what was settled has seen what came of a change."""
        with self._lock:
            if change.overwritten_by and (change.key, change.overwritten_by) in self._over:
                return True
            over = self._over.get((change.key, change.generation))
        return over is True or (over is False and change.kind == CREATED)

    def add(self, change: Change) -> None:
        """Take note that the object was looked at after a change, and that the effect is durable."""
        with self._lock:
            if change.generation:
                self._note(change.key, change.generation, over=bool(change.overwritten_by))
            if change.overwrote:
                self._note(change.key, change.overwrote, over=True)
            while len(self._over) > _REMEMBERED:
                self._over.popitem(last=False)

    def _note(self, key: str, generation: str, *, over: bool) -> None:
        self._over[key, generation] = self._over.pop((key, generation), False) or over
