"""What happens in a run, key by key, as lines for people and as events for programs."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable
from typing import Any

from cloudsync_core.cli.console import Output, Style
from cloudsync_core.cli.formats import number, size
from cloudsync_core.engine.events import (
    ActionFinished,
    ActionPlanned,
    DifferenceFound,
    Event,
    KeyLeftOut,
    LookFinished,
    RunFinished,
    RunStarted,
    SubscriberTold,
)
from cloudsync_core.errors import printable
from cloudsync_core.runs import Action, Outcome, RunReport

_SIGNS = {"add": "+", "update": "~", "delete": "-"}
_STYLES: dict[str, Style] = {"add": {"fg": "green"}, "update": {"fg": "yellow"}, "delete": {"fg": "red"}}
_DONE = {"add": "added", "update": "updated", "delete": "deleted"}
_DIFFERENCES = {"differs": "~", "only-on-source": "+", "only-on-target": "-", "unknown": "?"}


class Narrator:
    """Tells the events of runs; a `Listener`.

    Args:
        console: where, and how much.
        continuous: a job that goes on until it is stopped, which tells of every time that it has done something.
    """

    def __init__(self, console: Output, *, continuous: bool = False) -> None:
        self._console = console
        self._continuous = continuous
        # A run that consists of looks has been told of by the time that it ends.
        self._looked = False
        self._subscriber: Callable[[Any], None] | None = None

    def __call__(self, event: Event) -> None:
        """Tell one event."""
        self._looked |= isinstance(event, LookFinished | SubscriberTold)
        if isinstance(event, SubscriberTold):
            self._tell_of_updates(event.event)
        elif self._console.json:
            self._tell_program(event)
        elif not self._console.quiet:
            self._tell_person(event)

    def _tell_of_updates(self, event: object) -> None:
        if self._subscriber is None:
            # Imported here: only jobs that subscribe have a use for it.
            received = importlib.import_module("cloudsync_core.cli.received")
            self._subscriber = received.Telling(self._console, delivered=True)
        assert self._subscriber is not None
        self._subscriber(event)

    def _tell_what_was_done(self, report: RunReport) -> None:
        if done := _done(report):
            self._console.note(done)

    def _tell_program(self, event: Event) -> None:
        console = self._console
        match event:
            case RunStarted(run):
                console.event("run_started", {name: getattr(run, name) for name in run.__slots__})
            case ActionPlanned(action, kept):
                console.event("action_planned", {**_action(action), "kept": kept})
            case ActionFinished(outcome):
                console.event("action_finished", _outcome(outcome))
            case KeyLeftOut(status, key, reason):
                console.event("key_left_out", {"status": status, "key": key, "reason": reason})
            case DifferenceFound(key, kind, reason):
                console.event("difference_found", {"kind": kind, "key": key, "reason": reason})
            case LookFinished(report, everything):
                console.event("look_finished", {"everything": everything, "counts": dataclasses.asdict(report.counts)})
            case RunFinished(report):
                console.event("report", report.to_dict())

    def _tell_person(self, event: Event) -> None:
        console = self._console
        match event:
            case ActionPlanned(action, kept):
                console.result(planned_line(action) + ("  (kept aside)" if kept else ""), _STYLES[action.kind])
            case DifferenceFound(key, kind, reason):
                console.result(f"{_DIFFERENCES[kind]} {kind:<14}  {printable(key)}  ({reason})")
            case ActionFinished(outcome) if console.verbosity > 0:
                console.result(_outcome_line(outcome), _STYLES[outcome.action.kind] if outcome.status == "done" else {})
            case KeyLeftOut(status, key, reason) if console.verbosity > 0:
                console.result(f"? {status:<7}  {'-':>10}  {printable(key)}: {reason}")
            case LookFinished(report):
                self._tell_what_was_done(report)
            case RunFinished(report) if self._continuous and not self._looked:
                self._tell_what_was_done(report)


def _done(report: RunReport) -> str:
    """Return what a run or a look has done, "" where that is nothing."""
    counts = [(getattr(report.counts, name), name) for name in ("added", "updated", "deleted", "failed")]
    parts = [f"{number(count)} {name}" for count, name in counts if count]
    if report.release is not None:
        parts.insert(0, f"release {report.release}")
    return ", ".join(parts)


def planned_line(action: Action) -> str:
    """Return a planned action on one line: what, how many bytes, why, and the key."""
    amount = "-" if action.kind == "delete" else size(action.size)
    return f"{_SIGNS[action.kind]} {action.kind:<6}  {amount:>10}  {action.reason:<14}  {printable(action.key)}"


def _outcome_line(outcome: Outcome) -> str:
    action = outcome.action
    if outcome.status != "done":
        why = " ".join((outcome.error or outcome.status).split())
        return f"! {outcome.status:<7}  {action.kind} {printable(action.key)}: {why}"
    amount = "-" if action.kind == "delete" else size(action.size)
    proof = f"  ({outcome.verified})" if outcome.verified else ""
    proof += "  (kept aside)" if outcome.kept else ""
    return f"{_SIGNS[action.kind]} {_DONE[action.kind]:<7}  {amount:>10}  {printable(action.key)}{proof}"


def _action(action: Action) -> dict[str, Any]:
    return {"action": action.kind, "key": action.key, "reason": action.reason, "size": action.size}


def _outcome(outcome: Outcome) -> dict[str, Any]:
    told = ("status", "bytes", "verified", "digest", "error", "cause", "kept")
    return {**_action(outcome.action), **{name: getattr(outcome, name) for name in told}}
