"""`cloudsync channel`: what is in a channel, and what becomes of it."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from cloudsync_core.channels import ids, parking, registry
from cloudsync_core.channels.pruning import PruneReport
from cloudsync_core.channels.pruning import prune as prune_channel
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
    state_option,
    state_path,
    text_of,
    values,
)
from cloudsync_core.cli.command import Command
from cloudsync_core.cli.console import Console
from cloudsync_core.cli.formats import moment, number, plural, size
from cloudsync_core.cli.summary import table
from cloudsync_core.cli.tailing import follow, newest
from cloudsync_core.engine.state import State
from cloudsync_core.errors import ChannelError, ConfigError, printable

_AGE: Final = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|d|w)")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 24 * 3600, "w": 7 * 24 * 3600}


@click.group()
def channel() -> None:
    """Look into a channel, clean it up, and see to what could not be delivered."""


@channel.command("ls", cls=Command)
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


@channel.command("tail", cls=Command)
@channel_argument
@click.option(
    "-n", "--lines", "count", type=click.IntRange(0), default=10, show_default=True, help="So many, the newest."
)
@click.option("-f", "--follow", "goes_on", is_flag=True, help="Go on with those that come, until it is interrupted.")
@click.option("--topic", "topics", multiple=True, metavar="PATTERN", help="Only topics that match this. Repeatable.")
@click.option(
    "--interval", type=click.FloatRange(0.1), default=5.0, show_default=True, metavar="S", help="Seconds between looks."
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


@channel.command("show", cls=Command)
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


@channel.command("stats", cls=Command)
@channel_argument
def stats(console: Console, channel: str, *, given: tuple[str, ...]) -> int:
    """Show how much is in the channel, and how far its subscribers are."""
    with opened(console, channel, given) as place:
        found = stats_of(place.backend)
    console.event("report", {**found.to_dict(), "exit_code": 0})
    for line in _stats_lines(found):
        console.result(line)
    return 0


@channel.command("prune", cls=Command)
@channel_argument
@click.option("--max-age", metavar="AGE", help="Remove updates that are older: 90s, 30m, 24h, 7d, 2w.")
@click.option("--max-count", type=click.IntRange(0), metavar="N", help="Remove all but the newest N objects.")
@click.option(
    "--keep-latest",
    type=click.IntRange(1),
    is_flag=False,
    flag_value=1,
    metavar="[N]",
    help="Keep the latest N updates of each topic, by default one, whatever the other rules say.",
)
@click.option("--force", is_flag=True, help="Remove what registered subscribers have not seen, too.")
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and remove nothing.")
def prune(
    console: Console,
    channel: str,
    *,
    given: tuple[str, ...],
    max_age: str | None,
    max_count: int | None,
    keep_latest: int | None,
    force: bool,
    dry_run: bool,
) -> int:
    """Remove old updates, and nothing that a registered subscriber has not seen."""
    age = None if max_age is None else _age(max_age)
    if age is None and max_count is None and keep_latest is None:
        raise ConfigError("say what is to go: --max-age, --max-count or --keep-latest")
    with opened(console, channel, given, write=not dry_run) as place:
        report = prune_channel(
            place.backend, max_age=age, max_count=max_count, keep_latest=keep_latest, force=force, dry_run=dry_run
        )
    code = 1 if report.failed else 0
    console.event("report", {**report.to_dict(), "exit_code": code})
    _tell_pruned(console, report)
    return code


@channel.command("parked", cls=Command)
@channel_argument
@click.option("--name", required=True, metavar="NAME", help="The name of the subscriber.")
@state_option
def parked(console: Console, channel: str, *, given: tuple[str, ...], name: str, state: Path | None) -> int:
    """Show what could not be delivered to a subscriber, and why."""
    count = 0
    with _subscription(console, channel, given, name, state, read_only=True) as (database, found):
        for one in parking.parked(database, found):
            count += 1
            console.event("update_parked", {**dataclasses.asdict(one), "at": rfc3339(one.at)})
            waits = "; tried again in the next pass" if one.again else ""
            console.result(f"{one.id}  {moment(one.at)}  {printable(one.topic or one.key)}")
            console.result(f"  after {plural(one.attempts, 'attempt')}: {printable(one.error)}{waits}")
    if not count:
        console.note(f"nothing is parked for {name}")
    console.event("report", {"parked": count, "exit_code": 0})
    return 0


@channel.command("retry", cls=Command)
@channel_argument
@click.argument("update_ids", metavar="[ID]...", nargs=-1)
@click.option("--name", required=True, metavar="NAME", help="The name of the subscriber.")
@state_option
@click.option("--drop", is_flag=True, help="Give them up instead: they are never delivered.")
def retry(
    console: Console,
    channel: str,
    update_ids: tuple[str, ...],
    *,
    given: tuple[str, ...],
    name: str,
    state: Path | None,
    drop: bool,
) -> int:
    """Have the next pass of a subscriber deliver what is parked: these updates, or all."""
    with _subscription(console, channel, given, name, state, read_only=False) as (database, found):
        act = parking.drop if drop else parking.retry
        count = act(database, found, update_ids or None)
    done = "given up" if drop else "tried again in the next pass"
    console.result(f"{plural(count, 'update')}: {done}" if count else f"nothing is parked for {name}")
    console.event("report", {"updates": count, "exit_code": 0})
    return 0


@channel.command("forget", cls=Command)
@channel_argument
@click.argument("name")
def forget(console: Console, channel: str, name: str, *, given: tuple[str, ...]) -> int:
    """Remove a subscriber from the channel: nothing is kept for it any more, and its name is free."""
    with opened(console, channel, given, write=True) as place:
        was_there = registry.forget(place.backend, name)
    if not was_there:
        raise ChannelError(
            f"the channel knows no subscriber {printable(name)!r}", hint="'cloudsync channel stats' shows who is."
        )
    console.result(f"{name} is forgotten")
    console.event("report", {"forgotten": name, "exit_code": 0})
    return 0


@contextlib.contextmanager
def _subscription(
    console: Console, channel: str, given: tuple[str, ...], name: str, state: Path | None, *, read_only: bool
) -> Iterator[tuple[State, parking.Subscribed]]:
    """Open what the state database of a subscriber holds of it, for the length of the block."""
    path = state_path(state, channel, name)
    with contextlib.ExitStack() as stack:
        place = stack.enter_context(opened(console, channel, given))
        if not path.exists():
            raise ChannelError(
                f"there is no state of a subscriber {name!r} here",
                hint="Run this where it runs; name its state database by --state if it has one of its own.",
            )
        database = stack.enter_context(State(path, read_only=read_only, redact=console.redact))
        found = parking.subscriptions(database, name, str(place.backend.identity))
        if not found:
            raise ChannelError(f"{printable(str(path))} knows no subscriber {name!r} of this channel")
        yield database, found[0]


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
    raise ChannelError(f"there is no update {update_id} in the channel", hint="It may have been pruned.")


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
        yield f"foreign:   {plural(found.foreign, 'object')} that are no updates"
    if found.subscribers:
        yield ""
        heading = ("subscriber", "last heard of", "behind", "parked")
        rows = [(one.name, one.at or "?", number(one.behind), number(one.parked)) for one in found.subscribers]
        yield from table([heading, *rows])
        for one in found.subscribers:
            if one.problem:
                yield f"{one.name}: its registration cannot be read: {printable(one.problem)}"


def _tell_pruned(console: Console, report: PruneReport) -> None:
    verb = "would be removed" if report.dry_run else "removed"
    updates, payloads = plural(report.updates, "object"), plural(report.payloads, "payload")
    console.result(f"{verb}: {updates} of updates, {payloads}, {size(report.bytes)}; kept: {number(report.kept)}")
    for name, count in report.held.items():
        console.result(f"  {plural(count, 'object')} kept for {printable(name)}")
    if report.failed:
        problem = printable(report.problem or "")
        console.trouble(f"{plural(report.failed, 'object')} could not be removed: {problem}", {"fg": "red"})


def _age(text: str) -> float:
    match = _AGE.fullmatch(text)
    if match is None:
        raise ConfigError(f"--max-age: {printable(text)!r} is no age: write a number and s, m, h, d or w, as in 24h")
    return float(match[1]) * _SECONDS[match[2]]
