"""What the commands of channels share: CHANNEL and its options, and the open channel."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click

from cloudsync_core.api.subscribing import subscriber_state
from cloudsync_core.backend import Backend
from cloudsync_core.channels.update import Update
from cloudsync_core.cli.console import Console
from cloudsync_core.cli.formats import size
from cloudsync_core.cli.options import location_of
from cloudsync_core.config.opening import open_location
from cloudsync_core.config.secrets import Resolver
from cloudsync_core.errors import DeliveryError, printable
from cloudsync_core.layers.readonly import ReadOnly
from cloudsync_core.layers.retry import Retry, RetryPolicy
from cloudsync_core.plugins.facade import Plugins

SHOWN = 64 * 1024
"""Bytes of content that are printed with an update, at most."""

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclasses.dataclass(frozen=True, slots=True)
class Opened:
    """An open channel.

    Attributes:
        backend: the channel, whose failed operations are tried again.
        plugins: what serves it.
        resolver: looks up references to secrets.
        url: the location as it was given.
    """

    backend: Backend
    plugins: Plugins
    resolver: Resolver
    url: str


def channel_argument(function: Function) -> Function:
    """Give a command CHANNEL and the options of its backend."""
    function = click.option(
        "--option",
        "given",
        multiple=True,
        metavar="NAME=VALUE",
        help="An option of the channel's backend; ${env:NAME} and ${file:path} stand for secrets. Repeatable.",
    )(function)
    return click.argument("channel", type=click.Path())(function)


def state_option(function: Function) -> Function:
    """Give a command the state database of a subscriber."""
    return click.option(
        "--state",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="The subscriber's state database; by default one in the user's state directory, by CHANNEL and NAME.",
    )(function)


def state_path(given: Path | None, channel: str, name: str) -> Path:
    """Return where the state of a subscriber is."""
    default = subscriber_state(channel, name)
    return default if given is None else given


@contextlib.contextmanager
def opened(
    console: Console,
    channel: str,
    given: tuple[str, ...],
    *,
    write: bool = False,
    create: bool = False,
    stop: threading.Event | None = None,
) -> Iterator[Opened]:
    """Open a channel for the length of the block.

    Args:
        console: keeps secrets out of what is printed.
        channel: the CHANNEL argument.
        given: the options of its backend, NAME=VALUE.
        write: without, nothing can be written to it by mistake.
        create: it may be made when it does not exist.
        stop: ends the waits between attempts.
    """
    where = location_of(channel, given)
    plugins = Plugins.load()
    resolver = Resolver(directory=Path.cwd(), hook=plugins.resolve_secret)
    console.hide(resolver.values)
    backend = open_location(where, plugins=plugins, loaded=None, resolver=resolver, create=create)
    retried = Retry(backend, RetryPolicy(), stop=stop)
    with retried if write else ReadOnly(retried) as ready:
        yield Opened(ready, plugins, resolver, channel)


def shown(update: Update) -> str:
    """Return the line of an update: its id, its topic and its content, or what that is where it is large or binary."""
    content = text_of(update)
    what = f"({size(update.size)} of {update.content_type})" if content is None else content
    return "  ".join(map(printable, (update.id, update.topic, what)))


def values(update: Update) -> dict[str, Any]:
    """Return the event of an update: with its content, where that is text or JSON and small."""
    described = update.to_dict()
    if update.kind != "bytes" and update.size <= SHOWN:
        described["content"] = update.content
    return described


def text_of(update: Update) -> str | None:
    """Return the content of an update as text, where it is small and can be read."""
    if update.size > SHOWN:
        return None
    try:
        return update.read().decode()
    except UnicodeDecodeError:
        return None


class Printing:
    """Prints updates: what a subscriber without another delivery does; each is with the system before it is done."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def __call__(self, update: Update) -> None:
        """Print an update. See `Deliverer`."""
        self._console.event("update", values(update))
        self._console.result(shown(update))
        self._console.close()
        if self._console.lost:
            raise DeliveryError("standard output cannot be written")

    def close(self) -> None:
        """Nothing is held."""

    def describe(self) -> str:
        """Return what is written to."""
        return "standard output"
