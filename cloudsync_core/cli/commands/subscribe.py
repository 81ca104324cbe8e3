"""`cloudsync subscribe`."""

from __future__ import annotations

import contextlib
import shlex
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import click
from pydantic import ValidationError

from cloudsync_core.channels import events, names
from cloudsync_core.channels.deliveries.deliverer import Deliverer
from cloudsync_core.channels.deliveries.factory import KINDS
from cloudsync_core.channels.deliveries.hook import HookDelivery
from cloudsync_core.channels.subscriber import Start, Subscriber
from cloudsync_core.cli.channels import Opened, Printing, channel_argument, opened, state_option, state_path
from cloudsync_core.cli.command import Command
from cloudsync_core.cli.console import Console
from cloudsync_core.cli.interrupts import interruptible
from cloudsync_core.cli.logfile import logged
from cloudsync_core.cli.received import Telling
from cloudsync_core.config.deliveries import DeliverConfig
from cloudsync_core.config.delivering import open_deliveries
from cloudsync_core.config.jobs.subscribe import SubscribeJob
from cloudsync_core.config.validation import explain
from cloudsync_core.engine.executor import Stop
from cloudsync_core.engine.probing import find_out
from cloudsync_core.engine.state import State
from cloudsync_core.errors import CancelledError, ConfigError, printable

_MORE: Final = {
    "file_name": ("directory", "name"),
    "secret": ("webhook", "secret"),
    "allow_private": ("webhook", "allow_private"),
}
"""Options that belong to a kind of delivery, and the field that each one is."""


@click.command(cls=Command)
@channel_argument
@click.option("--name", required=True, metavar="NAME", help="The name of the subscriber, which the channel remembers.")
@click.option(
    "--deliver",
    "deliveries",
    multiple=True,
    metavar="KIND=VALUE",
    help="Deliver each update to directory=PATH, callback=MODULE:FUNCTION, command='PROGRAM ARGUMENT…' or webhook=URL. "
    "Repeatable; without it, updates are printed.",
)
@click.option("--topic", "topics", multiple=True, metavar="PATTERN", help="Only topics that match this. Repeatable.")
@click.option(
    "--interval",
    type=float,
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="Seconds between looks at the channel.",
)
@click.option("--once", is_flag=True, help="Deliver what is there, then end.")
@click.option(
    "--start",
    default="earliest",
    show_default=True,
    metavar="WHERE",
    help="Where a new subscriber begins: earliest, latest, or a time such as 2026-11-20T20:00:00Z.",
)
@click.option("--skip-own", is_flag=True, help="Do not deliver what --publisher has published.")
@click.option("--publisher", metavar="NAME", help="The name of the own publisher; by default that of this machine.")
@click.option(
    "--attempts", type=int, default=5, show_default=True, metavar="N", help="Attempts before an update is parked."
)
@state_option
@click.option("--no-register", is_flag=True, help="Write nothing to the channel, which then keeps nothing for NAME.")
@click.option("--file-name", metavar="TEMPLATE", help="The paths of files in a directory: {topic}/{id}{suffix}.")
@click.option("--secret", metavar="SECRET", help="Signs what a webhook is sent; best a reference: ${env:NAME}.")
@click.option("--allow-private", is_flag=True, help="Let a webhook be in a private network, or on this machine.")
@click.option(
    "--timeout", type=float, metavar="SECONDS", help="Seconds that a command or an answer of a webhook may take."
)
@logged
def subscribe(
    console: Console,
    channel: str,
    *,
    given: tuple[str, ...],
    name: str,
    deliveries: tuple[str, ...],
    topics: tuple[str, ...],
    interval: float,
    once: bool,
    start: str,
    skip_own: bool,
    publisher: str | None,
    attempts: int,
    state: Path | None,
    no_register: bool,
    **more: Any,
) -> int:
    """Deliver the updates of CHANNEL, those that are there and those that come.

    Each is delivered at least once, in the order of its topic; where the subscriber was stopped it goes on. What cannot
    be delivered is tried again, and then parked: see 'cloudsync channel parked'.
    """
    configured = [_delivery(text, more) for text in deliveries]
    _check_used(configured, more)
    rules = {
        "name": name,
        "topics": topics,
        "interval": interval,
        "start": start,
        "skip_own": skip_own,
        "publisher": publisher,
        "attempts": attempts,
        "register": not no_register,
    }
    job = _job(channel, rules)
    stop = Stop()
    console.on_lost = stop.set
    with contextlib.ExitStack() as stack:
        place = stack.enter_context(
            opened(console, channel, given, write=job.register_, create=job.register_, stop=stop)
        )
        deliver = stack.enter_context(_deliverers(console, place, configured))
        telling = Telling(console, delivered=bool(configured))
        database = stack.enter_context(State(state_path(state, channel, name), redact=console.redact))
        if job.register_:
            find_out(place.backend, database)
        subscriber = Subscriber(
            place.backend,
            name,
            database,
            deliver,
            topics=job.topics,
            skip_own=(job.publisher or names.host_name()) if job.skip_own else None,
            start=_start(job.start),
            attempts=job.attempts,
            register=job.register_,
            stop=stop,
            told=telling,
            redact=console.redact,
        )
        stack.enter_context(subscriber)
        ended = stack.enter_context(interruptible(stop, lambda: None))
        total = subscriber.run(job.interval, once=once)
    return _end(console, total, telling, ended.signal, once=once)


