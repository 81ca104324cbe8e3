"""What the target's object will carry: what the source's object carries, completed by the job's rules."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from cloudsync_core.content_types import guess
from cloudsync_core.engine.patterns import Patterns
from cloudsync_core.engine.policy import HeaderRule
from cloudsync_core.models import Attributes, ObjectInfo

_HEADERS = ("content_type", "cache_control", "content_encoding", "content_disposition", "content_language")


class AttributeRules:
    """Decides the attributes of what is written.

    Args:
        rules: the job's header rules, in order; of several that set one attribute, the last wins.
    """

    def __init__(self, rules: Sequence[HeaderRule] = ()) -> None:
        self._rules = [(Patterns(rule.match), rule) for rule in rules]

    def matches(self, key: str) -> bool:
        """Tell whether a rule says something about `key`."""
        return any(patterns.match(key) for patterns, _ in self._rules)

    def attributes(self, info: ObjectInfo, *, keeps_headers: bool) -> Attributes:
        """Return what the copy of `info` carries.

        The content type is the source's, or guessed from the name, the same on every host. The modification time is
        that of the content's origin: the one that the source's object carries, or, for a store without headers such
        as a directory, the file's own.

        Args:
            info: the source's object as it is read, with its attributes.
            keeps_headers: the source stores headers, so what it has none of is meant to have none.
        """
        carried = info.attributes or Attributes()
        changes: dict[str, object] = {}
        if carried.mtime_ns is None:
            changes["mtime_ns"] = info.modified_ns
        if carried.content_type is None and not keeps_headers:
            changes["content_type"] = guess(info.key)
        if not self._rules and not changes:
            return carried
        metadata = dict(carried.metadata)
        for patterns, rule in self._rules:
            if patterns.match(info.key):
                changes.update((name, value) for name in _HEADERS if (value := getattr(rule, name)) is not None)
                metadata.update({name.lower(): value for name, value in rule.metadata.items()})
        return dataclasses.replace(carried, metadata=metadata, **changes)  # type: ignore[arg-type]
