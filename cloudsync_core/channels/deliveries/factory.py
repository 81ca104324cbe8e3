"""The kinds of deliveries, and how each is made from its options."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from cloudsync_core.channels.deliveries.deliverer import Deliverer
from cloudsync_core.errors import ConfigError, printable

KINDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "callback": "callback:CallbackDelivery",
        "command": "command:CommandDelivery",
        "directory": "directory:DirectoryDelivery",
        "webhook": "webhook:WebhookDelivery",
    }
)
"""Where the class of each kind is, below this package: imported when it is used."""


def deliverer(kind: str, options: Mapping[str, Any]) -> Deliverer:
    """Return what delivers updates as asked.

    Args:
        kind: one of `KINDS`.
        options: the arguments of its class by name; secrets are looked up, paths absolute.

    Raises:
        ConfigError: there is no such kind, or an option of it is wrong.
    """
    if kind not in KINDS:
        raise ConfigError(f"updates cannot be delivered to {printable(kind)!r}: there are {', '.join(KINDS)}")
    module, _, name = KINDS[kind].partition(":")
    make: Callable[..., Deliverer] = getattr(importlib.import_module(f"{__package__}.{module}"), name)
    return make(**options)
