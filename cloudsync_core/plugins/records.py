"""What plugins hand to the core when they register: import strings, resolved on first use.

A record costs nothing to make, so a plugin module that only builds records imports no SDK.
"""

from __future__ import annotations

import dataclasses

API_VERSION = 1
"""The version of the hooks and of the `Backend` contract. It grows when a plugin written for the old one breaks."""


@dataclasses.dataclass(frozen=True, slots=True)
class BackendInfo:
    """A backend that a plugin offers.

    Attributes:
        schemes: the URL schemes it serves, lower-case.
        summary: one line for `cloudsync plugins list`.
        factory: "module:callable", called as `factory(location, options)` with a `Location` and an instance of the
            options model; returns a `Backend`. A `Backend` class whose constructor has that form will do.
        options: "module:Model", a subclass of `BackendOptions`.
        api_version: the `API_VERSION` that the plugin was written for.
        install_hint: what to install when the factory's imports fail, for instance "pip install cloudsync-demo".
    """

    schemes: tuple[str, ...]
    summary: str
    factory: str
    options: str = "cloudsync_core.options:NoOptions"
    api_version: int = API_VERSION
    install_hint: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class ComparatorInfo:
    """A way to tell whether two objects are the same, selectable as `compare: NAME`.

    Attributes:
        name: what users write.
        summary: one line for the documentation.
        factory: "module:callable", called without arguments; returns a `cloudsync_core.engine.compare.Comparator`.
    """

    name: str
    summary: str
    factory: str


@dataclasses.dataclass(frozen=True, slots=True)
class EventSourceInfo:
    """A way to learn what changes at a location, selectable by its name.

    Attributes:
        name: what users write.
        summary: one line for the documentation.
        factory: "module:callable", called as `factory(watched, options)` with a `Watched` and an instance of the
            options model; returns an `EventSource` (`cloudsync_core.event_source`).
        schemes: the URL schemes whose locations it can watch; empty for every location.
        options: "module:Model", a subclass of `BackendOptions`.
        install_hint: what to install when the factory's imports fail.
    """

    name: str
    summary: str
    factory: str
    schemes: tuple[str, ...] = ()
    options: str = "cloudsync_core.options:NoOptions"
    install_hint: str = ""
