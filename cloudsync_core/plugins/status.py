"""What is known about a plugin, on its way from being found to being active."""

from __future__ import annotations

import dataclasses
from typing import Final, Literal

from cloudsync_core.errors import printable
from cloudsync_core.plugins.records import BackendInfo, ComparatorInfo, EventSourceInfo

Status = Literal["active", "refused", "incompatible", "broken"]

FAILURES: Final = (Exception, SystemExit)
"""What a plugin's code may raise without ending the program; an interrupt by the user is none of them."""

_LONGEST_REASON = 500


@dataclasses.dataclass(frozen=True, slots=True)
class PluginStatus:
    """One line of `cloudsync plugins list`.

    Attributes:
        name: the entry point's name.
        distribution: what pip calls the package; empty for a plugin that was handed over in the same process.
        version: of the distribution.
        status: "active"; "refused" by the configuration's allow or deny list; "incompatible" with this core;
            "broken": it cannot be imported or registered.
        reason: why it is not active, or what is wrong with one that is (a scheme that another plugin claims too).
        remedy: what the user can do about it: mostly a pip command.
        schemes: the URL schemes that it offers, where it came far enough to say so.
        hooks: the hooks that it implements, without `cloudsync_`, likewise.
        requires_core: the versions of cloudsync-core that its distribution asks for, for instance "<0.2,>=0.1".
    """

    name: str
    distribution: str = ""
    version: str = ""
    status: Status = "active"
    reason: str = ""
    remedy: str = ""
    schemes: tuple[str, ...] = ()
    hooks: tuple[str, ...] = ()
    requires_core: str = ""

    @property
    def label(self) -> str:
        """What messages call the plugin: `demo (cloudsync-demo 0.1.0)`."""
        return f"{self.name} ({self.distribution} {self.version})" if self.distribution else self.name

    def warned(self, reason: str, remedy: str) -> PluginStatus:
        """Return the status with something that is wrong though the plugin is active."""
        return dataclasses.replace(self, reason=reason, remedy=remedy)


@dataclasses.dataclass(frozen=True, slots=True)
class Plugin:
    """A plugin and everything it brought.

    Attributes:
        status: how far it came.
        implementation: the loaded module; `None` when it is not active.
        cause: what it raised when it is broken.
        backends: the records that it registered; so are `comparators` and `event_sources`.
    """

    status: PluginStatus
    implementation: object = None
    cause: BaseException | None = None
    backends: tuple[BackendInfo, ...] = ()
    comparators: tuple[ComparatorInfo, ...] = ()
    event_sources: tuple[EventSourceInfo, ...] = ()

    @property
    def active(self) -> bool:
        """Whether the plugin takes part."""
        return self.status.status == "active"

    def refused(self, reason: str, remedy: str) -> Plugin:
        """Return the plugin as one that the configuration does not want."""
        return self._rejected("refused", reason, remedy)

    def incompatible(self, reason: str) -> Plugin:
        """Return the plugin as one that asks for another core."""
        packages = f"cloudsync-core {self.status.distribution}".rstrip()
        return self._rejected("incompatible", reason, f"pip install --upgrade {packages}")

    def broken(self, reason: str, cause: BaseException | None = None) -> Plugin:
        """Return the plugin as one that cannot be used."""
        distribution = self.status.distribution
        remedy = f"pip install --upgrade --force-reinstall {distribution}" if distribution else ""
        return self._rejected("broken", reason, remedy, cause)

    def _rejected(self, status: Status, reason: str, remedy: str, cause: BaseException | None = None) -> Plugin:
        return Plugin(dataclasses.replace(self.status, status=status, reason=reason, remedy=remedy), cause=cause)


def describe(error: BaseException) -> str:
    """Return an error of a plugin's code on one line: its class and its message."""
    message = printable(" ".join(str(error).split()))[:_LONGEST_REASON]
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
