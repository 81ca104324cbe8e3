"""Examines one plugin by itself: are its hooks ones that exist, and what does it register?

Each plugin is tried in a pluggy manager of its own, so that nothing of one that fails is left behind.
"""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import re
from collections.abc import Iterable, Sequence
from typing import TypeVar

import pluggy

from cloudsync_core.errors import PluginIncompatibleError
from cloudsync_core.plugins import hookspecs
from cloudsync_core.plugins.records import API_VERSION, BackendInfo, ComparatorInfo, EventSourceInfo
from cloudsync_core.plugins.status import FAILURES, Plugin, describe

PREFIX = "cloudsync_"
"""What the name of every hook starts with; in a plugin module no other function's name does."""

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")
_IMPORT_STRING = re.compile(r"[\w.]+:[\w.]+")

Record = TypeVar("Record", BackendInfo, ComparatorInfo, EventSourceInfo)


def examine(plugin: Plugin) -> Plugin:
    """Return the plugin with its hooks and records, or as a broken or incompatible one."""
    try:
        callers = _hooks(plugin)
        backends = _records(callers, "cloudsync_register_backends", BackendInfo)
        comparators = _records(callers, "cloudsync_register_comparators", ComparatorInfo)
        event_sources = _records(callers, "cloudsync_register_event_sources", EventSourceInfo)
        _check_backends(backends)
        _check_event_sources(event_sources)
    except PluginIncompatibleError as error:
        return plugin.incompatible(str(error))
    except pluggy.PluginValidationError as error:
        return plugin.broken(" ".join(str(error).split()), error)
    except FAILURES as error:
        return plugin.broken(describe(error), error)
    status = dataclasses.replace(
        plugin.status,
        schemes=tuple(scheme for info in backends for scheme in info.schemes),
        hooks=tuple(sorted(caller.name.removeprefix(PREFIX) for caller in callers)),
    )
    return dataclasses.replace(
        plugin, status=status, backends=backends, comparators=comparators, event_sources=event_sources
    )


def _hooks(plugin: Plugin) -> Sequence[pluggy.HookCaller]:
    implementation = plugin.implementation
    manager = pluggy.PluginManager(hookspecs.GROUP)
    manager.add_hookspecs(hookspecs)
    manager.register(implementation, plugin.status.label)
    callers = manager.get_hookcallers(implementation) or []
    for caller in callers:
        for hook in caller.get_hookimpls():
            if hook.wrapper or hook.hookwrapper:
                raise pluggy.PluginValidationError(
                    implementation, f"{caller.name} is a wrapper, which could hide what another plugin says"
                )
            if not caller.has_spec() and not hook.optionalhook:
                raise pluggy.PluginValidationError(
                    implementation, f"there is no hook {caller.name}{_nearest(caller.name)}"
                )
    _check_unmarked(implementation, {caller.name for caller in callers})
    if not callers:
        raise pluggy.PluginValidationError(implementation, "it implements no hook")
    return callers


def _check_unmarked(implementation: object, marked: Iterable[str]) -> None:
    """Raise for a function that is named as a hook and would never be called."""
    for name in sorted(set(dir(implementation)).difference(marked)):
        if name.startswith(PREFIX) and inspect.isroutine(inspect.getattr_static(implementation, name)):
            raise pluggy.PluginValidationError(implementation, f"{name} is not marked with @hookimpl{_nearest(name)}")


def _nearest(name: str) -> str:
    names = [spec for spec in vars(hookspecs) if spec.startswith(PREFIX)]
    near = [] if name in names else difflib.get_close_matches(name, names, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _records(callers: Iterable[pluggy.HookCaller], hook: str, kind: type[Record]) -> tuple[Record, ...]:
    records: list[Record] = []
    implementations = [impl for caller in callers if caller.name == hook for impl in caller.get_hookimpls()]
    for answer in [impl.function() for impl in implementations]:
        if not isinstance(answer, list | tuple) or not all(isinstance(record, kind) for record in answer):
            raise TypeError(f"{hook} returns a list of {kind.__name__}")
        records.extend(answer)
    for record in records:
        if not _IMPORT_STRING.fullmatch(record.factory):
            raise ValueError(f"{hook}: the factory {record.factory!r} does not read 'module:name'")
    return tuple(records)


def _check_backends(backends: Iterable[BackendInfo]) -> None:
    seen: set[str] = set()
    for info in backends:
        if info.api_version != API_VERSION:
            raise PluginIncompatibleError(
                f"it was written for version {info.api_version} of the plugin interface; this core has {API_VERSION}"
            )
        schemes: object = info.schemes  # typed, by plugins that may not be
        if not isinstance(schemes, tuple):
            raise TypeError(f"the schemes of {info.factory!r} are no tuple: {schemes!r}")
        if not schemes:
            raise ValueError(f"the backend {info.factory!r} serves no scheme")
        for scheme in schemes:
            if not _SCHEME.fullmatch(scheme):
                raise ValueError(f"{scheme!r} is no URL scheme in lower case")
            if scheme in seen:
                raise ValueError(f"it registers the scheme {scheme!r} twice")
            seen.add(scheme)
        if not _IMPORT_STRING.fullmatch(info.options):
            raise ValueError(f"the options {info.options!r} do not read 'module:name'")


def _check_event_sources(event_sources: Iterable[EventSourceInfo]) -> None:
    for info in event_sources:
        schemes: object = info.schemes  # typed, by plugins that may not be
        if not isinstance(schemes, tuple):
            raise TypeError(f"the schemes of {info.factory!r} are no tuple: {schemes!r}")
        if not _IMPORT_STRING.fullmatch(info.options):
            raise ValueError(f"the options {info.options!r} do not read 'module:name'")
