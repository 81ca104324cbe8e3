"""What the commands of releases share: LOCATION and its options, jobs made of options, and the open releases."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click
from pydantic import BaseModel, ValidationError

from cloudsync_core.api.releases import Releases
from cloudsync_core.cli.console import Console
from cloudsync_core.cli.options import assignments, location_of
from cloudsync_core.config.locations import LocationConfig
from cloudsync_core.config.opening import open_location
from cloudsync_core.config.secrets import Resolver
from cloudsync_core.config.validation import explain
from cloudsync_core.errors import ConfigError
from cloudsync_core.layers.readonly import ReadOnly
from cloudsync_core.plugins.facade import Plugins
from cloudsync_core.releases.names import LIVE

Function = TypeVar("Function", bound=Callable[..., Any])
Model = TypeVar("Model", bound=BaseModel)


def location_argument(function: Function) -> Function:
    """Give a command LOCATION and the options of its backend."""
    function = click.option(
        "--option",
        "given",
        multiple=True,
        metavar="NAME=VALUE",
        help="An option of LOCATION's backend; ${env:NAME} and ${file:path} stand for secrets. Repeatable.",
    )(function)
    return click.argument("location", type=click.Path())(function)


def pointer_option(text: str) -> Callable[[Function], Function]:
    """Return a decorator that gives a command the option `--pointer`."""
    return click.option("--pointer", default=LIVE, show_default=True, metavar="NAME", help=text)


def moving_options(function: Function) -> Function:
    """Give a command what those need that move pointers."""
    for option in (
        click.option(
            "--wait", type=click.IntRange(0), default=0, metavar="SECONDS", help="How long to wait for another run."
        ),
        click.option(
            "--lease/--no-lease",
            default=True,
            help="Keep other runs from the location meanwhile, where its store can do that. [default: --lease]",
        ),
        click.option("--publisher", metavar="NAME", help="Who does it; by default the name of this machine."),
    ):
        function = option(function)
    return function


def source_location(url: str, options: tuple[str, ...]) -> LocationConfig:
    """Return the location of SOURCE.

    Raises:
        ConfigError: an option is wrong.
    """
    assignments(options, "--source-option")
    return location_of(url, options)


def job_of(model: type[Model], given: Mapping[str, Any]) -> Model:
    """Return the job that a command line describes; what it does not mention has the model's default.

    Raises:
        ConfigError: a value is wrong; the message names its option.
    """
    mentioned = {name: value for name, value in given.items() if value is not None and value != ()}
    try:
        return model.model_validate(mentioned)
    except ValidationError as error:
        lines = [f"{_flag(problem.path)}: {problem.message}" for problem in explain(error)]
        raise ConfigError("\n".join(lines)) from None


@contextlib.contextmanager
def releases(
    console: Console, location: str, given: tuple[str, ...], *, write: bool = False, **rules: Any
) -> Iterator[Releases]:
    """Open the releases of a location for the length of the block.

    Args:
        console: keeps secrets out of what is printed.
        location: the LOCATION argument.
        given: the options of its backend, NAME=VALUE.
        write: without, nothing there can be changed by mistake.
        **rules: of `Releases`.
    """
    where = location_of(location, given)
    plugins = Plugins.load()
    resolver = Resolver(directory=Path.cwd(), hook=plugins.resolve_secret)
    console.hide(resolver.values)
    backend = open_location(where, plugins=plugins, loaded=None, resolver=resolver, create=False)
    with Releases(backend if write else ReadOnly(backend), **rules) as found:
        yield found


def _flag(path: tuple[str | int, ...]) -> str:
    name = str(path[0]) if path else ""
    return {"source": "SOURCE", "target": "DIRECTORY"}.get(name, f"--{name.replace('_', '-')}")
