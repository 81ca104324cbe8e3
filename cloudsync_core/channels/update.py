"""One update, as its publisher wrote it and as a subscriber receives it."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from cloudsync_core.backend import Backend
from cloudsync_core.channels import payloads

Kind = Literal["text", "json", "bytes"]
"""What the content was when it was published: a string, a JSON value, bytes."""


@dataclasses.dataclass(frozen=True, slots=True)
class Update:
    """One update of a channel.

    Attributes:
        id: unique in the channel; ids of one publisher ascend, and ids of all are in the order of time, as far as their
            clocks agree.
        topic: what it is about.
        publisher: the name of who published it.
        created: when: seconds since the epoch, UTC, by the clock of the channel's store.
        content_type: the media type of the content.
        metadata: what the publisher added, by name.
        kind: what the content was.
        size: bytes of the content.
        key: the channel's object that holds it; together with others, where they were published at once.
    """

    id: str
    topic: str
    publisher: str
    created: float
    content_type: str
    metadata: Mapping[str, str] = dataclasses.field(hash=False)
    kind: Kind
    size: int
    key: str
    inline: Any = dataclasses.field(default=None, compare=False, repr=False)
    payload: payloads.Payload | None = dataclasses.field(default=None, compare=False, repr=False)
    backend: Backend | None = dataclasses.field(default=None, compare=False, repr=False)

    @property
    def content(self) -> Any:
        """The content as it was published: a string, a JSON value, or bytes.

        Large content is read anew each time; it raises as `read` does.
        """
        if self.payload is None:
            return self.inline
        data = self.read()
        if self.kind == "bytes":
            return data
        with payloads.judged(self.backend, self.payload):
            return payloads.parse_json(data.decode()) if self.kind == "json" else data.decode()

    @property
    def digest(self) -> str:
        """The SHA-256 of the content's bytes: `sha256:` and 64 hexadecimal digits."""
        if self.payload is not None:
            return self.payload.digest
        return f"sha256:{hashlib.sha256(self.read()).hexdigest()}"

    def read(self) -> bytes:
        """Return the bytes of the content: text in UTF-8, a JSON value in its shortest form.

        Raises:
            BackendError: content beside the update could not be read; `ObjectNotFoundError` where it is gone.
            IntegrityError: it is not what was published.
        """
        return b"".join(self.chunks())

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes of the content, in chunks of some 1 MiB; raises as `read` does, at the latest at the end.

        Only when it has ended without an error are the bytes those that were published.
        """
        if self.payload is not None:
            assert self.backend is not None
            yield from payloads.chunks(self.backend, self.payload)
            return
        data = inline_bytes(self.kind, self.inline)
        if data:
            yield data

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the content, as JSON values; `created` in RFC 3339."""
        described = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name not in {"inline", "payload", "backend"}
        }
        return {**described, "created": rfc3339(self.created), "metadata": dict(self.metadata)}


def inline_bytes(kind: Kind, inline: Any) -> bytes:
    """Return the bytes of content that is inside its update."""
    if kind == "bytes":
        assert isinstance(inline, bytes)
        return inline
    return (compact(inline) if kind == "json" else str(inline)).encode()


def compact(value: Any) -> str:
    """Return a JSON value as text without spaces.

    Raises:
        TypeError, ValueError, RecursionError: it is no JSON value.
    """
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def rfc3339(moment: float) -> str:
    """Return a moment as RFC 3339 with microseconds, in UTC: `2026-11-20T20:35:40.123456Z`."""
    return dt.datetime.fromtimestamp(moment, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def base64_text(data: bytes) -> str:
    """Return bytes as the envelope holds them."""
    return base64.b64encode(data).decode("ascii")
