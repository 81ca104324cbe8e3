"""Reads a configuration file, and says of everything that is wrong with it where it stands."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from cloudsync_core.config import document
from cloudsync_core.config.environment import local_path
from cloudsync_core.config.model import Config, Job
from cloudsync_core.config.problems import KeyPath, Place, Problem, config_error
from cloudsync_core.config.validation import explain, suggestion
from cloudsync_core.errors import ConfigError, printable

MAX_BYTES = 1024 * 1024
"""The largest file that is taken for a configuration."""

_INIT = "write a starter configuration with: cloudsync init"


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


def load(path: Path) -> LoadedConfig:
    """Return what the configuration file at `path` says.

    Raises:
        ConfigError: the file cannot be read or is wrong; the message lists every problem with its place.
    """
    name = printable(str(path))
    text = _read(path, name)
    written = document.read(text)
    if not written.problems and written.data is None:
        raise ConfigError(f"{name}: the file is empty", hint=_INIT)
    config, problems = _validate(written)
    if config is None:
        raise config_error(name, problems)
    return LoadedConfig(config, path, path.absolute().parent, written.places)


def nearest_place(places: Mapping[KeyPath, Place], path: KeyPath) -> Place:
    """Return the place of `path`, or of the nearest thing around it that has one."""
    for length in range(len(path), -1, -1):
        if path[:length] in places:
            return places[path[:length]]
    return Place(1, 1)


def _validate(written: document.Document) -> tuple[Config | None, list[Problem]]:
    if written.problems and not written.places:
        return None, list(written.problems)
    if not isinstance(written.data, dict):
        message = "a configuration is a mapping (name: value) with 'version' and 'jobs'"
        return None, [*written.problems, Problem((), message, nearest_place(written.places, ()))]
    found = list(_without_value(written.data, (), written.places))
    config = None
    try:
        config = Config.model_validate(written.data)
    except ValidationError as error:
        empty = {problem.path for problem in found}
        found += [problem for problem in explain(error) if problem.path not in empty]
    said = {problem.path for problem in written.problems}
    placed = [
        dataclasses.replace(problem, place=problem.place or nearest_place(written.places, problem.path))
        for problem in found
        if problem.path not in said
    ]
    problems = [*written.problems, *placed]
    return (None if problems else config), problems


def _without_value(value: object, path: KeyPath, places: Mapping[KeyPath, Place]) -> Iterator[Problem]:
    """Yield a problem for every entry that is written and left empty.

    An `allow:` whose items are all commented out would otherwise mean the same as no `allow` at all. Under `options`
    the entry is not named: `{hunter2}` is one, too.
    """
    if value is None:
        unnamed = "options" in path[:-1]
        message = f"{'an entry is ' if unnamed else ''}written without a value: give it one, or leave it out"
        yield Problem(path[:-1] if unnamed else path, message, nearest_place(places, path))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _without_value(item, (*path, key), places)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _without_value(item, (*path, index), places)


def _read(path: Path, name: str) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(f"{name}: no such file", hint=_INIT) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no valid path"
        raise ConfigError(f"{name}: cannot be read: {reason}") from error
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{name}: larger than {MAX_BYTES} bytes, so it is no configuration file")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{name}:{line}: not UTF-8 text", hint="save the file as UTF-8") from None