def _end(console: Console, total: events.Pass, telling: Telling, interrupted: int | None, *, once: bool) -> int:
    # A subscriber that is asked to end has done what it is for; one that was to do it once has not.
    if interrupted == signal.SIGINT or (interrupted and once):
        raise CancelledError("interrupted")
    code = 1 if once and total.parked else 0
    counts = {"delivered": total.delivered, "parked": total.parked, "skipped": total.skipped}
    telling.end(total)
    console.event("report", {**counts, "exit_code": code})
    return code


@contextlib.contextmanager
def _deliverers(console: Console, place: Opened, configured: Sequence[DeliverConfig]) -> Iterator[list[Deliverer]]:
    """Open what updates are delivered to, for the length of the block."""
    found: list[Deliverer] = list(open_deliveries(configured, resolver=place.resolver, loaded=None, at=("--deliver",)))
    if not configured:
        found.append(Printing(console))
    if place.plugins.hears_updates:
        found.append(HookDelivery(place.plugins.update_received, place.backend.location))
    with contextlib.ExitStack() as stack:
        for one in found:
            stack.callback(one.close)
        yield found


def _job(channel: str, rules: dict[str, Any]) -> SubscribeJob:
    """Return the rules as a job has them; to what it delivers does not matter."""
    described = {"source": {"channel": channel}, "deliver": {"directory": "unused"}, **rules}
    try:
        return SubscribeJob.model_validate(described)
    except ValidationError as error:
        raise ConfigError(
            "\n".join(f"{_flag(problem.path[:1])}: {problem.message}" for problem in explain(error))
        ) from None


def _start(start: str | float) -> Start:
    """Return where a subscriber begins, as the model has checked it."""
    return start if isinstance(start, float) else "latest" if start == "latest" else "earliest"


def _flag(path: Sequence[str | int]) -> str:
    first = str(path[0]) if path else ""
    if first == "source":
        return "CHANNEL"
    return "--topic" if first == "topics" else f"--{first.replace('_', '-')}"


def _delivery(text: str, more: dict[str, Any]) -> DeliverConfig:
    kind, sign, value = text.partition("=")
    if kind not in KINDS:
        raise ConfigError(f"--deliver: there is no kind {printable(kind)!r}: write one of {_forms()}")
    if not sign or not value:
        raise ConfigError(f"--deliver: write one of {_forms()}")
    try:
        config = {kind: _value(kind, value, more)}
        return DeliverConfig.model_validate(config)
    except ValidationError as error:
        raise ConfigError("\n".join(f"--deliver {kind}: {problem.message}" for problem in explain(error))) from None


def _value(kind: str, value: str, more: dict[str, Any]) -> Any:
    fields = {field: more[option] for option, (of, field) in _MORE.items() if of == kind and more[option]}
    if kind == "callback":
        return value
    if kind == "directory":
        return {"path": value, **fields}
    if more["timeout"] is not None:
        fields["timeout"] = more["timeout"]
    if kind == "webhook":
        return {"url": value, **fields}
    try:
        return {"arguments": shlex.split(value), **fields}
    except ValueError as error:
        raise ConfigError(f"--deliver command: {str(error).lower()}") from None


def _check_used(configured: Sequence[DeliverConfig], more: dict[str, Any]) -> None:
    kinds = {kind for one in configured for kind in one.kinds}
    for option, (kind, _) in _MORE.items():
        if more[option] and kind not in kinds:
            raise ConfigError(f"--{option.replace('_', '-')} needs --deliver {kind}=…")
    if more["timeout"] is not None and not kinds & {"command", "webhook"}:
        raise ConfigError("--timeout needs --deliver command=… or webhook=…")


def _forms() -> str:
    values = {"callback": "MODULE:FUNCTION", "command": "'PROGRAM ARGUMENT…'", "directory": "PATH", "webhook": "URL"}
    return ", ".join(f"{kind}={value}" for kind, value in values.items())
