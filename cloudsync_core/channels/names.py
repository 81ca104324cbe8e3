"""What the objects of a channel are called, and which names are none of its own.

    updates/<UTC hour>/<object id>-<publisher>.json[.zst]      one or more updates
    payloads/<UTC hour>/<update id>-<publisher>[.zst]          content that is too large to be inside its update
    subscribers/<name>.json                                    a registered subscriber

The hour is that of the id, so a key is known from the id, the publisher and whether it is compressed, and everything of
one age lies side by side. Keys under `updates/` sort as their ids do. The format is a contract: docs/channels.md.
"""

from __future__ import annotations

import re
import socket
from typing import Final, NamedTuple

from cloudsync_core.channels import ids
from cloudsync_core.errors import ConfigError, printable

UPDATES: Final = "updates"
PAYLOADS: Final = "payloads"
SUBSCRIBERS: Final = "subscribers"

COMPRESSED: Final = ".zst"
"""What the key of an object that is compressed by zstd ends with."""

NAME_LENGTH: Final = 64
"""Characters of the name of a publisher or a subscriber, at most."""

_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_WHOLE_NAME: Final = re.compile(_NAME)
_IN_UPDATES: Final = re.compile(
    rf"{UPDATES}/(?P<hour>[^/]+)/(?P<id>{ids.OBJECT_ID})-(?P<publisher>{_NAME})\.json(?P<compressed>\.zst)?"
)
_NO_NAME_CHARACTERS: Final = re.compile(r"[^A-Za-z0-9._-]+")


class UpdateKey(NamedTuple):
    """What the key of an object of updates tells."""

    id: str
    publisher: str
    compressed: bool


def problem(name: str) -> str | None:
    """Say why `name` cannot be the name of a publisher or a subscriber, or return `None` when it can."""
    if _WHOLE_NAME.fullmatch(name):
        return None
    return (
        f"{printable(name)!r} is no name: 1 to {NAME_LENGTH} letters, digits, '.', '_' and '-' of ASCII, "
        "the first a letter or a digit"
    )


def checked(name: str, what: str) -> str:
    """Return `name` if it can be the name of a publisher or a subscriber.

    Args:
        name: the name.
        what: whose name it is, for the message: "publisher", "subscriber".

    Raises:
        ConfigError: it cannot.
    """
    if (why := problem(name)) is not None:
        raise ConfigError(f"the name of the {what}: {why}")
    return name


def host_name() -> str:
    """Return the name of this host as the name of a publisher or a subscriber; "host" where nothing of it is left."""
    cleaned = _NO_NAME_CHARACTERS.sub("-", socket.gethostname()).lstrip("._-")[:NAME_LENGTH]
    return cleaned or "host"


def update_key(object_id: str, publisher: str, *, compressed: bool) -> str:
    """Return the key of an object of updates."""
    return f"{UPDATES}/{ids.hour(object_id)}/{object_id}-{publisher}.json{COMPRESSED if compressed else ''}"


def payload_key(update_id: str, publisher: str, *, compressed: bool) -> str:
    """Return the key of the payload of an update."""
    return f"{PAYLOADS}/{ids.hour(update_id)}/{update_id}-{publisher}{COMPRESSED if compressed else ''}"


def subscriber_key(name: str) -> str:
    """Return the key of the registration of a subscriber."""
    return f"{SUBSCRIBERS}/{name}.json"


def start_of(floor: str) -> str:
    """Return the key after which every object of updates has an id that is not below `floor`.

    Args:
        floor: an id, or the time that an id begins with.
    """
    return f"{UPDATES}/{ids.hour(floor)}/{floor}"


def parse_update(key: str) -> UpdateKey | str:
    """Return what the key of an object of updates tells, or why `key` is none."""
    match = _IN_UPDATES.fullmatch(key)
    if match is None:
        return "its name is not that of an update"
    if not ids.is_object_id(match["id"]):
        return "the id in its name holds no time"
    if ids.hour(match["id"]) != match["hour"]:
        return "it is not in the folder of its hour"
    return UpdateKey(match["id"], match["publisher"], match["compressed"] is not None)
