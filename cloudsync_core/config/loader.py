"""Reads a configuration file, and says of everything that is wrong with it where it stands."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import ValidationError

from cloudsync_core.config import document
from cloudsync_core.config.loaded import LoadedConfig, nearest_place
from cloudsync_core.config.model import Config
from cloudsync_core.config.problems import KeyPath, Place, Problem, config_error
from cloudsync_core.config.validation import explain
from cloudsync_core.errors import ConfigError, printable

MAX_BYTES = 1024 * 1024
"""The largest file that is taken for a configuration."""

_INIT = "write a starter configuration with: cloudsync init"


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
