"""Topics, by which publishers file their updates, and the patterns by which subscribers choose them."""

from __future__ import annotations

import fnmatch
import functools
import re
from collections.abc import Callable, Sequence
from typing import Final

from cloudsync_core.errors import ConfigError, printable

TOPIC_LENGTH: Final = 255
"""Bytes of a topic in UTF-8, at most."""

_ANY_SEGMENTS: Final = "**"


def problem(topic: str) -> str | None:
    """Say why `topic` is no topic, or return `None` when it is one.

    A topic has 1 to 255 bytes of printable text; `/` separates its segments, none of which is empty, `.` or `..`: it
    can be a path in a tree, and leads nowhere else.
    """
    if not topic:
        return "a topic has at least one character"
    if not topic.isprintable():
        return "a topic holds printable characters only"
    if len(topic.encode()) > TOPIC_LENGTH:
        return f"a topic has at most {TOPIC_LENGTH} bytes"
    for segment in topic.split("/"):
        if segment in {"", ".", ".."}:
            return f"a topic has no segment {segment!r}" if segment else "a topic has no empty segment"
    return None


def checked(topic: object) -> str:
    """Return `topic` if it is one.

    Raises:
        ConfigError: it is none.
    """
    if not isinstance(topic, str):
        raise ConfigError(f"a topic is text, and no {type(topic).__name__}")
    if (why := problem(topic)) is not None:
        raise ConfigError(f"{printable(topic)!r} is no topic: {why}")
    return topic


class TopicFilter:
    """Tells which topics a subscriber wants.

    A pattern is matched segment by segment, by all of the topic. In a segment `*` is any text, `?` any character and
    `[abc]` one of these; a segment `**` is any number of segments, none included. Case counts.

    Args:
        patterns: a topic is wanted that one of them matches; without any, every topic is.

    Raises:
        ConfigError: a pattern has an empty segment, so that nothing could match it; or there is one text instead of
            several, each character of which would be a pattern.
    """

    def __init__(self, patterns: Sequence[str] = ()) -> None:
        if isinstance(patterns, str):
            raise ConfigError(f"topics are a list of patterns, not {printable(patterns)!r}: write [{patterns!r}]")
        self._patterns = tuple(_compiled(pattern) for pattern in patterns)
        self._known = functools.lru_cache(maxsize=1024)(self._matches)

    def __call__(self, topic: str) -> bool:
        """Tell whether `topic` is wanted."""
        return not self._patterns or self._known(topic)

    def _matches(self, topic: str) -> bool:
        segments = topic.split("/")
        return any(_match(pattern, segments) for pattern in self._patterns)


_Segment = Callable[[str], object] | None
"""Tells whether one segment fits; `None` stands for any number of segments."""


def _compiled(pattern: str) -> tuple[_Segment, ...]:
    parts = pattern.split("/")
    if "" in parts:
        raise ConfigError(f"{printable(pattern)!r} matches no topic: a topic has no empty segment")
    return tuple(None if part == _ANY_SEGMENTS else re.compile(fnmatch.translate(part)).match for part in parts)


def _match(pattern: Sequence[_Segment], segments: Sequence[str]) -> bool:
    """Follow all ways through the pattern at once, so that no topic takes long, whatever the pattern."""
    reached = _passing_any(pattern, {0})
    for segment in segments:
        after = set()
        for at in reached:
            if at < len(pattern):
                fits = pattern[at]
                if fits is None:
                    after.add(at)
                elif fits(segment):
                    after.add(at + 1)
        reached = _passing_any(pattern, after)
    return len(pattern) in reached


def _passing_any(pattern: Sequence[_Segment], reached: set[int]) -> set[int]:
    for at in sorted(reached):
        end = at
        while end < len(pattern) and pattern[end] is None:
            end += 1
            reached.add(end)
    return reached
