"""Objects and actions as JSON values: in saved plans, in spooled deletes and in sorted runs on disk."""

from __future__ import annotations

from typing import Any

from cloudsync_core.models import Attributes, Digest, ObjectInfo, Version
from cloudsync_core.runs import Action

_HEADERS = tuple(name for name in Attributes.__slots__ if name != "metadata")


def encode_object(entry: ObjectInfo) -> list[Any]:
    """Return `entry` as a JSON array; `decode_object` gives it back, equal."""
    attributes: dict[str, Any] | None = None
    if entry.attributes is not None:
        attributes = {name: getattr(entry.attributes, name) for name in _HEADERS}
        attributes["metadata"] = dict(entry.attributes.metadata)
    return [
        entry.key,
        entry.size,
        entry.fingerprint,
        entry.modified_ns,
        [entry.version.etag, entry.version.id],
        [str(digest) for digest in entry.digests],
        attributes,
    ]


def decode_object(value: list[Any]) -> ObjectInfo:
    """Return the object that `encode_object` wrote."""
    key, size, fingerprint, modified_ns, version, digests, attributes = value
    return ObjectInfo(
        key,
        size,
        fingerprint,
        modified_ns,
        Version(*version),
        tuple(Digest.parse(digest) for digest in digests),
        None if attributes is None else Attributes(**attributes),
    )


def encode_action(action: Action) -> dict[str, Any]:
    """Return `action` as a JSON object; `decode_action` gives it back, equal."""
    return {
        "action": action.kind,
        "key": action.key,
        "reason": action.reason,
        "size": action.size,
        "source": None if action.source is None else encode_object(action.source),
        "target": None if action.target is None else encode_object(action.target),
    }


def decode_action(value: dict[str, Any]) -> Action:
    """Return the action that `encode_action` wrote.

    Raises:
        KeyError, TypeError, ValueError: `value` is not what `encode_action` wrote.
    """
    if value["action"] not in {"add", "update", "delete"}:
        raise ValueError(f"unknown action {value['action']!r}")
    return Action(
        value["action"],
        value["key"],
        value["reason"],
        None if value["source"] is None else decode_object(value["source"]),
        None if value["target"] is None else decode_object(value["target"]),
    )
