"""What `sqs` needs on the side of Amazon: two queues, leave for a bucket to write to one, and the bucket's doing so.

What is there already is kept; what is made is marked, so that only that is removed again.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

from botocore.exceptions import BotoCoreError, ClientError

from cloudsync_core import keys
from cloudsync_core.backends.judging import naming
from cloudsync_core.errors import ConfigError, printable
from cloudsync_s3.config import DIRECTORY_BUCKET, S3Options
from cloudsync_s3.environment import Environment, client, queue_url
from cloudsync_s3.errors import meaning
from cloudsync_s3.source import default_queue

EVENTS: Final = (
    "s3:ObjectCreated:*",
    "s3:ObjectRemoved:*",
    "s3:LifecycleExpiration:*",
    "s3:ObjectRestore:Completed",
)
"""What is heard of: all that makes an object appear, change, vanish or readable."""

RETENTION: Final = "1209600"
"""Seconds for which messages are kept: the most that SQS offers, 14 days."""

VISIBILITY: Final = "300"
RECEIVES: Final = 10
"""A message that was received so often and not deleted is put aside."""

_MARK: Final = {"made-by": "cloudsync"}
_OTHERS: Final = ("QueueConfigurations", "TopicConfigurations", "LambdaFunctionConfigurations")
_NO_QUEUE: Final = frozenset({"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"})
_VALIDATION: Final = "Unable to validate the following destination configurations"
_VALIDATION_SECONDS: Final = 90.0
"""How long S3 may need to see the policy of a queue (SetQueueAttributes says 60 s)."""


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """Something that is to be done.

    Attributes:
        text: in words, an imperative.
        act: does it.
    """

    text: str
    act: Callable[[], None]


class Setup:
    """The queue of a bucket.

    Args:
        bucket: its name.
        prefix: what of it; empty for all.
        queue: the name of the queue; `None` for the one that `sqs` looks for.
        options: how S3 is reached.

    Raises:
        ConfigError: these cannot be used.
        BackendError: there is no such bucket, or it may not be looked at.
    """

    def __init__(self, bucket: str, prefix: str, queue: str | None, options: S3Options) -> None:
        if bucket.endswith(DIRECTORY_BUCKET):
            raise ConfigError(f"s3://{bucket}: directory buckets tell nobody of changes", hint="Watch it by poll.")
        self.queue = queue or default_queue(bucket, prefix)
        self.region = ""
        self._bucket = bucket
        self._root = keys.folder(prefix)
        self._dead = f"{self.queue}-dead"
        self._location = f"s3://{bucket}"
        with self._errors():
            environment = Environment(options, self._location)
            self._s3 = client(options, "s3", region=environment.region, url=options.endpoint_url)
            found = self._s3.head_bucket(Bucket=bucket)
            self.region = found.get("BucketRegion") or environment.region
            try:
                url = queue_url(options, self.region)
            except ValueError as error:
                raise ConfigError(f"{self._location}: the connection to SQS cannot be set up: {error}") from error
            self._sqs = client(options, "sqs", region=self.region, url=url)

    def close(self) -> None:
        """Close the connections."""
        self._s3.close()
        self._sqs.close()

    def missing(self) -> list[Step]:
        """Return what is to be done so that the bucket tells the queue of changes; nothing where it does.

        Raises:
            ConfigError: the bucket tells somebody else of the same objects, which S3 allows to one alone.
            BackendError: something may not be looked at.
        """
        with self._errors():
            return list(self._missing())

    def leftover(self) -> list[Step]:
        """Return what is to be done so that nothing is left of what `missing` had done.

        Raises:
            BackendError: something may not be looked at.
        """
        with self._errors():
            return list(self._leftover())

    def do(self, step: Step) -> None:
        """Do one step; raises as `missing`."""
        with self._errors():
            step.act()

    def _missing(self) -> Iterator[Step]:
        notifications = self._notifications()
        self._refuse_overlap(notifications)
        attributes = self._attributes(self.queue)
        if attributes is None:
            if self._attributes(self._dead) is None:
                text = f"create the queue {self._dead}, for messages that nobody can read"
                yield Step(text, lambda: self._create(self._dead, {"MessageRetentionPeriod": RETENTION}))
            yield Step(f"create the queue {self.queue} in {self.region}", self._create_queue)
        if attributes is None or self._statement(attributes) not in _statements(attributes):
            yield Step(f"allow the bucket {self._bucket} to send messages to it", self._allow)
        if not any(entry["Id"] == self._id for entry in notifications.get("QueueConfigurations", [])):
            others = sum(len(notifications.get(kind, [])) for kind in _OTHERS)
            kept = f"; {others} other notifications of the bucket stay" if others else ""
            below = f" below {printable(self._root)}" if self._root else ""
            yield Step(
                f"have the bucket tell the queue of changes{below} (notification {self._id}{kept})", self._notify
            )

    def _leftover(self) -> Iterator[Step]:
        notifications = self._notifications()
        ours = [entry for entry in notifications.get("QueueConfigurations", []) if entry["Id"] == self._id]
        if ours:
            yield Step(f"remove the notification {self._id} of the bucket {self._bucket}", self._fall_silent)
        attributes = self._attributes(self.queue)
        if attributes is not None:
            arn = attributes["QueueArn"]
            used = any(
                entry["QueueArn"] == arn and entry["Id"] != self._id
                for entry in notifications.get("QueueConfigurations", [])
            )
            others = [entry for entry in _statements(attributes) if entry.get("Sid") != self._sid]
            if self._is_ours(self.queue) and not others and not used:
                number = attributes.get("ApproximateNumberOfMessages", "0")
                text = f"delete the queue {self.queue}, and the {number} messages in it"
                yield Step(text, lambda: self._delete(self.queue))
            elif len(others) < len(_statements(attributes)) and not used:
                yield Step(f"allow the bucket no longer to send messages to the queue {self.queue}", self._forbid)
                return
            else:
                return
        if (dead := self._attributes(self._dead)) is not None and self._is_ours(self._dead):
            number = dead.get("ApproximateNumberOfMessages", "0")
            text = f"delete the queue {self._dead}, and the {number} messages in it"
            yield Step(text, lambda: self._delete(self._dead))

    @property
    def _sid(self) -> str:
        return f"cloudsync-{self._bucket.replace('.', '_')}"

    @property
    def _id(self) -> str:
        return notification_id(self.queue, self._root)

    def _errors(self) -> Any:
        return naming(meaning, "set up", self._location)

    def _notifications(self) -> dict[str, Any]:
        found: dict[str, Any] = self._s3.get_bucket_notification_configuration(Bucket=self._bucket)
        found.pop("ResponseMetadata", None)
        return found

    def _refuse_overlap(self, notifications: Mapping[str, Any]) -> None:
        for kind in _OTHERS:
            for entry in notifications.get(kind, []):
                if entry["Id"] != self._id and _meet(entry, self._root):
                    raise ConfigError(
                        f"s3://{self._bucket}: the notification {printable(entry['Id'])} is about the same objects, "
                        "and S3 tells one receiver alone",
                        hint="Let it tell an SNS topic, or turn on EventBridge, and let both queues be told by that.",
                    )

    def _attributes(self, queue: str) -> dict[str, str] | None:
        """Return what a queue is like; `None` where there is none."""
        try:
            url = self._sqs.get_queue_url(QueueName=queue)["QueueUrl"]
            found: dict[str, str] = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        except ClientError as error:
            if error.response["Error"]["Code"] in _NO_QUEUE:
                return None
            raise
        return {**found, "QueueUrl": url}

    def _existing(self, queue: str) -> dict[str, str]:
        found = self._attributes(queue)
        if found is None:
            raise ConfigError(f"{self._location}: the queue {queue} has vanished meanwhile", hint="Do it again.")
        return found

    def _is_ours(self, queue: str) -> bool:
        tags = self._sqs.list_queue_tags(QueueUrl=self._existing(queue)["QueueUrl"]).get("Tags") or {}
        return _MARK.items() <= tags.items()

    def _create(self, queue: str, attributes: Mapping[str, str]) -> None:
        self._sqs.create_queue(QueueName=queue, Attributes=dict(attributes), tags=_MARK)

    def _create_queue(self) -> None:
        redrive = {"deadLetterTargetArn": self._existing(self._dead)["QueueArn"], "maxReceiveCount": RECEIVES}
        attributes = {
            "MessageRetentionPeriod": RETENTION,
            "VisibilityTimeout": VISIBILITY,
            "ReceiveMessageWaitTimeSeconds": "20",
            "RedrivePolicy": json.dumps(redrive),
        }
        self._create(self.queue, attributes)

    def _delete(self, queue: str) -> None:
        self._sqs.delete_queue(QueueUrl=self._existing(queue)["QueueUrl"])

    def _statement(self, attributes: Mapping[str, str]) -> dict[str, Any]:
        """Return the statement of the queue's policy by which the bucket, and it alone, may send messages."""
        arn = attributes["QueueArn"]
        _, partition, _, _, account, _ = arn.split(":")
        condition: dict[str, Any] = {"ArnLike": {"aws:SourceArn": f"arn:{partition}:s3:::{self._bucket}"}}
        if self._is_owner(account):
            # Names of buckets that are deleted become free, for other accounts too.
            condition["StringEquals"] = {"aws:SourceAccount": account}
        return {
            "Sid": self._sid,
            "Effect": "Allow",
            "Principal": {"Service": "s3.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": condition,
        }

    def _is_owner(self, account: str) -> bool:
        try:
            self._s3.head_bucket(Bucket=self._bucket, ExpectedBucketOwner=account)
        except (ClientError, BotoCoreError):
            return False
        return True

    def _allow(self) -> None:
        attributes = self._existing(self.queue)
        others = [entry for entry in _statements(attributes) if entry.get("Sid") != self._sid]
        self._set_policy(attributes, [*others, self._statement(attributes)])

    def _forbid(self) -> None:
        attributes = self._existing(self.queue)
        self._set_policy(attributes, [entry for entry in _statements(attributes) if entry.get("Sid") != self._sid])

    def _set_policy(self, attributes: Mapping[str, str], statements: list[dict[str, Any]]) -> None:
        # An empty text removes the policy.
        policy = {**_policy(attributes), "Statement": statements}
        text = json.dumps(policy) if statements else ""
        self._sqs.set_queue_attributes(QueueUrl=attributes["QueueUrl"], Attributes={"Policy": text})

    def _notify(self) -> None:
        entry = notification(self._existing(self.queue)["QueueArn"], self.queue, self._root)
        until = time.monotonic() + _VALIDATION_SECONDS
        pause = 1.0
        while True:
            # What others have, as it is now; S3 knows no condition on this.
            found = self._notifications()
            entries = [one for one in found.get("QueueConfigurations", []) if one["Id"] != self._id]
            try:
                self._put({**found, "QueueConfigurations": [*entries, entry]})
            except ClientError as error:
                if _VALIDATION not in str(error.response["Error"].get("Message")) or time.monotonic() + pause > until:
                    raise
                time.sleep(pause)
                pause = min(pause * 2, 10.0)
            else:
                return

    def _fall_silent(self) -> None:
        found = self._notifications()
        entries = [one for one in found.get("QueueConfigurations", []) if one["Id"] != self._id]
        self._put({**found, "QueueConfigurations": entries})

    def _put(self, notifications: Mapping[str, Any]) -> None:
        self._s3.put_bucket_notification_configuration(
            Bucket=self._bucket, NotificationConfiguration=dict(notifications)
        )


def notification_id(queue: str, root: str) -> str:
    """Return the name of the notification by which a queue is told of what is below a root."""
    return f"cloudsync-{hashlib.sha256(f'{queue}/{root}'.encode()).hexdigest()[:12]}"


def notification(arn: str, queue: str, root: str) -> dict[str, Any]:
    """Return the entry of a bucket's notifications that tells a queue of what is below a root."""
    entry: dict[str, Any] = {"Id": notification_id(queue, root), "QueueArn": arn, "Events": list(EVENTS)}
    if root:
        rule = {"Name": "prefix", "Value": filter_value(root)}
        entry["Filter"] = {"Key": {"FilterRules": [rule]}}
    return entry


def filter_value(root: str) -> str:
    """Return a prefix as filters of notifications want it: with what is special in a key percent-encoded.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html
    """
    return quote(root, safe="/!-_.*'()")


def _policy(attributes: Mapping[str, str]) -> dict[str, Any]:
    found = json.loads(attributes.get("Policy") or "{}")
    return {"Version": "2012-10-17", **found} if isinstance(found, dict) else {"Version": "2012-10-17"}


def _statements(attributes: Mapping[str, str]) -> list[dict[str, Any]]:
    found = _policy(attributes).get("Statement", [])
    return found if isinstance(found, list) else [found]


def _meet(entry: Mapping[str, Any], root: str) -> bool:
    """Tell whether an entry is about some of what is below a root, and about some of the same events."""
    rules = entry.get("Filter", {}).get("Key", {}).get("FilterRules", [])
    prefix = next((rule["Value"] for rule in rules if rule["Name"].lower() == "prefix"), "")
    value = filter_value(root)
    if not (prefix.startswith(value) or value.startswith(prefix)):
        return False
    return any(_same(one, other) for one in entry["Events"] for other in EVENTS)


def _same(one: str, other: str) -> bool:
    return one.startswith(other.removesuffix("*")) or other.startswith(one.removesuffix("*"))
