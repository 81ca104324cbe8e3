"""What is wrong with a configuration, where, and how that is said."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from typing import NamedTuple

from cloudsync_core.errors import ConfigError

KeyPath = tuple[str | int, ...]
"""The keys and indexes that lead to a value: `("jobs", "site", "exclude", 0)`."""

MOST_SHOWN = 20
"""Problems that one message lists."""

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}")


class Place(NamedTuple):
    """A position in a file, both counted from 1."""

    line: int
    column: int


@dataclasses.dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        path: the keys that lead to it; empty for the file as a whole.
        message: what is wrong and what would be right; never the value.
        place: where it stands, or `None` where there is no file.
    """

    path: KeyPath
    message: str
    place: Place | None = None

    def __str__(self) -> str:
        return f"{dotted(self.path)}: {self.message}" if self.path else self.message


def shown_name(key: str) -> str:
    """Return `key` as a message may show it: as far as it looks like a name.

    A missing space or quote makes a key of a secret (`secret_key:hunter2`), so what follows the name stays out.
    """
    match = _NAME.match(key)
    name = match[0] if match else ""
    return name if name == key else name + "…"


def dotted(path: Iterable[str | int]) -> str:
    """Return a path of keys as messages write it: `jobs.site.exclude[0]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + shown_name(part)
    return text


def config_error(file: str, problems: Iterable[Problem], *, hint: str | None = None) -> ConfigError:
    """Return the error that lists `problems` of `file`, a line each, in the order of the file.

    Args:
        file: the name that stands before each line and column.
        problems: at least one.
        hint: what the user can do about them.
    """
    ordered = sorted(problems, key=lambda problem: problem.place or Place(0, 0))
    lines = [
        f"{file}:{problem.place.line}:{problem.place.column}: {problem}" if problem.place else f"{file}: {problem}"
        for problem in ordered[:MOST_SHOWN]
    ]
    if len(ordered) > MOST_SHOWN:
        lines.append(f"{file}: and {len(ordered) - MOST_SHOWN} more")
    return ConfigError("\n".join(lines), hint=hint)
