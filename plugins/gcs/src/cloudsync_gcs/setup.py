"""Has a bucket tell Pub/Sub of changes: a topic, a subscription, one of each for dead letters, and a notification."""

from __future__ import annotations

import dataclasses
import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from cloudsync_core.backends.judging import naming
from cloudsync_core.backends.objectstore.wire import Request
from cloudsync_core.errors import ConfigError, ContainerNotFoundError, UnexpectedBackendError
from cloudsync_core.location import Location
from cloudsync_gcs import errors, operations
from cloudsync_gcs.address import segment
from cloudsync_gcs.config import GCSOptions
from cloudsync_gcs.place import Place
from cloudsync_gcs.queue import connect
from cloudsync_gcs.templating import (
    ACK_DEADLINE,
    ATTEMPTS,
    LATEST_AGAIN,
    MARK,
    PUBLISHER,
    RETENTION,
    SOONEST_AGAIN,
    SUBSCRIBER,
    Names,
)

_JSON: Final = "application/json; charset=UTF-8"
_KINDS: Final = frozenset({"OBJECT_FINALIZE", "OBJECT_DELETE", "OBJECT_ARCHIVE", "OBJECT_METADATA_UPDATE"})
_AGENT: Final = re.compile(r"service-([0-9]+)@.+")
_CONFLICT: Final = 409
_ATTEMPTS: Final = 3
"""Tries to change a policy that somebody else is changing."""


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """One thing to do.

    Attributes:
        text: what, in words for the user.
        do: does it.
    """

    text: str
    do: Callable[[], object]


