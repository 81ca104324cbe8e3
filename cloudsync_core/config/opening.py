"""From a location in a configuration to an open backend."""

from __future__ import annotations

import contextlib
import functools
import re
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import SecretStr

from cloudsync_core.backend import Backend, Prune
from cloudsync_core.config.environment import local_path
from cloudsync_core.config.jobs.parts import WithHeaders
from cloudsync_core.config.jobs.watch import EventsConfig
from cloudsync_core.config.loaded import LoadedConfig
from cloudsync_core.config.locations import LocationConfig
from cloudsync_core.config.problems import KeyPath, Problem, config_error, dotted
from cloudsync_core.config.secrets import Resolver
from cloudsync_core.engine.policy import HeaderRule
from cloudsync_core.errors import ConfigError, OptionsError, UnknownBackendError, printable
from cloudsync_core.event_source import EventSource, Watched
from cloudsync_core.eventsources.poll import PollOptions
from cloudsync_core.location import Location
from cloudsync_core.options import BackendOptions
from cloudsync_core.plugins.facade import Plugins

_PASSWORD = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/@:]*:([^/@]+)@")


def open_location(
    location: LocationConfig,
    *,
    plugins: Plugins,
    loaded: LoadedConfig | None,
    resolver: Resolver,
    create: bool,
    at: KeyPath = (),
    below: str = "",
) -> Backend:
    """Return the backend of a location, its references to secrets looked up.

    Args:
        location: from a job.
        plugins: what serves the location's scheme.
        loaded: the file that the location was read from; relative paths are relative to its directory, and errors
            name its lines. `None` for a location that comes from elsewhere.
        resolver: looks up references, and keeps what is secret for redaction.
        create: the location is a target, which may be made when it does not exist; see `Plugins.open`.
        at: the keys that lead to the location, for instance `("jobs", "site", "target")`.
        below: the name of a folder of the location that is opened in its place.

    Raises:
        SecretNotFoundError: a reference names what does not exist.
        UnknownBackendError: no installed backend serves the scheme.
        OptionsError: the options do not fit the backend.
        ConfigError: the URL names no place.
        PluginError: the backend's plugin cannot be used.
    """
    with _placing(loaded, at):
        place, options = _resolved(location, plugins=plugins, loaded=loaded, resolver=resolver, at=at)
        if below:
            place = Location(place.scheme, f"{place.rest.removesuffix('/')}/{below}")
        return plugins.open(place, options, create=create)


def open_events(
    events: EventsConfig,
    location: LocationConfig,
    backend: Backend,
    *,
    interval: float,
    plugins: Plugins,
    loaded: LoadedConfig | None,
    resolver: Resolver,
    prune: Prune | None = None,
    at: KeyPath = (),
) -> EventSource:
    """Return what tells of changes at a location.

    Args:
        events: the name of an event source, and its options; "auto" is `local` for a directory and `poll` for anything
            else.
        location: what is watched.
        backend: the same place, open.
        interval: the most seconds between two listings, for `poll`.
        plugins: what brings event sources.
        loaded: as of `open_location`; likewise the following.
        resolver: likewise.
        prune: tells of a folder that nothing under it is wanted.
        at: the keys that lead to the job.

    Raises:
        ConfigError: there is no such event source, or it cannot watch such a place.
        OptionsError: its options are wrong.
        PluginError: the plugin that brings it cannot be used.
    """
    with _placing(loaded, (*at, "source")):
        place, options = _resolved(location, plugins=plugins, loaded=loaded, resolver=resolver, at=(*at, "source"))
        checked = plugins.options_model(place.scheme).model_validate(options)
    name = event_source_name(events, place)
    defaults = {"interval": min(interval, PollOptions().interval), "slowest": interval} if name == "poll" else {}
    with _placing(loaded, (*at, "events")):
        found = resolver.resolve(events.options, *at, "events", "options")
        return plugins.event_source(name, Watched(place, backend, checked, prune), {**defaults, **found})


def event_source_name(events: EventsConfig, place: Location) -> str:
    """Return the name of the event source that watches a place, also where the choice is left to cloudsync."""
    if events.source != "auto":
        return events.source
    return "local" if place.scheme == "file" else "poll"


