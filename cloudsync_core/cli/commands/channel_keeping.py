"""`cloudsync channel prune`, `parked`, `retry` and `forget`: what becomes of what is in a channel."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from cloudsync_core.channels import parking, registry
from cloudsync_core.channels.pruning import PruneReport
from cloudsync_core.channels.pruning import prune as prune_channel
from cloudsync_core.channels.update import rfc3339
from cloudsync_core.cli.channels import (
    channel_argument,
    opened,
    state_option,
    state_path,
)
from cloudsync_core.cli.command import Command
from cloudsync_core.cli.console import Console
from cloudsync_core.cli.formats import moment, number, plural, size
from cloudsync_core.engine.state import State
from cloudsync_core.errors import ChannelError, ConfigError, printable

_AGE: Final = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|d|w)")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 24 * 3600, "w": 7 * 24 * 3600}


@click.command("prune", cls=Command)
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


@click.command("parked", cls=Command)
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


@click.command("retry", cls=Command)
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


@click.command("forget", cls=Command)
@channel_argument
@click.argument("name")
def forget(console: Console, channel: str, name: str, *, given: tuple[str, ...]) -> int:
    """Remove a subscriber from the channel: nothing is kept for it any more, and its name is free."""
    with opened(console, channel, given, write=True) as place:
        was_there = registry.forget(place.backend, name)
    if not was_there:
        raise ChannelError(
            f"{place.backend.location} knows no subscriber {printable(name)!r}",
            hint="'cloudsync channel stats' shows who is registered.",
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
                f"there is no state of a subscriber {name!r} of {place.backend.location} here: "
                f"no {printable(str(path))}",
                hint="Run this where it runs; name its state database by --state if it has one of its own.",
            )
        database = stack.enter_context(State(path, read_only=read_only, redact=console.redact))
        found = parking.subscriptions(database, name, str(place.backend.identity))
        if not found:
            raise ChannelError(f"{printable(str(path))} knows no subscriber {name!r} of {place.backend.location}")
        yield database, found[0]


def _tell_pruned(console: Console, report: PruneReport) -> None:
    verb = "would be removed" if report.dry_run else "removed"
    updates, payloads = plural(report.updates, "object"), plural(report.payloads, "payload")
    # Those that no rule is about are not among them.
    kept = f"; kept all the same: {number(report.kept)}" if report.kept else ""
    console.result(f"{verb}: {updates} of updates, {payloads}, {size(report.bytes)}{kept}")
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
