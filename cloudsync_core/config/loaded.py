"""A configuration that was read from a file, and where in it each value stands."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cloudsync_core.config.environment import local_path
from cloudsync_core.config.problems import KeyPath, Place
from cloudsync_core.config.validation import suggestion
from cloudsync_core.errors import ConfigError, printable

if TYPE_CHECKING:
    # Commands that read no file need not know all that one can say.
    from cloudsync_core.config.model import Config, Job


@dataclasses.dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A configuration and the file it came from.

    Attributes:
        config: what the file says; references to secrets are still references.
        path: the file, as it was named.
        directory: what relative paths in the file are relative to: the absolute directory of `path`, of which no
            symbolic link is followed.
        places: where each value was written.
    """

    config: Config
    path: Path
    directory: Path
    places: Mapping[KeyPath, Place]

    @property
    def state_path(self) -> Path:
        """The absolute path of the state database; `~/` is the home directory."""
        return local_path(self.config.state, self.directory)

    def where(self, *path: str | int) -> str:
        """Return `file:line` of a value, or of the nearest thing around it that was written.

        >>> loaded.where("jobs", "site", "target")  # doctest: +SKIP
        'config.yaml:12'
        """
        return f"{printable(str(self.path))}:{self.place(path).line}"

    def place(self, path: KeyPath) -> Place:
        """Return the line and column of a value, or of the nearest thing around it that was written."""
        return nearest_place(self.places, path)

    def jobs(self, names: Sequence[str] = ()) -> dict[str, Job]:
        """Return the jobs called `names`, in that order, or all in the order of the file when none is named.

        Raises:
            ConfigError: there is no job of such a name.
        """
        known = self.config.jobs
        for name in names:
            if name not in known:
                nearest = suggestion(name, list(known))
                raise ConfigError(f"{printable(str(self.path))}: no job '{printable(name)}'; {nearest}")
        return {name: known[name] for name in names or known}


def nearest_place(places: Mapping[KeyPath, Place], path: KeyPath) -> Place:
    """Return the place of `path`, or of the nearest thing around it that has one."""
    for length in range(len(path), -1, -1):
        if path[:length] in places:
            return places[path[:length]]
    return Place(1, 1)
