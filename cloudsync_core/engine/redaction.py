"""Secrets are taken out of whatever is kept of a run or told of it, at any depth of what is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Redact = Callable[[str], str]
"""Returns a text without the secrets that are known."""


def redacted(value: Any, redact: Redact) -> Any:
    """Return plain values with `redact` applied to every string in them that is no key of a mapping.

    It is done before they are encoded: a secret of digits must not break a number.
    """
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {key: redacted(item, redact) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redacted(item, redact) for item in value]
    return value
