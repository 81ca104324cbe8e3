"""What comes in and what goes out, as values."""

from __future__ import annotations

import dataclasses
import urllib.parse
from collections.abc import Mapping

XML = {"content-type": "application/xml"}


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """One request, its path cut into bucket and key."""

    method: str
    bucket: str
    key: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @classmethod
    def of(cls, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Request:
        """Return the request whose first line names `target`; header names are in lower case."""
        path, _, text = target.partition("?")
        query = dict(urllib.parse.parse_qsl(text, keep_blank_values=True)) if text else {}
        bucket, _, key = urllib.parse.unquote(path).removeprefix("/").partition("/")
        return cls(method, bucket, key, query, headers, body)


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back."""

    status: int = 200
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    content: bytes = b""


class Refusal(Exception):  # noqa: N818 - an answer, not a defect
    """An answer other than success."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        text = f"<Error><Code>{code}</Code><Message>{code}</Message></Error>"
        self.answer = Answer(status, XML, text.encode())
