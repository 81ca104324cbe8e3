"""The topic of an object's update, made of its key by the job's template."""

from __future__ import annotations

import re
from typing import Final

from cloudsync_core.channels import topics
from cloudsync_core.errors import ConfigError

FIELDS: Final = ("path", "name", "stem", "suffix", "parent")
"""What a template may hold in braces: the key; its last segment; that without and only its last extension, with the
dot; and everything before the last segment."""

_IN_BRACES: Final = re.compile(r"\{([^{}]*)\}")


def template_problem(text: str) -> str | None:
    """Say why `text` is no template of topics, or return `None` when it is one."""
    unknown = [name for name in _IN_BRACES.findall(text) if name not in FIELDS]
    if not unknown:
        return None
    fields = ", ".join(f"{{{name}}}" for name in FIELDS)
    return f"{{{unknown[0]}}} is nothing of an object; there are {fields}"


class TopicTemplate:
    """Makes topics of keys.

    >>> TopicTemplate("feeds/{stem}")("europe/news.feed")
    'feeds/news'

    Args:
        text: as in the configuration.

    Raises:
        ConfigError: it holds something in braces that is no field.
    """

    def __init__(self, text: str) -> None:
        if (why := template_problem(text)) is not None:
            raise ConfigError(f"the topic {text!r}: {why}")
        self._text = text

    def __call__(self, key: str) -> str:
        """Return the topic of an object; an object at the top has no `{parent}`, nor the slash beside it.

        Raises:
            ConfigError: it would be no topic.
        """
        parent, _, name = key.rpartition("/")
        stem, dot, extension = name.rpartition(".")
        if not stem:
            stem, dot, extension = name, "", ""
        values = {"path": key, "name": name, "stem": stem, "suffix": dot + extension, "parent": parent}
        topic = _IN_BRACES.sub(lambda match: values[match[1]], self._text)
        if not parent and "{parent}" in self._text:
            topic = re.sub("/{2,}", "/", topic).strip("/")
        return topics.checked(topic)
