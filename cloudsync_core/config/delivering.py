"""From what updates are to be delivered to, in a configuration, to what delivers them."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cloudsync_core.channels.deliveries.deliverer import Deliverer
from cloudsync_core.channels.deliveries.factory import deliverer
from cloudsync_core.config.deliveries import DeliverConfig
from cloudsync_core.config.environment import local_path
from cloudsync_core.config.loaded import LoadedConfig
from cloudsync_core.config.problems import KeyPath
from cloudsync_core.config.secrets import Resolver
from cloudsync_core.errors import ConfigError


def open_deliveries(
    deliveries: Sequence[DeliverConfig], *, resolver: Resolver, loaded: LoadedConfig | None, at: KeyPath = ()
) -> list[Deliverer]:
    """Return what delivers updates, their references looked up and their programs and functions found; close each.

    Args:
        deliveries: of a job, one kind each.
        resolver: looks up references, and keeps what is secret for redaction.
        loaded: the file that they were read from; relative paths are relative to its directory, and errors name its
            lines. `None` for those that come from elsewhere.
        at: the keys that lead to them, for instance `("jobs", "inbox", "deliver")`.

    Raises:
        SecretNotFoundError: a reference names what does not exist.
        ConfigError: something cannot be delivered to.
    """
    with contextlib.ExitStack() as stack:
        opened = []
        for delivery in deliveries:
            [kind] = delivery.kinds
            options = _options(kind, delivery, loaded.directory if loaded else Path(), resolver, at)
            try:
                made = deliverer(kind, options)
            except ConfigError as error:
                place = loaded.where(*at) if loaded else ""
                raise ConfigError(": ".join(filter(None, (place, str(error.args[0])))), hint=error.hint) from error
            stack.callback(made.close)
            opened.append(made)
        stack.pop_all()
        return opened


def _options(kind: str, delivery: DeliverConfig, directory: Path, resolver: Resolver, at: KeyPath) -> Mapping[str, Any]:
    if kind == "callback":
        return {"function": delivery.callback}
    options: dict[str, Any] = getattr(delivery, kind).model_dump()
    if kind == "directory":
        return {**options, "path": local_path(options["path"], directory)}
    if kind == "webhook":
        # What is written without a reference is as secret; a host alone is not.
        found = {name: resolver.resolve(options[name], *at, kind, name) for name in ("url", "secret") if options[name]}
        if "secret" in found:
            resolver.values.add(found["secret"])
        return {**options, **found}
    return options
