"""Takes in a configuration file that was read again, while its jobs go on."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from cloudsync_core.cli.jobs import Jobs
from cloudsync_core.config.loaded import LoadedConfig
from cloudsync_core.config.secrets import Resolver
from cloudsync_core.errors import printable
from cloudsync_core.plugins.facade import Plugins
from cloudsync_core.workflows.context import opposites_of
from cloudsync_core.workflows.table import is_continuous

if TYPE_CHECKING:
    # Commands that read no file need not know all that one can say.
    from cloudsync_core.config.model import Job

Read = Callable[[], "tuple[LoadedConfig, dict[str, Job]]"]
"""Reads the file again, and returns it with the jobs that are wanted."""


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """What a new configuration changes.

    Attributes:
        jobs: as of the new file.
        selected: the jobs that go on, of the new file, by name.
        ended: the names of those that are to end, because they are gone, or to be started anew.
        started: the names of those that are to start after that.
    """

    jobs: Jobs
    selected: Mapping[str, Job]
    ended: frozenset[str]
    started: tuple[str, ...]

    def __str__(self) -> str:
        parts = {
            "ended": sorted(self.ended.difference(self.started)),
            "started anew": [name for name in self.started if name in self.ended],
            "started": [name for name in self.started if name not in self.ended],
        }
        told = [f"{what}: {printable(', '.join(names))}" for what, names in parts.items() if names]
        return "; ".join(told) or "nothing has changed for the jobs that go on"


def lasting_of(selected: Mapping[str, Job]) -> dict[str, Job]:
    """Return those of some jobs that go on until they are stopped."""
    return {name: job for name, job in selected.items() if is_continuous(job)}


def change_of(jobs: Jobs, selected: Mapping[str, Job], running: frozenset[str], read: Read) -> Change:
    """Return what changes when the file is read again.

    A job has changed when its own text has, when the other jobs have that it shares its places with, or when the
    plugins or the state database are others. One that has ended by an error is started again.

    Args:
        jobs: as of the file before.
        selected: the jobs that go on, of the file before.
        running: the names of those that have not ended by themselves.
        read: reads the file.

    Raises:
        CloudSyncError: the new file cannot be used.
    """
    assert jobs.loaded is not None
    loaded, wanted = read()
    lasting = lasting_of(wanted)
    before, after = jobs.loaded.config, loaded.config
    plugins = jobs.plugins
    if before.plugins != after.plugins:
        plugins = Plugins.load(after.plugins.allow, after.plugins.deny)
    resolver = Resolver(directory=loaded.directory, hook=plugins.resolve_secret, where=loaded.where)
    everything = before.plugins != after.plugins or jobs.loaded.state_path != loaded.state_path

    def differs(name: str) -> bool:
        return (
            everything
            or selected.get(name) != lasting[name]
            or opposites_of(jobs.loaded, name) != opposites_of(loaded, name)
        )

    changed = {name for name in lasting if differs(name)}
    return Change(
        dataclasses.replace(jobs, plugins=plugins, resolver=resolver, loaded=loaded),
        lasting,
        frozenset(running & (changed | (selected.keys() - lasting.keys()))),
        tuple(name for name in lasting if name in changed or name not in running),
    )
