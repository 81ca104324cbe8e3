"""The paths of Pub/Sub's REST API, and what is behind them: https://cloud.google.com/pubsub/docs/reference/rest.

Errors are in Google's form (https://cloud.google.com/apis/design/errors), and permissions are those that
https://cloud.google.com/pubsub/docs/access-control lists: a test takes them away by `denied`.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import uuid
from collections.abc import Mapping
from typing import Any, TypeVar

from tests.servers.gcs_errors import Refusal as TokenRefusal
from tests.servers.gcs_http import Request, Response, decoded
from tests.servers.gcs_tokens import Tokens
from tests.servers.pubsub_store import LONGEST_DEADLINE, Store, Subscription, Topic, members

PROJECT_NUMBER = "1"
AGENT = f"serviceAccount:service-{PROJECT_NUMBER}@gcp-sa-pubsub.iam.gserviceaccount.com"
"""Who moves messages to dead-letter topics (https://cloud.google.com/pubsub/docs/handling-failures)."""

SCOPE = "auth/pubsub"
_NAME = re.compile(r"(?!goog)[A-Za-z][A-Za-z0-9._~+%-]{2,254}")
_Named = TypeVar("_Named", Topic, Subscription)
_PULLED_MOST = 1000
_LEASES_MOST = 2500
_STATUSES = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
    405: "UNIMPLEMENTED", 409: "ALREADY_EXISTS", 503: "UNAVAILABLE",
}  # fmt: skip