class Setup:
    """What is there of what a place needs, and the steps to what is missing.

    Args:
        names: what belongs to the place.
        options: how Google is reached, and with whose credentials.

    Raises:
        ConfigError: the options or the environment cannot be used.

    Attributes:
        kept: what `leftover` leaves alone, because it was not made here; in words for the user.
    """

    def __init__(self, names: Names, options: GCSOptions) -> None:
        self._names = names
        self._place = Place.open(Location("gs", names.bucket), options)
        self._pubsub = connect(options, f"projects/{names.project}", None)
        self._bucket = f"{self._place.address.base}/storage/v1/b/{segment(names.bucket)}"
        self.kept: list[str] = []

    def close(self) -> None:
        """Close the connections."""
        self._place.connection.close()
        self._pubsub.close()

    def missing(self) -> list[Step]:
        """Return the steps to what is not there; what is there is not touched.

        Raises:
            ConfigError: there is something else of that name.
            BackendError: it cannot be found out, for instance because it is not allowed.
        """
        storage, pubsub = self._agents()
        return [*self._missing_queues(), *self._missing_grants(storage, pubsub), *self._missing_notification()]

    def leftover(self) -> list[Step]:
        """Return the steps that remove what `missing` has made, and nothing else; raises as `missing` does."""
        self.kept = []
        names = self._names
        steps = []
        try:
            configs = self._notifications()
        except ContainerNotFoundError:
            configs = []
        for config in configs:
            if config.get("custom_attributes", {}).get(MARK[0]) == MARK[1]:
                path = f"{self._bucket}/notificationConfigs/{segment(str(config['id']))}"
                text = f"remove the notification {config['id']} of gs://{names.bucket}"
                steps.append(Step(text, functools.partial(self._store, "DELETE", path)))
            else:
                self.kept.append(f"the notification {config['id']} of gs://{names.bucket}")
        for kind, make in (("subscription", names.subscription), ("topic", names.topic)):
            for full in (make(names.name), make(names.dead)):
                found = self._ask("GET", full)
                if found is None:
                    continue
                if found.get("labels", {}).get(MARK[0]) == MARK[1]:
                    steps.append(Step(f"remove the {kind} {full}", functools.partial(self._ask, "DELETE", full)))
                else:
                    self.kept.append(f"the {kind} {full}")
        return steps

    def _missing_queues(self) -> Iterator[Step]:
        names = self._names
        labels = dict([MARK])
        lasting = {"labels": labels, "messageRetentionDuration": f"{RETENTION}s", "expirationPolicy": {}}
        careful = {
            "ackDeadlineSeconds": ACK_DEADLINE,
            "deadLetterPolicy": {"deadLetterTopic": names.topic(names.dead), "maxDeliveryAttempts": ATTEMPTS},
            "retryPolicy": {"minimumBackoff": f"{SOONEST_AGAIN}s", "maximumBackoff": f"{LATEST_AGAIN}s"},
        }
        for name, what, more in ((names.dead, " for dead letters", {}), (names.name, "", careful)):
            topic, subscription = names.topic(name), names.subscription(name)
            if self._ask("GET", topic) is None:
                yield Step(f"create the topic{what}: {topic}", self._creating(topic, {"labels": labels}))
            found = self._ask("GET", subscription)
            if found is None:
                wanted = {"topic": topic, **lasting, **more}
                yield Step(f"create the subscription{what}: {subscription}", self._creating(subscription, wanted))
            elif found.get("topic") != topic:
                raise ConfigError(
                    f"there is a subscription {subscription}, of another topic: {found.get('topic')}",
                    hint="Give another name by --subscription, or remove that one.",
                )

    def _creating(self, full: str, wanted: Mapping[str, Any]) -> Callable[[], object]:
        return functools.partial(self._ask, "PUT", full, body=wanted)

    def _missing_grants(self, storage: str, pubsub: str) -> Iterator[Step]:
        names = self._names
        for full, role, member, what in (
            (names.topic(names.name), PUBLISHER, storage, "let Cloud Storage publish to"),
            (names.topic(names.dead), PUBLISHER, pubsub, "let Pub/Sub move dead letters to"),
            (names.subscription(names.name), SUBSCRIBER, pubsub, "let Pub/Sub take dead letters from"),
        ):
            policy = self._policy(full)
            if policy is None or not _grants(policy, role, member):
                text = f"{what} {full}: {role} for {member}"
                yield Step(text, functools.partial(self._grant, full, role, member))

    def _missing_notification(self) -> Iterator[Step]:
        names = self._names
        for config in self._notifications():
            kinds = set(config.get("event_types", ())) or _KINDS
            if names.root.startswith(config.get("object_name_prefix", "")) and kinds >= _KINDS:
                return
        wanted = {
            "topic": f"//pubsub.googleapis.com/{names.topic(names.name)}",
            "payload_format": "NONE",
            "custom_attributes": dict([MARK]),
            **({"object_name_prefix": names.root} if names.root else {}),
        }
        text = f"have gs://{names.bucket}/{names.root} tell the topic of changes: a notification"
        yield Step(text, functools.partial(self._store, "POST", f"{self._bucket}/notificationConfigs", body=wanted))

    def _notifications(self) -> list[dict[str, Any]]:
        """Return those of the bucket that go to our topic."""
        topic = f"//pubsub.googleapis.com/{self._names.topic(self._names.name)}"
        found = self._store("GET", f"{self._bucket}/notificationConfigs").get("items", [])
        return [config for config in found if config.get("topic") == topic]

    def _agents(self) -> tuple[str, str]:
        """Return as whom Cloud Storage publishes, and as whom Pub/Sub moves dead letters.

        https://cloud.google.com/storage/docs/json_api/v1/projects/serviceAccount/get: asking is what makes the first.
        """
        owner = str(self._store("GET", self._bucket, fields="projectNumber").get("projectNumber", ""))
        storage, ours = (self._storage_agent(project) for project in (owner, self._names.project))
        number = _AGENT.fullmatch(ours)
        if number is None:
            raise UnexpectedBackendError("the server does not tell the number of the project", operation="setup")
        return f"serviceAccount:{storage}", f"serviceAccount:service-{number[1]}@gcp-sa-pubsub.iam.gserviceaccount.com"

    def _storage_agent(self, project: str) -> str:
        path = f"{self._place.address.base}/storage/v1/projects/{segment(project)}/serviceAccount"
        return str(self._store("GET", path).get("email_address", ""))

    def _policy(self, full: str) -> dict[str, Any] | None:
        # Without the version, what is granted on a condition would be lost (https://cloud.google.com/iam/docs/policies).
        return self._ask("GET", f"{full}:getIamPolicy", query={"options.requestedPolicyVersion": "3"})

    def _grant(self, full: str, role: str, member: str) -> None:
        """Add a grant to those that are there."""
        for attempt in range(1, _ATTEMPTS + 1):
            policy = self._policy(full) or {}
            if _grants(policy, role, member):
                return
            bindings = [*policy.get("bindings", []), {"role": role, "members": [member]}]
            try:
                # The policy's etag goes back with it: a change by somebody else in between is refused.
                self._ask(
                    "POST", f"{full}:setIamPolicy", body={"policy": {**policy, "bindings": bindings, "version": 3}}
                )
            except _ChangedError:
                if attempt == _ATTEMPTS:
                    raise
            else:
                return

    def _ask(
        self, method: str, name: str, *, body: Mapping[str, Any] | None = None, query: Mapping[str, str] | None = None
    ) -> dict[str, Any] | None:
        """Ask Pub/Sub, and return the answer; `None` where there is nothing of that name."""
        plain, _, verb = name.partition(":")
        path = "/v1/" + "/".join(segment(part) for part in plain.split("/")) + (f":{verb}" if verb else "")
        with naming(errors.meaning, "setup", plain):
            try:
                return operations.document(self._pubsub.request(_request(method, path, query or {}, body)))
            except errors.Refusal as refusal:
                if refusal.status == errors.NOT_FOUND and method in {"GET", "DELETE"}:
                    return None
                if refusal.status == errors.NOT_FOUND:
                    raise UnexpectedBackendError(f"it is not there: {refusal.message}") from refusal
                if refusal.status == _CONFLICT and verb:
                    raise _ChangedError("somebody else changes who may do what with it") from refusal
                if refusal.status == _CONFLICT:
                    return {}
                raise

    def _store(self, method: str, path: str, *, body: Mapping[str, Any] | None = None, **query: str) -> dict[str, Any]:
        """Ask Cloud Storage, and return the answer."""
        with self._place.errors("setup"):
            answer = self._place.connection.request(_request(method, path, {**self._place.common, **query}, body))
            return operations.document(answer) if answer.body else {}


class _ChangedError(UnexpectedBackendError):
    """A policy has changed since it was read."""


def _request(method: str, path: str, query: Mapping[str, str], body: Mapping[str, Any] | None) -> Request:
    content = b"" if body is None else json.dumps(body).encode()
    return Request(method, path, query, {"content-type": _JSON} if content else {}, content, len(content))


def _grants(policy: Mapping[str, Any], role: str, member: str) -> bool:
    """Tell whether a policy gives somebody a role whatever the conditions."""
    return any(
        binding.get("role") == role and member in binding.get("members", ()) and "condition" not in binding
        for binding in policy.get("bindings", ())
    )
