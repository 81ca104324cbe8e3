"""From a record to what it describes: resolves import strings, checks options, calls factories."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterator, Mapping
from typing import Any

import pydantic

from cloudsync_core.backend import Backend
from cloudsync_core.errors import CloudSyncError, ConfigError, OptionsError, PluginError, PluginLoadError
from cloudsync_core.event_source import EventSource, Watched
from cloudsync_core.location import Location
from cloudsync_core.options import BackendOptions
from cloudsync_core.plugins.records import BackendInfo, ComparatorInfo, EventSourceInfo
from cloudsync_core.plugins.status import FAILURES, PluginStatus, describe

Problem = tuple[tuple[str | int, ...], str]

_SHORTEST_SECRET = 4
"""Characters below which a value is no secret, and would be found in the middle of words."""


def resolve(reference: str, owner: PluginStatus, install_hint: str = "") -> Any:
    """Return what an import string "module:name" names.

    Raises:
        PluginLoadError: it cannot be imported, mostly because a package that the plugin builds on is missing.
    """
    module, _, path = reference.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for name in path.split("."):
            found = getattr(found, name)
    except FAILURES as error:
        raise _not_loaded(reference, owner, install_hint, error) from error
    return found


def options_model(info: BackendInfo | EventSourceInfo, owner: PluginStatus) -> type[BackendOptions]:
    """Return the model of the options of a backend or an event source.

    Raises:
        PluginLoadError: it cannot be imported, or is no `BackendOptions`.
    """
    model = resolve(info.options, owner, info.install_hint)
    if not (isinstance(model, type) and issubclass(model, BackendOptions)):
        raise PluginLoadError(f"{info.options} of the plugin {owner.label} is no subclass of BackendOptions")
    return model


def open_backend(
    info: BackendInfo, owner: PluginStatus, location: Location, options: Mapping[str, object], *, create: bool
) -> Backend:
    """Return the backend of a location; see `Plugins.open`."""
    model = options_model(info, owner)
    if create and "create" in model.model_fields:
        options = {"create": True, **options}
    checked = check_options(model, f"{location.scheme}://", options)
    factory = resolve(info.factory, owner, info.install_hint)
    try:
        backend = factory(location, checked)
    except CloudSyncError:
        raise
    except ImportError as error:
        raise _not_loaded(info.factory, owner, info.install_hint, error) from error
    except FAILURES as error:
        # The message stays out: a library may have put the value of an option into it.
        raise PluginError(
            f"the plugin {owner.label} failed to open a location of {location.scheme}://: {type(error).__name__}"
        ) from error
    if not isinstance(backend, Backend):
        raise PluginError(f"{info.factory} of the plugin {owner.label} returned no Backend")
    return backend


def make_comparator(info: ComparatorInfo, owner: PluginStatus) -> Any:
    """Return what the factory of a comparator makes; see `Plugins.comparator`."""
    factory = resolve(info.factory, owner)
    try:
        return factory()
    except FAILURES as error:
        raise PluginError(f"the plugin {owner.label} failed to make {info.name!r}: {describe(error)}") from error


def open_event_source(
    info: EventSourceInfo, owner: PluginStatus, watched: Watched, options: Mapping[str, object]
) -> EventSource:
    """Return what the factory of an event source makes; see `Plugins.event_source`."""
    scheme = watched.location.scheme
    if info.schemes and scheme not in info.schemes:
        served = ", ".join(f"{served}://" for served in info.schemes)
        raise ConfigError(f"the event source {info.name!r} watches {served}, and no location of {scheme}://")
    checked = check_options(options_model(info, owner), f"the event source {info.name!r}", options)
    factory = resolve(info.factory, owner, info.install_hint)
    try:
        source = factory(watched, checked)
    except CloudSyncError:
        raise
    except ImportError as error:
        raise _not_loaded(info.factory, owner, info.install_hint, error) from error
    except FAILURES as error:
        # The message stays out, as where a backend is opened.
        raise PluginError(
            f"the plugin {owner.label} failed to watch a location of {scheme}://: {type(error).__name__}"
        ) from error
    if not isinstance(source, EventSource):
        raise PluginError(f"{info.factory} of the plugin {owner.label} returned no EventSource")
    return source


def check_options(model: type[BackendOptions], what: str, options: Mapping[str, object]) -> BackendOptions:
    """Return the options as their model.

    Raises:
        OptionsError: with every problem, and the value of none.
    """
    try:
        return model.model_validate(dict(options))
    except pydantic.ValidationError as error:
        problems = tuple(_problems(model, options, error))
    lines = "; ".join(f"{'.'.join(map(str, path)) or 'options'}: {message}" for path, message in problems)
    raise OptionsError(f"the options of {what} are wrong: {lines}", problems=problems)


def _problems(
    model: type[BackendOptions], options: Mapping[str, object], error: pydantic.ValidationError
) -> Iterator[Problem]:
    values = set(_texts(options))
    for problem in error.errors(include_url=False, include_context=False, include_input=False):
        path, message = problem["loc"], problem["msg"]
        for value in values:
            message = message.replace(value, "…")
        if problem["type"] == "extra_forbidden":
            message = "there is no such option" + (_suggestion(str(path[0]), model) if len(path) == 1 else "")
        yield path, message


def _suggestion(name: str, model: type[BackendOptions]) -> str:
    names = [field.alias or name for name, field in model.model_fields.items()]
    near = difflib.get_close_matches(name, names, n=1)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; there are {', '.join(sorted(names))}" if names else "; this backend takes none"


def _texts(value: object) -> Iterator[str]:
    """Yield every text in the options that a message might repeat."""
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, pydantic.SecretStr):
        yield from _texts(value.get_secret_value())
    elif isinstance(value, str) and len(value) >= _SHORTEST_SECRET:
        yield value


def _not_loaded(reference: str, owner: PluginStatus, install_hint: str, error: BaseException) -> PluginLoadError:
    hint = install_hint or (
        f"pip install --upgrade --force-reinstall {owner.distribution}" if owner.distribution else None
    )
    return PluginLoadError(f"{reference} of the plugin {owner.label} cannot be loaded: {describe(error)}", hint=hint)
