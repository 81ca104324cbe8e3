"""The plugins of one run: a typed method for each thing that the core wants of them.

Nothing else in cloudsync calls a hook. One plugin that fails keeps no other from being asked or told.
"""

from __future__ import annotations

import copy
import dataclasses
import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Self

import pluggy

from cloudsync_core.backend import Backend
from cloudsync_core.errors import CancelledError, CloudSyncError, PlanRejectedError, PluginError
from cloudsync_core.event_source import EventSource, Watched
from cloudsync_core.location import Location
from cloudsync_core.models import ObjectInfo
from cloudsync_core.options import BackendOptions
from cloudsync_core.plugins import builtin, discovery, hookspecs, opening
from cloudsync_core.plugins.inspection import PREFIX, examine
from cloudsync_core.plugins.records import BackendInfo
from cloudsync_core.plugins.registry import Registry
from cloudsync_core.plugins.status import FAILURES, Plugin, PluginStatus, describe
from cloudsync_core.runs import Action, Outcome, RunInfo, RunReport

if TYPE_CHECKING:
    import click

IncludeObject = Callable[[ObjectInfo], bool]
"""Tells of an object whether it takes part in the run."""

_NO_OPTIONS: Final[Mapping[str, object]] = MappingProxyType({})

_log = logging.getLogger(__name__)


