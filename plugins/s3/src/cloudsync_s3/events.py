"""What the messages in a queue say of a bucket: text in, objects out; nothing is asked of anybody.

Events come as S3 writes them
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html), as EventBridge does
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html), and either of them in the envelope of SNS
(https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html). Keys are URL-encoded as in HTML forms in
the first form, and plain in the second.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any, Final
from urllib.parse import unquote_plus

from cloudsync_core import keys

_ENVELOPES: Final = 3
"""So many envelopes in each other are opened: nobody sends more, and a hostile message ends here."""

_OF_BRIDGE: Final = "aws.s3"
_OF_S3: Final = "aws:s3"
_SEQUENCED: Final = frozenset("0123456789ABCDEFabcdef")


class UnreadableError(Exception):
    """A message is in no form that is known.

    Attributes:
        kind: what it is, in words for the user: one of few, and nothing of the message.
    """

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


@dataclasses.dataclass(frozen=True, slots=True)
class Event:
    """Something happened to an object.

    Attributes:
        bucket: where.
        key: the whole key, exact; as much of it as can be read where it is not `valid`.
        valid: whether it is a key.
        sequencer: tells which of two events of one object was the later one; empty where nobody says.
    """

    bucket: str
    key: str
    valid: bool = True
    sequencer: str = ""

    def is_older(self, sequencer: str) -> bool:
        """Tell whether this was before the event of the same object that has a sequencer.

        Where the two have different lengths nobody knows: Amazon's pages contradict each other on where zeros go.
        """
        return len(self.sequencer) == len(sequencer) and self.sequencer.upper() < sequencer.upper()


def read(text: str) -> list[Event]:
    """Return the events in a message: none in one that says nothing of objects, such as S3's test of a new queue.

    What happened is not looked at: whoever hears of an object looks at it.

    Raises:
        UnreadableError: it is in no form that is known.
    """
    document = _document(text)
    for _ in range(_ENVELOPES):
        if document.get("Type") != "Notification" or not isinstance(document.get("Message"), str):
            break
        document = _document(document["Message"])
    records = document.get("Records")
    if isinstance(records, list):
        return [_of_record(record) for record in records]
    if document.get("source") == _OF_BRIDGE:
        return [_of_bridge(document)]
    if document.get("Event") == "s3:TestEvent":
        return []
    raise UnreadableError("it is JSON, but no event of S3's")


def _document(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise UnreadableError("it is not JSON") from None
    if not isinstance(document, dict):
        raise UnreadableError("it is JSON, but no event of S3's")
    return document


def _of_record(record: object) -> Event:
    if not isinstance(record, dict) or record.get("eventSource") != _OF_S3:
        raise UnreadableError("it holds records that are no events of S3's")
    bucket, key, sequencer = _named(record.get("s3"))
    try:
        decoded = unquote_plus(key, errors="strict")
    except UnicodeDecodeError:
        return Event(bucket, unquote_plus(key), valid=False)
    return _event(bucket, decoded, sequencer)


def _of_bridge(document: dict[str, Any]) -> Event:
    return _event(*_named(document.get("detail")))


def _named(about: object) -> tuple[str, str, str]:
    """Return bucket, key and sequencer, as they stand in the message."""
    match about:
        case {"bucket": {"name": str(bucket)}, "object": {"key": str(key), **rest}}:
            sequencer = rest.get("sequencer")
            return bucket, key, sequencer if isinstance(sequencer, str) and _SEQUENCED.issuperset(sequencer) else ""
    raise UnreadableError("it is an event of S3's that names no object")


def _event(bucket: str, key: str, sequencer: str) -> Event:
    return Event(bucket, key, keys.problem(key) is None, sequencer)
