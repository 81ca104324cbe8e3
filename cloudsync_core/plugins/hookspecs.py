"""The hooks that a plugin may implement. Pure signatures: what calls them is `cloudsync_core.plugins.facade`.

A plugin is a module named by an entry point of the group `cloudsync`; it implements hooks as functions::

    from cloudsync_core.plugins import BackendInfo, hookimpl

    @hookimpl
    def cloudsync_register_backends() -> list[BackendInfo]:
        return [BackendInfo(schemes=("demo",), summary="…", factory="cloudsync_demo.backend:DemoBackend")]
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import pluggy

from cloudsync_core.models import ObjectInfo
from cloudsync_core.plugins.records import BackendInfo, ComparatorInfo, EventSourceInfo
from cloudsync_core.runs import Action, Outcome, RunInfo, RunReport

if TYPE_CHECKING:
    import click

GROUP = "cloudsync"
"""The entry-point group, and pluggy's project name."""

hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


@hookspec
def cloudsync_register_backends() -> Sequence[BackendInfo]:  # type: ignore[empty-body]
    """Offer backends; called once, when plugins are loaded."""


@hookspec
def cloudsync_register_comparators() -> Sequence[ComparatorInfo]:  # type: ignore[empty-body]
    """Offer comparators; called once, when plugins are loaded."""


@hookspec
def cloudsync_register_event_sources() -> Sequence[EventSourceInfo]:  # type: ignore[empty-body]
    """Offer event sources; called once, when plugins are loaded."""


@hookspec
def cloudsync_register_commands(cli: click.Group) -> None:
    """Add commands to the `cloudsync` command line; called once, when it starts."""


@hookspec(firstresult=True)
def cloudsync_resolve_secret(ref: str) -> str | None:
    """Return the secret that `${ref}` in a config stands for, or `None` when `ref` is not of your kind.

    `ref` is the whole text between the braces, for instance "vault:kv/db#password". "env:" and "file:" are the core's.
    """


@hookspec(firstresult=True)
def cloudsync_include_object(run: RunInfo, entry: ObjectInfo) -> bool | None:
    """Return false to leave an object of either side out of the run, as if it were excluded; `None` for no opinion.

    Called once per object of each side: the two sides in a thread each, at the same time, each in the order of its
    listing. Not called at all when no plugin implements it.
    """


@hookspec
def cloudsync_review_plan(run: RunInfo, plan: Collection[Action]) -> None:
    """Raise `PlanRejectedError` to veto the run before its first write.

    `plan` reads from disk: it may be larger than memory. When a plugin implements this hook, nothing is written
    before both listings are complete.
    """


@hookspec
def cloudsync_run_started(run: RunInfo) -> None:
    """Take note that a run starts."""


@hookspec
def cloudsync_run_finished(run: RunInfo, report: RunReport) -> None:
    """Take note of a run's end, whatever its status."""


@hookspec
def cloudsync_outcomes(run: RunInfo, outcomes: Sequence[Outcome]) -> None:
    """Take note of what happened to some keys: at least one, in the order in which it happened."""


@hookspec
def cloudsync_update_received(channel: str, update: Any) -> None:
    """Take note of an update of a channel that was delivered to everything else that it is to be delivered to.

    Args:
        channel: the location of the channel, without credentials.
        update: a `cloudsync_core.Update`. After a crash the same one may come again: its `id` tells.
    """
