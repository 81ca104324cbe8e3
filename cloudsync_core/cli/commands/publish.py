"""`cloudsync publish`."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Final

import click

from cloudsync_core.channels import names, topics
from cloudsync_core.channels.publisher import Message, Publisher
from cloudsync_core.channels.update import Update
from cloudsync_core.cli.channels import channel_argument, opened
from cloudsync_core.cli.command import Command
from cloudsync_core.cli.console import Console
from cloudsync_core.cli.formats import plural
from cloudsync_core.cli.input import lines_at_hand, spooled, standard_input
from cloudsync_core.cli.interrupts import terminable
from cloudsync_core.config.environment import default_state_path
from cloudsync_core.engine.probing import find_out
from cloudsync_core.engine.state import State
from cloudsync_core.errors import ConfigError, StateError, printable

FILENAME: Final = "filename"
"""The metadata that tells the name of the file which was published."""


@click.command(cls=Command)
@channel_argument
@click.argument("stdin", metavar="[-]", required=False)
@click.option("--topic", required=True, metavar="TOPIC", help="What the update is about: text with / between segments.")
@click.option(
    "--file", type=click.Path(path_type=Path), metavar="FILE", help="Publish the content of this file, of any size."
)
@click.option("--content", metavar="TEXT", help="Publish this text.")
@click.option("--lines", is_flag=True, help="Publish each line of standard input as an update, as they come.")
@click.option("--json-content", is_flag=True, help="The content is JSON, and is published as the value that it says.")
@click.option("--meta", multiple=True, metavar="NAME=VALUE", help="Metadata that goes with the update. Repeatable.")
@click.option("--content-type", metavar="TYPE", help="The media type; by default told by the content or FILE's name.")
@click.option("--publisher", metavar="NAME", help="The name of the publisher; by default that of this machine.")
def publish(
    console: Console,
    channel: str,
    stdin: str | None,
    *,
    given: tuple[str, ...],
    topic: str,
    file: Path | None,
    content: str | None,
    lines: bool,
    json_content: bool,
    meta: tuple[str, ...],
    content_type: str | None,
    publisher: str | None,
) -> int:
    """Publish an update in CHANNEL, and print its id.

    Give the content by --file, by --content, or as - on standard input; --lines publishes many. What is printed is in
    the channel: every subscriber gets it.
    """
    if stdin not in {None, "-"}:
        raise ConfigError(f"{printable(stdin or '')!r} is neither an option nor '-' for standard input")
    ways = [name for name, is_given in (("--file", file), ("--content", content), ("-", stdin)) if is_given is not None]
    if lines and ways in ([], ["-"]):
        ways = ["-"]
    elif lines or len(ways) != 1:
        raise ConfigError(
            "choose one of --file, --content and '-' for standard input; --lines is for standard input"
            if ways
            else "there is no content: give --file, --content, or '-' for standard input"
        )
    topics.checked(topic)
    name = names.host_name() if publisher is None else names.checked(publisher, "publisher")
    metadata = _metadata(meta)
    with terminable(), contextlib.ExitStack() as stack:
        place = stack.enter_context(opened(console, channel, given, write=True, create=True))
        by = _Publishing(console, Publisher(place.backend, name), json_content=json_content)

        def message(content: Any, more: dict[str, str]) -> Message:
            return Message(topic, content, {**more, **metadata}, content_type)

        with _state(channel, name) as state:
            find_out(place.backend, state)
        if lines:
            by.lines(standard_input(), message)
        elif content is not None:
            by.one(message(_parsed(content, "--content") if json_content else content, {}))
        elif file is not None:
            by.one(message(_loaded(file) if json_content else file, {FILENAME: file.name}))
        else:
            kept = stack.enter_context(spooled(standard_input()))
            by.one(message(_loaded(kept) if json_content else kept, {}))
    if lines:
        console.note(f"{plural(by.published, 'update')} published")
    console.event("report", {"updates": by.published, "exit_code": 0})
    return 0


class _Publishing:
    """Publishes, and prints what was published as soon as it is in the channel."""

    def __init__(self, console: Console, publisher: Publisher, *, json_content: bool) -> None:
        self._console = console
        self._publisher = publisher
        self._json = json_content
        self.published = 0

    def one(self, message: Message) -> None:
        self._tell([self._publisher.publish(message)])

    def lines(self, stream: IO[bytes], message: Callable[[Any, dict[str, str]], Message]) -> None:
        for batch in lines_at_hand(stream):
            contents = [self._content(line, self.published + number) for number, line in enumerate(batch, 1)]
            self._tell(self._publisher.publish_many([message(content, {}) for content in contents]))

    def _content(self, line: bytes, number: int) -> Any:
        where = f"line {number} of standard input"
        try:
            text = line.decode()
        except UnicodeDecodeError:
            raise ConfigError(f"{where} is not UTF-8 text; the lines before its batch were published") from None
        return _parsed(text, where) if self._json else text

    def _tell(self, updates: list[Update]) -> None:
        self.published += len(updates)
        for update in updates:
            self._console.event("published", update.to_dict(), flush=False)
            self._console.result(update.id)
        self._console.close()


def _metadata(texts: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise ConfigError("--meta: write NAME=VALUE")
        if name in found:
            raise ConfigError(f"--meta: {printable(name)} is given twice")
        found[name] = value
    return found


def _parsed(text: str, what: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{what} is no JSON: {error}") from None


def _loaded(file: Path) -> Any:
    try:
        return _parsed(file.read_text(encoding="utf-8"), "the content")
    except OSError as error:
        raise ConfigError(f"{printable(str(file))}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError("the content is no JSON: it is not UTF-8 text") from None


@contextlib.contextmanager
def _state(channel: str, name: str) -> Iterator[State]:
    """Open where is remembered what the channel's store can do; without that it is found out again."""
    with contextlib.ExitStack() as stack:
        try:
            state = stack.enter_context(State(default_state_path(channel, f"publisher://{name}")))
        except (StateError, ConfigError):
            state = stack.enter_context(State(None))
        yield state
