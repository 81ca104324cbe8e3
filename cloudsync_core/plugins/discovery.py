"""Finds the installed plugins, decides which may be imported, and imports those.

Everything that can be decided without running a plugin's code is decided first, from its distribution's metadata.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.metadata
import logging
import re
import sys
from collections.abc import Collection, Iterator
from importlib.metadata import Distribution, EntryPoint

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from cloudsync_core.plugins.hookspecs import GROUP
from cloudsync_core.plugins.status import FAILURES, Plugin, PluginStatus, describe

CORE = "cloudsync-core"
"""The distribution whose version plugins ask for."""

_OUR_GROUP = re.compile(rf"^\s*\[\s*{re.escape(GROUP)}\s*\]", re.MULTILINE)

_log = logging.getLogger(__name__)


def discover(allow: Collection[str] | None = None, deny: Collection[str] = ()) -> Iterator[Plugin]:
    """Yield every installed plugin by the order of its name, imported where it may and can be.

    Args:
        allow: the distributions whose plugins may be imported; `None` means all. Names are compared as pip does.
        deny: distributions whose plugins are not imported, whatever `allow` says.
    """
    policy = _Policy(
        None if allow is None else frozenset(map(canonicalize_name, allow)), frozenset(map(canonicalize_name, deny))
    )
    core = core_version()
    # Directories of packages are read in the order of the disk: without this, the order in which plugins are asked, and
    # so which of two answers counts, would be another on each machine.
    for plugin, entry in sorted(_installed(), key=lambda found: (found[0].status.name, found[0].status.distribution)):
        judged = policy.judge(_check_core(plugin, core)) if plugin.active else plugin
        yield _imported(judged, entry) if judged.active and entry is not None else judged


def core_version() -> str:
    """Return the version of the installed core."""
    return importlib.metadata.version(CORE)


def _installed() -> Iterator[tuple[Plugin, EntryPoint | None]]:
    """Yield each plugin with its entry point, or without one when its distribution's metadata are damaged.

    A distribution that is installed twice counts where Python would import it from: first on the path.
    """
    seen = set()
    for distribution in importlib.metadata.distributions():
        if not _offers_plugins(distribution):
            continue
        status = PluginStatus(f"in {distribution.locate_file('')}")
        try:
            name = distribution.metadata["Name"]
            identity = canonicalize_name(name)
            if identity in seen:
                continue
            seen.add(identity)
            status = PluginStatus(name, name, distribution.version, requires_core=str(_required_core(distribution)))
            entries = tuple(distribution.entry_points.select(group=GROUP))
        except Exception as error:  # noqa: BLE001 - damaged metadata may raise anything: this distribution alone fails
            yield Plugin(status).broken(f"its metadata are damaged: {describe(error)}", error), None
            continue
        for entry in entries:
            yield Plugin(dataclasses.replace(status, name=entry.name)), entry


def _offers_plugins(distribution: Distribution) -> bool:
    try:
        text = distribution.read_text("entry_points.txt")
    except (OSError, UnicodeError) as error:
        _log.debug("the entry points in %s cannot be read: %s", distribution.locate_file(""), error)
        return False
    return text is not None and _OUR_GROUP.search(text) is not None


@dataclasses.dataclass(frozen=True, slots=True)
class _Policy:
    """The allow and deny lists, normalised."""

    allow: frozenset[str] | None
    deny: frozenset[str]

    def judge(self, plugin: Plugin) -> Plugin:
        name = plugin.status.distribution
        identity = canonicalize_name(name)
        if identity in self.deny:
            return plugin.refused("the deny list names it", f"take {name} out of plugins.deny")
        if self.allow is not None and identity not in self.allow:
            return plugin.refused("the allow list does not name it", f"add {name} to plugins.allow")
        return plugin


def _check_core(plugin: Plugin, core: str) -> Plugin:
    wanted = plugin.status.requires_core
    if SpecifierSet(wanted).contains(core, prereleases=True):
        return plugin
    return plugin.incompatible(f"it requires {CORE} {wanted}, and {core} is installed")


def _required_core(distribution: Distribution) -> SpecifierSet:
    wanted = SpecifierSet()
    for line in distribution.requires or ():
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue  # of some other package: pip would not have installed a plugin whose own line it cannot read
        if canonicalize_name(requirement.name) == CORE and (
            requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        ):
            wanted &= requirement.specifier
    return wanted


def _imported(plugin: Plugin, entry: EntryPoint) -> Plugin:
    try:
        # Standard output belongs to the command: with --json a stray print would damage it.
        with contextlib.redirect_stdout(sys.stderr):
            return dataclasses.replace(plugin, implementation=entry.load())
    except FAILURES as error:
        return plugin.broken(describe(error), error)