class Refusal(Exception):  # noqa: N818 - an answer, not a fault of the server
    def __init__(self, status: int, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.error = {"code": status, "message": message, "status": code or _STATUSES[status]}


class Service:
    """Answers requests.

    Args:
        tokens: which access tokens are valid; without any, nobody is asked.
        wait: seconds for which a pull waits for a message at most.

    Attributes:
        denied: permissions that nobody has, such as `pubsub.topics.create`.
        unavailable: whether every request is answered by an error that passes.
        pulls: how many pulls there were.
    """

    def __init__(self, *, tokens: Tokens | None = None, wait: float = 20.0) -> None:
        self.store = Store()
        self.store.may_forward = self._may_forward
        self.tokens = tokens
        self.wait = wait
        self.denied: set[str] = set()
        self.unavailable = False
        self.pulls = 0

    def answer(self, request: Request) -> Response:
        """Return what the service answers; nothing that a client sends makes this raise."""
        try:
            if self.tokens is not None:
                self.tokens.check(request, SCOPE)
            return _json(self._routed(request))
        except Refusal as refusal:
            return _json({"error": refusal.error}, refusal.status)
        except TokenRefusal as refusal:
            return _json({"error": Refusal(refusal.status, refusal.message).error}, refusal.status)
        except (UnicodeError, ValueError, KeyError, TypeError, AttributeError) as error:
            return _json({"error": Refusal(400, f"Invalid request: {error!r}").error}, 400)

    def _routed(self, request: Request) -> dict[str, Any]:
        if self.unavailable:
            raise Refusal(503, "The service was unable to fulfill your request. Please try again.")
        path, _, verb = request.path.rpartition(":") if ":" in request.path else (request.path, "", "")
        match [decoded(part) for part in path.split("/")]:
            case ["", "v1", "projects", project, "topics", name]:
                return self._topic(request, f"projects/{project}/topics/{name}", verb)
            case ["", "v1", "projects", project, "subscriptions", name]:
                return self._subscription(request, f"projects/{project}/subscriptions/{name}", verb)
        raise Refusal(404, "Requested entity was not found.")

    def _topic(self, request: Request, name: str, verb: str) -> dict[str, Any]:
        topics = self.store.topics
        match request.method, verb:
            case "PUT", "":
                self._allow("topics.create", name)
                _check_name(name)
                with self.store.lock:
                    if name in topics:
                        raise Refusal(409, f"Resource already exists in the project (resource={_short(name)}).")
                    topics[name] = Topic(name, _body(request))
                    return topics[name].resource
            case "GET", "":
                self._allow("topics.get", name)
                return _found(topics, name).resource
            case "DELETE", "":
                self._allow("topics.delete", name)
                _found(topics, name)
                self.store.remove_topic(name)
                return {}
            case "POST", "publish":
                self._allow("topics.publish", name)
                _found(topics, name)
                return {"messageIds": [self._publish(name, message) for message in _body(request)["messages"]]}
        self._allow(f"topics.{verb}", name)
        return _policy(_found(topics, name), request, verb)

    def _subscription(self, request: Request, name: str, verb: str) -> dict[str, Any]:
        match request.method, verb:
            case "PUT", "":
                return self._subscribed(request, name)
            case "GET", "":
                self._allow("subscriptions.get", name)
                return _found(self.store.subscriptions, name).resource
            case "DELETE", "":
                self._allow("subscriptions.delete", name)
                _found(self.store.subscriptions, name)
                self.store.remove_subscription(name)
                return {}
            case "POST", "pull" | "acknowledge" | "modifyAckDeadline":
                self._allow("subscriptions.consume", name)
                return self._consume(_found(self.store.subscriptions, name), request, verb)
        self._allow(f"subscriptions.{verb}", name)
        return _policy(_found(self.store.subscriptions, name), request, verb)

    def _subscribed(self, request: Request, name: str) -> dict[str, Any]:
        self._allow("subscriptions.create", name)
        _check_name(name)
        settings = _body(request)
        with self.store.lock:
            _found(self.store.topics, settings["topic"])
            if name in self.store.subscriptions:
                raise Refusal(409, f"Resource already exists in the project (resource={_short(name)}).")
            if not 10 <= settings.get("ackDeadlineSeconds", 10) <= LONGEST_DEADLINE:
                raise Refusal(400, "The value for ack_deadline_seconds is out of range.")
            dead = settings.get("deadLetterPolicy", {})
            if not 5 <= dead.get("maxDeliveryAttempts", 5) <= 100:
                raise Refusal(400, "The value for max_delivery_attempts is out of range.")
            self.store.subscriptions[name] = Subscription(name, settings)
            return self.store.subscriptions[name].resource

    def _consume(self, subscription: Subscription, request: Request, verb: str) -> dict[str, Any]:
        body = _body(request)
        if verb == "pull":
            self.pulls += 1
            most = body.get("maxMessages", 0)
            if not 1 <= most <= _PULLED_MOST:
                raise Refusal(400, "You have passed an invalid argument to the service (argument=max_messages).")
            seconds = 0.0 if body.get("returnImmediately") else self.wait
            found = self.store.pull(subscription, most, seconds, request.connected)
            if subscription.deleted:
                raise Refusal(404, f"Resource not found (resource={_short(subscription.resource['name'])}).")
            return {"receivedMessages": found} if found else {}
        leases = body["ackIds"]
        if not 1 <= len(leases) <= _LEASES_MOST:
            raise Refusal(400, "You have passed an invalid argument to the service (argument=ack_ids).")
        if verb == "acknowledge":
            self.store.acknowledge(subscription, leases)
        else:
            seconds = body["ackDeadlineSeconds"]
            if not 0 <= seconds <= LONGEST_DEADLINE:
                raise Refusal(400, "The value for ack_deadline_seconds is out of range.")
            self.store.extend(subscription, leases, seconds)
        return {}

    def _publish(self, topic: str, message: Mapping[str, Any]) -> str:
        try:
            data = base64.b64decode(message.get("data", ""), validate=True)
        except binascii.Error:
            raise Refusal(400, "The value for data is not valid base64.") from None
        attributes = message.get("attributes", {})
        if not data and not attributes:
            raise Refusal(400, "Some messages in the list have neither data nor attributes.")
        return self.store.publish(topic, data, attributes)

    def _allow(self, permission: str, name: str) -> None:
        if f"pubsub.{permission}" in self.denied:
            raise Refusal(403, f"User not authorized to perform this action on {name}.")

    def _may_forward(self, subscription: Subscription) -> bool:
        """Tell whether the agent may take messages from a subscription, and publish them to its dead-letter topic."""
        topic = self.store.topics.get(subscription.resource["deadLetterPolicy"]["deadLetterTopic"])
        return (
            topic is not None
            and AGENT in members(topic.policy, "roles/pubsub.publisher")
            and AGENT in members(subscription.policy, "roles/pubsub.subscriber")
        )


def _policy(owner: Topic | Subscription, request: Request, verb: str) -> dict[str, Any]:
    match request.method, verb:
        case "GET", "getIamPolicy":
            return owner.policy
        case "POST", "setIamPolicy":
            wanted = _body(request)["policy"]
            if wanted.get("etag", owner.policy["etag"]) != owner.policy["etag"]:
                raise Refusal(409, "There were concurrent policy changes.", "ABORTED")
            owner.policy = {**wanted, "etag": uuid.uuid4().hex}
            return owner.policy
    raise Refusal(405, "The method is not implemented.")


def _check_name(name: str) -> None:
    if _NAME.fullmatch(_short(name)) is None:
        raise Refusal(400, f"Invalid resource name given (name={name}).")


def _found(known: Mapping[str, _Named], name: str) -> _Named:
    try:
        return known[name]
    except KeyError:
        raise Refusal(404, f"Resource not found (resource={_short(name)}).") from None


def _short(name: str) -> str:
    return name.rpartition("/")[2]


def _body(request: Request) -> dict[str, Any]:
    found = json.loads(request.body or b"{}")
    if not isinstance(found, dict):
        raise Refusal(400, "Invalid JSON payload received.")
    return found


def _json(resource: Mapping[str, Any], status: int = 200) -> Response:
    return Response(status, json.dumps(resource).encode(), {"content-type": "application/json; charset=UTF-8"})
