"""Texts with placeholders, which each update fills in."""

from __future__ import annotations

import string
from collections.abc import Collection, Mapping

from cloudsync_core.errors import ConfigError, printable


class Template:
    """A text in which `{name}` stands for what an update says; `{{` and `}}` are braces.

    Attributes:
        names: the placeholders that are in it.

    Args:
        text: the text.
        known: the names that placeholders can have.
        what: what the text is, for messages.

    Raises:
        ConfigError: a placeholder is unknown, or a brace stands alone.
    """

    def __init__(self, text: str, known: Collection[str], what: str) -> None:
        try:
            self._parts = [
                (literal, None if name is None else _plain(name, spec, conversion))
                for literal, name, spec, conversion in string.Formatter().parse(text)
            ]
        except ValueError:
            raise ConfigError(
                f"{what}: a brace stands alone in {printable(text)!r}", hint="Write {{ and }} for braces."
            ) from None
        self.names = frozenset(name for _, name in self._parts if name is not None)
        if unknown := sorted(self.names - set(known)):
            raise ConfigError(
                f"{what}: {printable(text)!r} has the unknown placeholder {{{printable(unknown[0])}}}",
                hint=f"There are: {', '.join(f'{{{name}}}' for name in known)}. Write {{{{ and }}}} for braces.",
            )

    def fill(self, values: Mapping[str, str]) -> str:
        """Return the text with the values in the places of their names; they are not looked at for placeholders."""
        return "".join(literal + ("" if name is None else values[name]) for literal, name in self._parts)


def _plain(name: str, spec: str | None, conversion: str | None) -> str:
    """Return a placeholder as it is written, so that what Python would make of more than a name is unknown."""
    return name + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "")
