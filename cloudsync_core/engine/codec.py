"""Objects and actions as JSON values: in saved plans, in spooled deletes and in sorted runs on disk."""

from __future__ import annotations

from typing import Any

from cloudsync_core import keys
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
    """Return the action that `encode_action` wrote."""
    return Action(
        value["action"],
        value["key"],
        value["reason"],
        None if value["source"] is None else decode_object(value["source"]),
        None if value["target"] is None else decode_object(value["target"]),
    )


def decode_foreign_action(value: dict[str, Any]) -> Action:
    """Return the action that `encode_action` wrote, after a look at every field: anybody may have edited it since.

    Raises:
        ValueError: `value` is not what `encode_action` writes of an action that a planner makes.
    """
    try:
        action = decode_action(value)
        right = _is_planned(action)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError("it has not the form of an action") from error
    if not right:
        raise ValueError("its fields contradict each other or are of another type")
    return action


_SIDES = {"add": (True, False), "update": (True, True), "delete": (False, True)}
"""Whether an action of a kind has an object of the source, and one of the target."""


def _is_planned(action: Action) -> bool:
    return (
        _SIDES.get(action.kind) == (action.source is not None, action.target is not None)
        and _are(str, action.key, action.reason)
        and keys.problem(action.key) is None
        and all(info is None or _is_object(info, action.key) for info in (action.source, action.target))
    )


def _is_object(info: ObjectInfo, key: str) -> bool:
    texts = [
        info.key,
        info.fingerprint,
        *(text for digest in info.digests for text in (digest.algorithm, digest.value)),
    ]
    optional = [info.version.etag, info.version.id]
    numbers = [info.size, info.modified_ns]
    if (carried := info.attributes) is not None:
        optional += [getattr(carried, name) for name in _HEADERS if name != "mtime_ns"]
        numbers += [] if carried.mtime_ns is None else [carried.mtime_ns]
        texts += [*carried.metadata.keys(), *carried.metadata.values()]
    texts += [text for text in optional if text is not None]
    return info.key == key and info.size >= 0 and _are(str, *texts) and _are(int, *numbers)


def _are(kind: type, *values: object) -> bool:
    # By identity: true is no number here.
    return all(type(value) is kind for value in values)
