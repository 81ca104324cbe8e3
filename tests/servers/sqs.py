"""Queues beside a bucket: moto serves SQS and SNS with the S3 that tells them of its objects.

Moto's events come once, in order, at once and without sequencers. A `Courier` makes of them what S3 may: they pass from
one queue to another by way of dice.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import random
import threading
import time
import uuid
from typing import Any, Self

import boto3

from tests.servers.s3 import REGION, S3Server


@dataclasses.dataclass(frozen=True)
class Queues:
    """The queues of a server."""

    server: S3Server

    @functools.cached_property
    def sqs(self) -> Any:
        return self._client("sqs")

    @functools.cached_property
    def sns(self) -> Any:
        return self._client("sns")

    @functools.cached_property
    def cloudformation(self) -> Any:
        return self._client("cloudformation")

    def make(self, name: str | None = None, **attributes: str) -> str:
        """Create a queue, and return its URL."""
        name = name or f"q-{uuid.uuid4().hex[:12]}"
        return str(self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])

    def arn(self, url: str) -> str:
        return str(self.attributes(url)["QueueArn"])

    def attributes(self, url: str) -> dict[str, str]:
        found: dict[str, str] = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return found

    def left(self, url: str) -> int:
        """Return the number of messages that are not deleted, whoever has them."""
        found = self.attributes(url)
        return int(found["ApproximateNumberOfMessages"]) + int(found["ApproximateNumberOfMessagesNotVisible"])

    def tell(self, bucket: str, url: str) -> None:
        """Have a bucket tell an empty queue of everything."""
        entry = {"Id": "all", "QueueArn": self.arn(url), "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]}
        self.server.client.put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [entry]}
        )
        # S3's test of the queue, which comes with every new configuration.
        [test] = self.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
        self.sqs.delete_message(QueueUrl=url, ReceiptHandle=test["ReceiptHandle"])

    def send(self, url: str, *texts: str) -> None:
        for text in texts:
            self.sqs.send_message(QueueUrl=url, MessageBody=text)

    def close(self) -> None:
        for name in ("sqs", "sns", "cloudformation"):
            if name in self.__dict__:
                getattr(self, name).close()

    def _client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.server.endpoint_url,
            region_name=REGION,
            aws_access_key_id=self.server.access_key_id,
            aws_secret_access_key=self.server.secret_access_key,
        )


class Courier:
    """Carries messages from one queue to another, badly: it adds sequencers, and throws dice on the rest.

    Args:
        queues: where both are.
        inner: URL of the queue that a bucket tells.
        outer: URL of the one that is listened to.
        dice: what is random.
        drop: share of the messages that are lost.
        repeat: share of those that come twice.
        delay: seconds at most by which each comes late, which also puts them in another order.

    Attributes:
        dropped: messages that were lost.
        repeated: messages that came twice.
    """

    def __init__(
        self,
        queues: Queues,
        inner: str,
        outer: str,
        dice: random.Random,
        *,
        drop: float = 0.0,
        repeat: float = 0.0,
        delay: float = 0.0,
    ) -> None:
        self.dropped = 0
        self.repeated = 0
        self._queues = queues
        self._inner = inner
        self._outer = outer
        self._dice = dice
        self._drop = drop
        self._repeat = repeat
        self._delay = delay
        self._number = 0
        self._bag: list[tuple[float, str]] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._carry, name="courier")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _carry(self) -> None:
        sqs = self._queues.sqs
        while not self._over.wait(0.02):
            found = sqs.receive_message(QueueUrl=self._inner, MaxNumberOfMessages=10).get("Messages", [])
            for message in found:
                self._take(message["Body"])
                sqs.delete_message(QueueUrl=self._inner, ReceiptHandle=message["ReceiptHandle"])
            now = time.monotonic()
            due = [text for when, text in self._bag if when <= now]
            self._bag = [(when, text) for when, text in self._bag if when > now]
            self._dice.shuffle(due)
            self._queues.send(self._outer, *due)

    def _take(self, text: str) -> None:
        document = json.loads(text)
        for record in document.get("Records", []):
            self._number += 1
            record["s3"]["object"]["sequencer"] = f"{self._number:016X}"
        if self._dice.random() < self._drop:
            self.dropped += 1
            return
        copies = 2 if self._dice.random() < self._repeat else 1
        self.repeated += copies - 1
        for _ in range(copies):
            self._bag.append((time.monotonic() + self._dice.random() * self._delay, json.dumps(document)))
