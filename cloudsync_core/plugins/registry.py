"""What the examined plugins brought, by name."""

from __future__ import annotations

from collections.abc import Iterable

from cloudsync_core.errors import ConfigError
from cloudsync_core.plugins import builtin, missing, opening
from cloudsync_core.plugins.claims import Claims
from cloudsync_core.plugins.records import BackendInfo, ComparatorInfo, EventSourceInfo
from cloudsync_core.plugins.status import Plugin, PluginStatus


class Registry:
    """Finds the record that serves a name, or the error that says why there is none.

    Attributes:
        plugins: every plugin, in the order given; the first one is the core's own.
    """

    def __init__(self, plugins: Iterable[Plugin]) -> None:
        self.plugins = _distinct(plugins)
        self._backends: Claims[BackendInfo] = Claims("scheme")
        self._comparators: Claims[ComparatorInfo] = Claims("comparator")
        self._event_sources: Claims[EventSourceInfo] = Claims("event source")
        for plugin in self.plugins:
            for info in plugin.backends:
                for scheme in info.schemes:
                    self._backends.add(scheme, plugin.status, info)
            for comparator in plugin.comparators:
                self._comparators.add(comparator.name, plugin.status, comparator)
            for event_source in plugin.event_sources:
                self._event_sources.add(event_source.name, plugin.status, event_source)

    @property
    def statuses(self) -> tuple[PluginStatus, ...]:
        """What is known about each plugin, conflicts between active ones included."""
        return tuple(self._with_conflict(plugin.status) for plugin in self.plugins)

    @property
    def schemes(self) -> tuple[str, ...]:
        """The registered schemes, sorted."""
        return self._backends.names()

    @property
    def comparators(self) -> tuple[str, ...]:
        """The registered comparators, sorted."""
        return self._comparators.names()

    @property
    def event_sources(self) -> tuple[str, ...]:
        """The registered event sources, sorted."""
        return self._event_sources.names()

    def backend(self, scheme: str) -> tuple[PluginStatus, BackendInfo]:
        """Return who serves a scheme, and the record; raises as `Plugins.backend_info` does."""
        claim = self._backends.get(scheme)
        if claim is not None:
            return claim
        if (error := missing.expected(scheme, self.plugins)) is not None:
            raise error
        core = self.plugins[0].status
        if opening.resolve(builtin.FALLBACK_AVAILABLE, core)(scheme):
            return core, builtin.FALLBACK
        raise missing.unknown(scheme, self.plugins, self.schemes)

    def comparator(self, name: str) -> tuple[PluginStatus, ComparatorInfo]:
        """Return who offers a comparator, and the record; raises as `Plugins.comparator` does."""
        claim = self._comparators.get(name)
        if claim is None:
            raise ConfigError(f"there is no comparator {name!r}", hint=f"there are {', '.join(self.comparators)}")
        return claim

    def event_source(self, name: str) -> tuple[PluginStatus, EventSourceInfo]:
        """Return who offers an event source, and the record; raises as `Plugins.event_source` does."""
        claim = self._event_sources.get(name)
        if claim is None:
            raise ConfigError(f"there is no event source {name!r}", hint=f"there are {', '.join(self.event_sources)}")
        return claim

    def _with_conflict(self, status: PluginStatus) -> PluginStatus:
        kinds = (self._backends, self._comparators, self._event_sources)
        conflict = next((found for kind in kinds if (found := kind.conflict(status))), None)
        return status.warned(*conflict) if conflict else status


def _distinct(plugins: Iterable[Plugin]) -> tuple[Plugin, ...]:
    """Return the plugins, of which each that repeats the name or the module of another one is broken."""
    distinct: list[Plugin] = []
    for plugin in plugins:
        twin = next((other for other in distinct if other.active and _same(plugin, other)), None)
        distinct.append(
            plugin.broken(f"it repeats {twin.status.label}: the same module or the same name")
            if plugin.active and twin
            else plugin
        )
    return tuple(distinct)


def _same(one: Plugin, other: Plugin) -> bool:
    return one.implementation is other.implementation or one.status.label == other.status.label
