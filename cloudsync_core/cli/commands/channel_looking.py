"""`cloudsync channel ls`, `tail`, `show` and `stats`: what is in a channel."""

from __future__ import annotations

from collections.abc import Iterator

import click

from cloudsync_core.channels import ids
from cloudsync_core.channels.scan import fetch, scan
from cloudsync_core.channels.stats import ChannelStats
from cloudsync_core.channels.stats import stats as stats_of
from cloudsync_core.channels.topics import TopicFilter
from cloudsync_core.channels.update import Update, rfc3339
from cloudsync_core.cli.channels import (
    SHOWN,
    Opened,
    channel_argument,
    opened,
    text_of,
    values,
)
from cloudsync_core.cli.command import Command
from cloudsync_core.cli.console import Console
from cloudsync_core.cli.formats import moment, number, plural, size
from cloudsync_core.cli.summary import table
from cloudsync_core.cli.tailing import follow, newest
from cloudsync_core.errors import ChannelError, ConfigError, printable


@click.command("ls", cls=Command)
@channel_argument
def ls(console: Console, channel: str, *, given: tuple[str, ...]) -> int:
    """List the objects of updates: id, publisher and stored size of each, the oldest first; none of them is read."""
    objects = total = foreign = 0
    with opened(console, channel, given) as place:
        for page, others in scan(place.backend, None):
            for listed in page:
                objects, total = objects + 1, total + listed.size
                at = ids.time_ns(listed.id) / 1e9
                described = {"id": listed.id, "publisher": listed.publisher, "size": listed.size, "key": listed.key}
                console.event("channel_object", described, flush=False)
                console.result(f"{listed.id}  {moment(at)}  {listed.size:>9,}  {listed.publisher}")
            for other in others:
                foreign += 1
                console.event("update_skipped", {"key": other.key, "kind": "foreign", "reason": other.reason})
                console.trouble(f"warning: {printable(other.key)}: {other.reason}", {"fg": "yellow"})
    console.note(f"{plural(objects, 'object')}, {size(total)}")
    console.event("report", {"objects": objects, "bytes": total, "foreign": foreign, "exit_code": 0})
    return 0


@click.command("tail", cls=Command)
@channel_argument
@click.option(
    "-n", "--lines", "count", type=click.IntRange(0), default=10, show_default=True, help="So many, the newest."
)
@click.option("-f", "--follow", "goes_on", is_flag=True, help="Go on with those that come, until it is interrupted.")
@click.option("--topic", "topics", multiple=True, metavar="PATTERN", help="Only topics that match this. Repeatable.")
@click.option(
    "--interval",
    type=click.FloatRange(0.1),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="Seconds between looks.",
)
def tail(
    console: Console,
    channel: str,
    *,
    given: tuple[str, ...],
    count: int,
    goes_on: bool,
    topics: tuple[str, ...],
    interval: float,
) -> int:
    """Print the newest updates, a line each: id, topic, content. Nobody's place in the channel changes by it."""
    wanted = TopicFilter(topics)
    with opened(console, channel, given) as place:
        known = newest(console, place.backend, count, wanted)
        if goes_on:
            follow(console, place.backend, known, topics=topics, interval=interval)
    console.event("report", {"updates": known.printed, "exit_code": known.exit_code})
    return known.exit_code


@click.command("show", cls=Command)
@channel_argument
@click.argument("update_id", metavar="ID")
@click.option("--raw", is_flag=True, help="Write the bytes of the content to standard output, and nothing else.")
def show(console: Console, channel: str, update_id: str, *, given: tuple[str, ...], raw: bool) -> int:
    """Show an update with its content."""
    if not ids.is_update_id(update_id):
        raise ConfigError(
            f"{printable(update_id)!r} is no id of an update", hint="'cloudsync channel tail' prints ids."
        )
    if raw and console.json:
        raise ConfigError("choose one of --raw and --json")
    with opened(console, channel, given) as place:
        update = _found(place, update_id)
        if raw:
            for chunk in update.chunks():
                console.content(chunk)
            return 0
        console.event("update", values(update))
        for name, value in _details(update):
            console.result(f"{name + ':':<14}{printable(value)}")
        content = text_of(update)
        why = "it is no text" if update.size <= SHOWN else "it is large"
        console.result("")
        console.result(f"({size(update.size)}, {why}: see --raw)" if content is None else _lines(content))
    console.event("report", {"updates": 1, "exit_code": 0})
    return 0


@click.command("stats", cls=Command)
@channel_argument
def stats(console: Console, channel: str, *, given: tuple[str, ...]) -> int:
    """Show how much is in the channel, and how far its subscribers are."""
    with opened(console, channel, given) as place:
        found = stats_of(place.backend)
    console.event("report", {**found.to_dict(), "exit_code": 0})
    for line in _stats_lines(found):
        console.result(line)
    return 0


def _found(place: Opened, update_id: str) -> Update:
    object_id = ids.object_of(update_id)
    for page, _ in scan(place.backend, object_id):
        for listed in page:
            if listed.id != object_id:
                break
            for update in fetch(place.backend, listed):
                if update.id == update_id:
                    return update
        if page:
            break
    raise ChannelError(f"there is no update {update_id} in {place.backend.location}", hint="It may have been pruned.")


def _details(update: Update) -> Iterator[tuple[str, str]]:
    yield from {
        "id": update.id,
        "topic": update.topic,
        "publisher": update.publisher,
        "created": rfc3339(update.created),
        "content type": update.content_type,
        "size": f"{number(update.size)} bytes",
    }.items()
    for name, value in sorted(update.metadata.items()):
        yield f"meta {printable(name)}", value


def _lines(content: str) -> str:
    return "\n".join(map(printable, content.removesuffix("\n").split("\n")))


def _stats_lines(found: ChannelStats) -> Iterator[str]:
    yield f"updates:   {plural(found.updates, 'object')}, {size(found.update_bytes)}"
    yield f"payloads:  {plural(found.payloads, 'object')}, {size(found.payload_bytes)}"
    if found.oldest is not None and found.newest is not None:
        yield f"from:      {moment(ids.time_ns(found.oldest) / 1e9)}"
        yield f"to:        {moment(ids.time_ns(found.newest) / 1e9)}"
    if found.foreign:
        yield f"foreign:   {plural(found.foreign, 'object')}, no updates"
    if found.subscribers:
        yield ""
        heading = ("subscriber", "last heard of", "behind", "parked")
        rows = [(one.name, one.at or "?", number(one.behind), number(one.parked)) for one in found.subscribers]
        yield from table([heading, *rows])
        for one in found.subscribers:
            if one.problem:
                yield f"{one.name}: its registration cannot be read: {printable(one.problem)}"
