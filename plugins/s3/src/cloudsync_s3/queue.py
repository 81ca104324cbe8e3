"""A queue of SQS over the wire of the plugin: messages are received, kept from others, deleted and let go.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/Welcome.html, in its JSON form. botocore's own
client is not used because nothing ends a request of it that waits for messages.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from botocore.exceptions import ClientError
from botocore.httpsession import where
from botocore.parsers import ResponseParserError

from cloudsync_core.backends.judging import naming
from cloudsync_core.backends.objectstore.pool import Pool, secure_context
from cloudsync_core.backends.objectstore.proxies import UnknownProxyError, proxy_for
from cloudsync_core.backends.objectstore.server import server_of
from cloudsync_core.backends.objectstore.wire import Answer, Request, Wire
from cloudsync_core.errors import ConfigError
from cloudsync_s3.config import S3Options
from cloudsync_s3.environment import USER_AGENT, Environment, queue_url
from cloudsync_s3.errors import FAILURES, meaning
from cloudsync_s3.signing import Signer, authorising

AT_ONCE: Final = 10
"""Messages in one request, at most
(https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html)."""

LONGEST_WAIT: Final = 20
"""Seconds that a request waits for messages, at most (likewise)."""

_CONNECT: Final = 2.0
"""Seconds at most until there is a connection to wait on: it is the one thing that nothing ends."""

_ARN: Final = re.compile(r"arn:[^:]*:sqs:([a-z0-9-]+):(\d+):([A-Za-z0-9_-]+)")
_REGION: Final = re.compile(r"(?:sqs\.([a-z0-9-]+)|([a-z0-9-]+)\.queue)\.(?:amazonaws\.|api\.aws)")


@dataclasses.dataclass(frozen=True, slots=True)
class Message:
    """A message that was received.

    Attributes:
        receipt: by which it is deleted, or kept from others for longer.
        text: its content.
    """

    receipt: str
    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class Name:
    """What a user calls a queue, taken apart.

    Attributes:
        queue: its name.
        url: its URL, where that was given.
        account: the number of the account that owns it, where it may be another's.
        region: the region that it is in, where that was said.
    """

    queue: str
    url: str | None = None
    account: str | None = None
    region: str | None = None

    @classmethod
    def parse(cls, text: str) -> Name:
        """Take a name, a URL or an ARN apart."""
        if (arn := _ARN.fullmatch(text)) is not None:
            return cls(arn[3], None, arn[2], arn[1])
        if "://" in text:
            found = _REGION.search(server_of(text).host)
            return cls(text.rstrip("/").rpartition("/")[2], text, None, (found[1] or found[2]) if found else None)
        return cls(text)


class Queue:
    """One queue; safe to use from two threads, of which one receives.

    Opening it asks nothing of the server.

    Args:
        name: which.
        options: of the location: its credentials, certificates and timeouts.
        location: for messages.
        url: of the server; `None` for that of the queue's URL, else as `queue_url` finds it.
        visibility: seconds for which a message is kept from others.

    Raises:
        ConfigError: the AWS environment cannot be used.
    """

    def __init__(
        self, name: Name, options: S3Options, location: str, *, url: str | None = None, visibility: int
    ) -> None:
        environment = Environment(options, location)
        self._name = name
        self._location = location
        self._visibility = visibility
        region = name.region or environment.region
        try:
            self._server = server_of(url or name.url or queue_url(options, region))
            self._proxy = proxy_for(self._server.url)
        except FAILURES as error:
            raise ConfigError(f"{location}: the connection to SQS cannot be set up: {error}") from error
        except ValueError as error:
            raise ConfigError(f"{location}: the connection to SQS cannot be set up: {error}") from error
        except UnknownProxyError as error:
            raise ConfigError(f"{location}: the proxy before SQS is of a kind that is not spoken to here") from error
        self._authorise = authorising(Signer(region, "sqs"), environment.credentials)
        self._options = options
        self._tls = functools.cache(
            functools.partial(secure_context, environment.ca_bundle, verify=options.verify_tls, brought=where())
        )
        self._url = name.url
        self._receiving = self._wire(connect=min(_CONNECT, options.connect_timeout), longer=LONGEST_WAIT)
        self._keeping = self._wire(connect=options.connect_timeout, longer=0)

    def receive(self, wait: int) -> list[Message]:
        """Return some messages, and keep them from others for a while.

        Args:
            wait: seconds to wait for the first one.

        Raises:
            BackendError: there is no such queue, or the request has failed; also because of `interrupt`.
        """
        with self._errors("receive from"):
            parameters = {
                "MaxNumberOfMessages": AT_ONCE,
                "WaitTimeSeconds": wait,
                "VisibilityTimeout": self._visibility,
            }
            answer = self._about(self._receiving, "ReceiveMessage", parameters)
            found = answer.get("Messages") or []
            try:
                return [Message(message["ReceiptHandle"], message["Body"]) for message in found]
            except (KeyError, TypeError):
                raise ResponseParserError("a message has no receipt or no body") from None

    def delete(self, receipts: Sequence[str]) -> list[str]:
        """Delete messages, and return the receipts of those that the server has not deleted but may.

        Raises:
            BackendError: the request has failed.
        """
        with self._errors("delete from"):
            return self._batch("DeleteMessageBatch", [{"ReceiptHandle": receipt} for receipt in receipts])

    def keep(self, receipts: Sequence[str], *, release: bool = False) -> list[str]:
        """Keep messages from others for as long again, and return the receipts of those for which that may be tried.

        Args:
            receipts: the messages.
            release: let others have them at once instead.

        Raises:
            BackendError: the request has failed.
        """
        seconds = 0 if release else self._visibility
        with self._errors("keep messages of"):
            entries = [{"ReceiptHandle": receipt, "VisibilityTimeout": seconds} for receipt in receipts]
            return self._batch("ChangeMessageVisibilityBatch", entries)

    def forget(self) -> None:
        """Find out anew what the queue's URL is: it may have been made again elsewhere."""
        self._url = self._name.url

    def interrupt(self) -> None:
        """End a `receive` that is under way; there is none after this."""
        self._receiving.close()

    def close(self) -> None:
        """Close the connections: what is under way fails."""
        self._receiving.close()
        self._keeping.close()

    def _errors(self, operation: str) -> contextlib.AbstractContextManager[None]:
        return naming(meaning, f"{operation} the queue {self._name.queue} of", self._location)

    def _batch(self, operation: str, entries: Sequence[Mapping[str, Any]]) -> list[str]:
        numbered = [{"Id": str(number), **entry} for number, entry in enumerate(entries)]
        answer = self._about(self._keeping, operation, {"Entries": numbered})
        return list(_failed(answer, entries))

    def _about(self, wire: Wire, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        if self._url is None:
            wanted = {"QueueName": self._name.queue}
            if self._name.account is not None:
                wanted["QueueOwnerAWSAccountId"] = self._name.account
            found = _ask(wire, "GetQueueUrl", wanted).get("QueueUrl")
            if not isinstance(found, str):
                raise ResponseParserError("the answer holds no QueueUrl")
            self._url = found
        return _ask(wire, operation, {"QueueUrl": self._url, **parameters})

    def _wire(self, *, connect: float, longer: float) -> Wire:
        pool = Pool(
            self._server,
            self._tls,
            self._proxy,
            connect_timeout=connect,
            read_timeout=self._options.read_timeout + longer,
        )
        return Wire(self._server, pool, authorise=self._authorise, proxy=self._proxy, user_agent=USER_AGENT)


def _ask(wire: Wire, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Make one request.

    Raises:
        ClientError: the server refused.
        ResponseParserError: its answer is damaged.
        TransportError: there was none.
    """
    body = json.dumps(parameters).encode()
    headers = {"content-type": "application/x-amz-json-1.0", "x-amz-target": f"AmazonSQS.{operation}"}
    digest = hashlib.sha256(body).hexdigest()
    answer = wire.request(Request("POST", "/", headers=headers, body=body, size=len(body), payload=digest))
    if not answer.is_success:
        raise _refusal(operation, answer)
    try:
        document = json.loads(answer.body or b"{}")
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise ResponseParserError("the answer is no JSON object")
    return document


def _refusal(operation: str, answer: Answer) -> ClientError:
    """Return botocore's error for an answer that refuses."""
    document: Any = None
    with contextlib.suppress(ValueError):
        document = json.loads(answer.body)
    fields = document if isinstance(document, dict) else {}
    code = str(fields.get("__type", "")).rpartition("#")[2]
    message = str(fields.get("message") or fields.get("Message") or "")
    metadata = {"HTTPStatusCode": answer.status, "HTTPHeaders": answer.headers}
    error = {"Code": code or str(answer.status), "Message": message}
    return ClientError({"Error": error, "ResponseMetadata": metadata}, operation)


def _failed(answer: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the receipts for which the server, and not the request, was at fault."""
    for entry in answer.get("Failed") or []:
        number = str(entry.get("Id", "")) if isinstance(entry, dict) else ""
        if number.isdecimal() and int(number) < len(entries) and not entry.get("SenderFault"):
            yield entries[int(number)]["ReceiptHandle"]
