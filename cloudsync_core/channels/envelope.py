"""The envelope of an update, and the object that holds one or more of them: one line of JSON each.

Whoever writes here is this module; whoever reads believes nothing: a channel is a place that others write to as well.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, get_args

from cloudsync_core.backend import Backend
from cloudsync_core.channels import ids, names, topics
from cloudsync_core.channels.payloads import Payload, parse_json
from cloudsync_core.channels.update import Kind, Update, base64_text, compact, inline_bytes, rfc3339
from cloudsync_core.errors import DamagedUpdateError, UnsupportedFormatError, printable

FORMAT: Final = 1
"""The version of the format that is written, and the newest that is read."""

METADATA_LIMIT: Final = 16 * 1024
"""Bytes of all names and values of the metadata of an update, at most."""

METADATA_NAME_LENGTH: Final = 255
"""Characters of the name of one of them, at most."""

CONTENT_TYPE_LENGTH: Final = 255
"""Characters of a media type, at most."""

_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z", re.ASCII)
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_CONTENT_TYPE: Final = re.compile(r"[ -~]{1,255}")
_INLINE: Final[frozenset[str]] = frozenset(get_args(Kind))
_ENCODINGS: Final = (None, "zstd")


@dataclasses.dataclass(frozen=True, slots=True)
class Origin:
    """Where an envelope was found: what it has to agree with.

    Attributes:
        key: of the object.
        id: of the object.
        publisher: by the name of the object.
        backend: the channel, in which its payload is.
    """

    key: str
    id: str
    publisher: str
    backend: Backend | None = None


class _WrongError(Exception):
    """Something about an envelope is wrong; the message says what."""


def encode(update: Update) -> bytes:
    """Return the line of an update."""
    envelope: dict[str, Any] = {
        "format": FORMAT,
        "id": update.id,
        "topic": update.topic,
        "publisher": update.publisher,
        "created": rfc3339(update.created),
        "content_type": update.content_type,
        "metadata": dict(update.metadata),
    }
    if (payload := update.payload) is not None:
        described = {"key": payload.key, "size": payload.size, "digest": payload.digest, "kind": update.kind}
        envelope["payload"] = {**described, "encoding": "zstd"} if payload.compressed else described
    else:
        envelope[update.kind] = base64_text(update.inline) if update.kind == "bytes" else update.inline
    return compact(envelope).encode() + b"\n"


def decode_all(data: bytes, origin: Origin) -> list[Update]:
    """Return the updates of an object, in order: all of them, or none.

    Args:
        data: the object's content, expanded.
        origin: where it was found.

    Raises:
        DamagedUpdateError: it is not what a publisher writes; the message names the key.
        UnsupportedFormatError: it was written by a newer cloudsync; the message names the format that is needed.
    """
    try:
        return list(_decoded(data, origin))
    except _WrongError as error:
        raise damaged(origin, str(error)) from error.__cause__


def damaged(origin: Origin, why: str) -> DamagedUpdateError:
    """Return the error that says what is wrong with an object of updates."""
    place = "" if origin.backend is None else f"{origin.backend.location.rstrip('/')}/"
    return DamagedUpdateError(f"{place}{printable(origin.key)}: {why}")


def metadata_problem(metadata: Mapping[Any, Any]) -> str | None:
    """Say why `metadata` cannot go with an update, or return `None` when it can."""
    size = 0
    for name, value in metadata.items():
        if not (isinstance(name, str) and isinstance(value, str)):
            return "metadata is text by names that are text"
        if not name or not name.isprintable() or len(name) > METADATA_NAME_LENGTH:
            return f"the name of metadata has 1 to {METADATA_NAME_LENGTH} printable characters"
        if "\0" in value or not _encodable(value):
            return f"the metadata {name!r} is no text: it holds a NUL or a half of a surrogate pair"
        size += len(name.encode()) + len(value.encode())
    return f"there are {size} bytes of metadata, {METADATA_LIMIT} at most" if size > METADATA_LIMIT else None


def content_type_problem(content_type: str) -> str | None:
    """Say why `content_type` is no media type, or return `None` when it may be one."""
    if _CONTENT_TYPE.fullmatch(content_type):
        return None
    return f"a content type has 1 to {CONTENT_TYPE_LENGTH} printable characters of ASCII"


def _decoded(data: bytes, origin: Origin) -> Iterable[Update]:
    if not data.endswith(b"\n"):
        raise _WrongError("it does not end as a line does: something is missing")
    lines = data.split(b"\n")[:-1]
    if len(lines) > ids.MAX_UPDATES:
        raise _WrongError(f"it holds {len(lines)} updates, {ids.MAX_UPDATES} at most")
    for index, line in enumerate(lines):
        yield _decode(line, ids.nth(origin.id, index), origin)


def _decode(line: bytes, expected_id: str, origin: Origin) -> Update:
    try:
        envelope = parse_json(line.decode())
    except (ValueError, RecursionError) as error:
        raise _WrongError("it holds a line that is no JSON") from error
    if not isinstance(envelope, dict):
        raise _WrongError("it holds a line that is no envelope")
    _check_format(envelope, origin)
    if envelope.get("id") != expected_id:
        raise _WrongError(f"it holds another id than {expected_id}, which belongs there")
    if envelope.get("publisher") != origin.publisher:
        raise _WrongError("it names another publisher than its key")
    topic = _text(envelope, "topic")
    if (why := topics.problem(topic)) is not None:
        raise _WrongError(why)
    content_type = _text(envelope, "content_type")
    if (why := content_type_problem(content_type)) is not None:
        raise _WrongError(why)
    kind, inline, payload, size = _content(envelope, expected_id, origin)
    return Update(
        id=expected_id,
        topic=topic,
        publisher=origin.publisher,
        created=_created(envelope),
        content_type=content_type,
        metadata=_metadata(envelope),
        kind=kind,
        size=size,
        key=origin.key,
        inline=inline,
        payload=payload,
        backend=origin.backend,
    )


def _check_format(envelope: Mapping[str, Any], origin: Origin) -> None:
    version = envelope.get("format")
    if type(version) is not int or version < 1:
        raise _WrongError("it does not say which format it has")
    if version > FORMAT:
        raise UnsupportedFormatError(
            str(damaged(origin, f"it has format {version} of updates, and this cloudsync knows up to {FORMAT}")),
            hint=f"upgrade cloudsync-core to a version that reads format {version}",
        )


def _created(envelope: Mapping[str, Any]) -> float:
    text = _text(envelope, "created")
    if _MOMENT.fullmatch(text):
        try:
            return dt.datetime.fromisoformat(text).timestamp()
        except ValueError:
            pass
    raise _WrongError("the time at which it was created is none")


def _metadata(envelope: Mapping[str, Any]) -> Mapping[str, str]:
    metadata = envelope.get("metadata")
    if not isinstance(metadata, dict):
        raise _WrongError("it has no metadata")
    if (why := metadata_problem(metadata)) is not None:
        raise _WrongError(why)
    return MappingProxyType(metadata)


def _content(envelope: Mapping[str, Any], update_id: str, origin: Origin) -> tuple[Kind, Any, Payload | None, int]:
    found = sorted(({"payload"} | _INLINE) & envelope.keys())
    if len(found) != 1:
        raise _WrongError("it has not one content")
    if found[0] == "payload":
        kind, payload = _payload(envelope["payload"], update_id, origin)
        return kind, None, payload, payload.size
    kind, value = _kind(found[0]), envelope[found[0]]
    if kind != "json" and not isinstance(value, str):
        raise _WrongError(f"its {kind} is no text")
    try:
        inline = base64.b64decode(value, validate=True) if kind == "bytes" else value
        return kind, inline, None, len(inline_bytes(kind, inline))
    except (ValueError, RecursionError) as error:
        raise _WrongError(f"its {kind} cannot be read") from error


def _payload(described: Any, update_id: str, origin: Origin) -> tuple[Kind, Payload]:
    if not isinstance(described, dict):
        raise _WrongError("its payload is not described")
    size, digest, encoding = described.get("size"), described.get("digest"), described.get("encoding")
    if type(size) is not int or size < 0:
        raise _WrongError("the size of its payload is none")
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise _WrongError("the digest of its payload is none")
    if encoding not in _ENCODINGS:
        raise _WrongError("the encoding of its payload is unknown")
    key = names.payload_key(update_id, origin.publisher, compressed=encoding is not None)
    if described.get("key") != key:
        raise _WrongError(f"its payload has another key than {key}, which belongs to it")
    return _kind(described.get("kind")), Payload(key, size, digest, encoding is not None)


def _kind(name: object) -> Kind:
    for kind in get_args(Kind):
        if name == kind:
            found: Kind = kind
            return found
    raise _WrongError("the kind of its content is unknown")


def _text(envelope: Mapping[str, Any], name: str) -> str:
    value = envelope.get(name)
    if not isinstance(value, str):
        raise _WrongError(f"its {name} is no text")
    return value


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