class Plugins:
    """The plugins of one run; made by `Plugins.load`.

    Attributes:
        hook_failures: how often the notification hooks of a plugin raised, by the plugin's label.
    """

    def __init__(self, plugins: Iterable[Plugin]) -> None:
        self.hook_failures: Counter[str] = Counter()
        self._complained: set[tuple[str, str]] = set()
        self._registry = Registry(plugins)
        self._manager = pluggy.PluginManager(hookspecs.GROUP)
        self._manager.add_hookspecs(hookspecs)
        for plugin in self._registry.plugins:
            status = plugin.status
            if plugin.active:
                self._manager.register(plugin.implementation, status.label)
            elif status.status != "refused":
                _log.warning("the plugin %s is %s: %s", status.label, status.status, status.reason)
                _log.debug("where it failed", exc_info=plugin.cause)

    @classmethod
    def load(
        cls, allow: Collection[str] | None = None, deny: Collection[str] = (), *, extra: Iterable[object] = ()
    ) -> Self:
        """Return the built-in plugins and those installed; one that cannot be used is a warning and a status.

        Args:
            allow: the distributions whose plugins may be imported; `None` means all. The built-ins always are.
            deny: distributions whose plugins are not imported, whatever `allow` says.
            extra: objects that implement hooks; they take part as installed plugins do.
        """
        own = Plugin(PluginStatus("builtin", discovery.CORE, discovery.core_version()), builtin)
        given = [Plugin(PluginStatus(f"{_name(item)}-{number}"), item) for number, item in enumerate(extra, 1)]
        found = (own, *discovery.discover(allow, deny), *given)
        return cls(examine(plugin) if plugin.active else plugin for plugin in found)

    @property
    def statuses(self) -> tuple[PluginStatus, ...]:
        """What is known about each plugin, the built-ins first."""
        return self._registry.statuses

    def schemes(self) -> tuple[str, ...]:
        """Return the schemes that plugins registered, sorted; the generic backend may serve more."""
        return self._registry.schemes

    def comparators(self) -> tuple[str, ...]:
        """Return the names that `compare:` takes, sorted."""
        return self._registry.comparators

    def event_sources(self) -> tuple[str, ...]:
        """Return the names of the event sources, sorted."""
        return self._registry.event_sources

    def backend_info(self, scheme: str) -> BackendInfo:
        """Return the record of the backend that serves a scheme.

        Raises:
            UnknownBackendError: no installed backend does, or its plugin is refused by the configuration.
            PluginLoadError: its plugin is broken; the cause is chained.
            PluginIncompatibleError: its plugin asks for another core.
            PluginConflictError: several plugins claim it.
        """
        return self._registry.backend(scheme)[1]

    def options_model(self, scheme: str) -> type[BackendOptions]:
        """Return the model of the options of a scheme's locations; raises as `backend_info` does."""
        owner, info = self._registry.backend(scheme)
        return opening.options_model(info, owner)

    def open(self, location: Location, options: Mapping[str, object] = _NO_OPTIONS, *, create: bool = False) -> Backend:
        """Return the backend of a location.

        Args:
            location: what to open.
            options: as the user wrote them, secrets resolved.
            create: the location is a target, which a backend may make when it does not exist: sets the option of
                that name where the backend has one and the user did not set it.

        Raises:
            OptionsError: the options do not fit the backend's model.
            PluginLoadError: the backend cannot be imported, or its plugin is broken.
            CloudSyncError: as `backend_info`, and whatever the backend raises.
        """
        owner, info = self._registry.backend(location.scheme)
        return opening.open_backend(info, owner, location, options, create=create)

    def comparator(self, name: str) -> Any:
        """Return a new comparator of that name: what the factory of its record makes.

        Raises:
            ConfigError: there is none of that name.
            PluginConflictError: several plugins claim it.
            PluginError: its plugin fails to make it.
        """
        owner, info = self._registry.comparator(name)
        return opening.make_comparator(info, owner)

    def event_source(self, name: str, watched: Watched, options: Mapping[str, object] = _NO_OPTIONS) -> EventSource:
        """Return the event source of that name, which watches from now on.

        Args:
            name: see `event_sources`.
            watched: what it watches.
            options: of the event source, as the user wrote them, secrets resolved.

        Raises:
            ConfigError: there is none of that name, or it cannot watch locations of that scheme.
            OptionsError: the options do not fit its model.
            PluginConflictError: several plugins claim it.
            PluginError: its plugin fails to make it.
            CloudSyncError: whatever the event source raises.
        """
        owner, info = self._registry.event_source(name)
        return opening.open_event_source(info, owner, watched, options)

    def resolve_secret(self, ref: str) -> str | None:
        """Return the secret that a plugin knows by that reference, or `None`.

        Raises:
            CloudSyncError: what a plugin raised of that kind; anything else becomes a `PluginError`.
        """
        for impl in self._implementations("resolve_secret"):
            try:
                secret = _call(impl, ref=ref)
            except CloudSyncError:
                raise
            except FAILURES as error:
                # The message stays out: it may hold what was to be kept.
                raise PluginError(
                    f"the plugin {impl.plugin_name} failed to resolve ${{{ref}}}: {type(error).__name__}"
                ) from error
            if secret is not None:
                if not isinstance(secret, str):
                    raise PluginError(f"the plugin {impl.plugin_name} resolved ${{{ref}}} to something that is no text")
                return secret
        return None

    def include_object(self, run: RunInfo) -> IncludeObject | None:
        """Return what tells whether an object takes part in the run; `None` when no plugin wants to be asked.

        The returned function raises `PluginError` when a plugin fails: without its answer the run cannot go on.
        """
        implementations = self._implementations("include_object")

        def include(entry: ObjectInfo) -> bool:
            for impl in implementations:
                try:
                    answer = _call(impl, run=run, entry=entry)
                except FAILURES as error:
                    raise PluginError(
                        f"the plugin {impl.plugin_name} failed in include_object: {describe(error)}"
                    ) from error
                if answer is not None:
                    return bool(answer)
            return True

        return include if implementations else None

    @property
    def reviews_plans(self) -> bool:
        """Whether a plugin wants to see plans, so that nothing is written before the plan is complete."""
        return bool(self._implementations("review_plan"))

    def review_plan(self, run: RunInfo, plan: Collection[Action]) -> None:
        """Let every plugin look at the plan before the first write.

        Raises:
            PlanRejectedError: a plugin vetoed it, or failed while it looked: a doubt stops the run.
        """
        for impl in self._implementations("review_plan"):
            try:
                _call(impl, run=run, plan=plan)
            except (PlanRejectedError, CancelledError):
                raise
            except FAILURES as error:
                raise PlanRejectedError(
                    f"the plugin {impl.plugin_name} failed while it reviewed the plan: {describe(error)}"
                ) from error

    def run_started(self, run: RunInfo) -> None:
        """Tell the plugins that a run starts."""
        self._notify("run_started", run=run)

    def run_finished(self, run: RunInfo, report: RunReport) -> None:
        """Tell the plugins how a run ended; what they do to the report changes their copy."""
        told = copy.deepcopy(dataclasses.replace(report, error=None))  # an error cannot be copied
        told.error = report.error
        self._notify("run_finished", run=run, report=told)

    def outcomes(self, run: RunInfo, outcomes: Sequence[Outcome]) -> None:
        """Tell the plugins what happened to some keys."""
        self._notify("outcomes", run=run, outcomes=outcomes)

    @property
    def hears_updates(self) -> bool:
        """Whether a plugin wants to be told of updates."""
        return bool(self._implementations("update_received"))

    def update_received(self, channel: str, update: Any) -> None:
        """Tell the plugins of an update of a channel, a `cloudsync_core.Update`."""
        self._notify("update_received", channel=channel, update=update)

    def register_commands(self, cli: click.Group) -> None:
        """Let the plugins add commands; one that fails or that would replace a command leaves no trace."""
        for impl in self._implementations("register_commands"):
            before = dict(cli.commands)
            try:
                _call(impl, cli=cli)
                taken = [name for name, command in before.items() if cli.commands.get(name) is not command]
                if taken:
                    raise PluginError(f"there is a command {taken[0]!r} already")
            except FAILURES as error:
                cli.commands.clear()
                cli.commands.update(before)
                self._complain(impl, "register_commands", error)

    def _implementations(self, hook: str) -> list[pluggy.HookImpl]:
        """Return who implements a hook, in pluggy's order of calls."""
        caller: pluggy.HookCaller = getattr(self._manager.hook, PREFIX + hook)
        return caller.get_hookimpls()[::-1]

    def _notify(self, hook: str, **arguments: object) -> None:
        for impl in self._implementations(hook):
            try:
                _call(impl, **arguments)
            except FAILURES as error:
                self._complain(impl, hook, error)

    def _complain(self, impl: pluggy.HookImpl, hook: str, error: BaseException) -> None:
        """Count a failure; the first one of a hook is a warning, so that a hook called often does not flood the log."""
        self.hook_failures[impl.plugin_name] += 1
        level = logging.DEBUG if (impl.plugin_name, hook) in self._complained else logging.WARNING
        self._complained.add((impl.plugin_name, hook))
        _log.log(level, "the plugin %s failed in %s: %s", impl.plugin_name, hook, describe(error))
        _log.debug("where it failed", exc_info=error)


def _call(impl: pluggy.HookImpl, **arguments: object) -> Any:
    return impl.function(*[arguments[name] for name in impl.argnames])


def _name(plugin: object) -> str:
    return str(getattr(plugin, "__name__", type(plugin).__name__))
