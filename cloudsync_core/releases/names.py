"""What the objects of releases are called: see docs/releases.md for the format.

releases/<release id>/<path>        an object of a tree
manifests/<release id>.json[.zst]   what a release consists of
<pointer>.json                      which release is live
"""

from __future__ import annotations

import datetime as dt
import functools
import re
import secrets
import socket
from typing import Final

from cloudsync_core import keys
from cloudsync_core.errors import ConfigError, printable

TREES: Final = "releases"
"""The folder of the trees."""

MANIFESTS: Final = "manifests"
"""The folder of the manifests."""

FORMAT: Final = 1
"""The version of manifests and pointers that this cloudsync writes, and the highest that it reads."""

LIVE: Final = "current"
"""The pointer that readers follow unless they are told another."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ID: Final = re.compile(r"(\d{8}T\d{6}\.\d{6}Z)-[0-9a-f]{8}")
_TIME: Final = "%Y%m%dT%H%M%S.%fZ"
_PLAIN, _COMPRESSED = ".json", ".json.zst"
_MICROSECOND: Final = dt.timedelta(microseconds=1)


def new_id(now: float, *, after: str | None = None) -> str:
    """Return the id of a release that is made now: `20261120T203540.123456Z-1a2b3c4d`, which sorts by time.

    Args:
        now: seconds since the epoch, UTC.
        after: a release that it comes after, whatever the clock says; its id sorts before the new one.
    """
    moment = dt.datetime.fromtimestamp(now, dt.UTC)
    if after is not None:
        moment = max(moment, _moment(after) + _MICROSECOND)
    return f"{moment.strftime(_TIME)}-{secrets.token_hex(4)}"


@functools.lru_cache(maxsize=1024)
def is_id(text: str) -> bool:
    """Tell whether `text` is the id of a release."""
    if _ID.fullmatch(text) is None:
        return False
    try:
        _moment(text)
    except ValueError:
        return False
    return True


def made_at(release: str) -> float:
    """Return when a release was begun, as its publisher's clock said: seconds since the epoch, UTC."""
    return _moment(release).timestamp()


def check_id(text: str) -> str:
    """Return `text`, which is the id of a release.

    Raises:
        ConfigError: it is none.
    """
    if not is_id(text):
        raise ConfigError(
            f"{printable(text)!r} is not the id of a release",
            hint="An id looks like 20261120T203540.123456Z-1a2b3c4d; `cloudsync release ls` shows them.",
        )
    return text


def check_name(text: str, what: str) -> str:
    """Return `text`, which may name a pointer or a publisher.

    Args:
        text: the name.
        what: of what, for the message.

    Raises:
        ConfigError: it may not.
    """
    if _NAME.fullmatch(text) is None:
        raise ConfigError(
            f"{printable(text)!r} cannot be the name of a {what}",
            hint="A name has at most 64 letters, digits, '.', '_' and '-', and begins with a letter or a digit.",
        )
    return text


def host() -> str:
    """Return the name of this machine, as a publisher may be called."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", socket.gethostname()).lstrip("._-")[:64]
    return name or "unnamed"


def tree(release: str) -> str:
    """Return the folder of a release's own objects, without trailing slash."""
    return f"{TREES}/{release}"


def place(release: str, path: str) -> str:
    """Return the key of an object of a release's own tree."""
    return f"{TREES}/{release}/{path}"


def parse_place(key: str) -> tuple[str, str] | None:
    """Return the release and the path of what `place` returns, or `None` when `key` is nothing of the kind."""
    folder, _, rest = key.partition("/")
    release, _, path = rest.partition("/")
    if folder != TREES or not is_id(release) or path_problem(path) is not None:
        return None
    return release, path


def path_problem(path: str) -> str | None:
    """Say why a release cannot hold a file of that path, or return `None` when it can.

    What a directory tree cannot hold exactly, no reader could fetch.
    """
    if keys.is_marker(path):
        return "it is the name of a folder"
    return keys.tree_problem(path)


def manifest_key(release: str, *, compressed: bool) -> str:
    """Return the key of a release's manifest."""
    return f"{MANIFESTS}/{release}{_COMPRESSED if compressed else _PLAIN}"


def manifest_of(key: str) -> str | None:
    """Return the release whose manifest has that key, or `None` when no manifest is called so."""
    folder, _, name = key.partition("/")
    release = name.removesuffix(_COMPRESSED if name.endswith(_COMPRESSED) else _PLAIN)
    return release if folder == MANIFESTS and release != name and is_id(release) else None


def is_compressed(key: str) -> bool:
    """Tell of the key of a manifest whether it is compressed."""
    return key.endswith(_COMPRESSED)


def pointer_key(name: str) -> str:
    """Return the key of a pointer.

    Raises:
        ConfigError: no pointer can be called so.
    """
    return check_name(name, "pointer") + _PLAIN


def pointer_of(key: str) -> str | None:
    """Return the name of the pointer that has that key, or `None` when no pointer is called so."""
    name = key.removesuffix(_PLAIN)
    return name if name != key and _NAME.fullmatch(name) is not None else None


def timestamp(seconds: float) -> str:
    """Return a time as RFC 3339 writes it, in UTC with microseconds.

    Args:
        seconds: since the epoch, UTC.
    """
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_timestamp(text: str) -> float:
    """Return the seconds since the epoch that RFC 3339 text means.

    Raises:
        ValueError: it is no time, or no zone tells which.
    """
    moment = dt.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without its zone")
    return moment.timestamp()


def _moment(release: str) -> dt.datetime:
    match = _ID.fullmatch(release)
    if match is None:
        raise ValueError(f"{release!r} is not the id of a release")
    return dt.datetime.strptime(match[1], _TIME).replace(tzinfo=dt.UTC)