@contextlib.contextmanager
def _placing(loaded: LoadedConfig | None, at: KeyPath) -> Iterator[None]:
    """Say where in the file it was written what is wrong."""
    try:
        yield
    except OptionsError as error:
        raise _wrong_options(error, loaded, (*at, "options")) from None
    except UnknownBackendError as error:
        raise UnknownBackendError(_placed(error, loaded, (*at, "url")), hint=error.hint) from None
    except _NoPlaceError as error:
        raise ConfigError(_placed(error, loaded, (*at, "url")), hint=error.hint) from None


def _resolved(
    location: LocationConfig, *, plugins: Plugins, loaded: LoadedConfig | None, resolver: Resolver, at: KeyPath
) -> tuple[Location, dict[str, Any]]:
    """Return the place and the options that a location names, references looked up and paths made absolute."""
    directory = loaded.directory if loaded else Path()
    url = resolver.resolve(location.url, *at, "url", secret=False)
    if (password := _PASSWORD.match(url)) is not None:
        resolver.values.add(password[1])
    options = resolver.resolve(location.options, *at, "options")
    place = _parse(url, directory)
    model = plugins.options_model(place.scheme)
    for name in _options_of_type(model, options, SecretStr):
        resolver.values.add(_revealed(options[name]))
    for name in _options_of_type(model, options, Path):
        options[name] = str(local_path(str(options[name]), directory))
    return place, options


def header_rules(job: WithHeaders, *, resolver: Resolver, at: KeyPath = ()) -> tuple[HeaderRule, ...]:
    """Return the header rules of a job as the engine applies them, their references looked up.

    Args:
        job: the job.
        resolver: looks up references.
        at: the keys that lead to the job, for instance `("jobs", "site")`.

    Raises:
        SecretNotFoundError: a reference names what does not exist.
    """
    return tuple(
        header.rule(functools.partial(_resolve_header, resolver, (*at, "headers", index)))
        for index, header in enumerate(job.headers)
    )


def _resolve_header(resolver: Resolver, at: KeyPath, value: str, *names: str) -> str:
    return resolver.resolve(value, *at, *names)


class _NoPlaceError(ConfigError):
    """The URL names no place; says why, without the place in the file."""


def _parse(url: str, directory: Path) -> Location:
    location = Location.parse(url)
    if location.scheme != "file":
        return location
    written_as_url = url[: len("file://")].lower() == "file://"
    if written_as_url and not location.rest.startswith("/"):
        raise _NoPlaceError("a file:// URL holds an absolute path: file:///srv/data; write a relative one without it")
    return location if written_as_url else Location("file", str(local_path(location.rest, directory)))


def _options_of_type(model: type[BackendOptions], options: Mapping[str, object], kind: type) -> Iterator[str]:
    """Yield the names of the options that are given, not empty, and that the backend declares to be of a type."""
    for field_name, field in model.model_fields.items():
        name = field.alias or field_name
        declared = [field.annotation, *typing.get_args(field.annotation)]
        plain = [typing.get_args(one)[0] if typing.get_origin(one) is Annotated else one for one in declared]
        if kind in plain and isinstance(options.get(name), str | kind) and options[name]:
            yield name


def _revealed(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def _placed(error: ConfigError, loaded: LoadedConfig | None, path: KeyPath) -> str:
    place = [loaded.where(*path)] if loaded else []
    side = [dotted(path[:-1])] if path[:-1] else []
    return ": ".join([*place, *side, str(error.args[0])])


def _wrong_options(error: OptionsError, loaded: LoadedConfig | None, at: KeyPath) -> OptionsError:
    if loaded is None:
        return OptionsError(_placed(error, None, at), problems=error.problems, hint=error.hint)
    found = [Problem((*at, *path), message, loaded.place((*at, *path))) for path, message in error.problems]
    listed = config_error(printable(str(loaded.path)), found, hint=error.hint)
    return OptionsError(str(listed.args[0]), problems=error.problems, hint=error.hint)
