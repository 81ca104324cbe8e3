"""What happens in a run, key by key, as lines for people and as events for programs."""

from __future__ import annotations

from typing import Any

from cloudsync_core.cli.console import Console, Style
from cloudsync_core.cli.formats import size
from cloudsync_core.engine.events import (
    ActionFinished,
    ActionPlanned,
    DifferenceFound,
    Event,
    KeyLeftOut,
    RunFinished,
    RunStarted,
)
from cloudsync_core.errors import printable
from cloudsync_core.runs import Action, Outcome

_SIGNS = {"add": "+", "update": "~", "delete": "-"}
_STYLES: dict[str, Style] = {"add": {"fg": "green"}, "update": {"fg": "yellow"}, "delete": {"fg": "red"}}
_DONE = {"add": "added", "update": "updated", "delete": "deleted"}
_DIFFERENCES = {"differs": "~", "only-on-source": "+", "only-on-target": "-", "unknown": "?"}


class Narrator:
    """Tells the events of runs; a `Listener`.

    Args:
        console: where, and how much.
    """

    def __init__(self, console: Console) -> None:
        self._console = console

    def __call__(self, event: Event) -> None:
        """Tell one event."""
        if self._console.json:
            self._tell_program(event)
        elif not self._console.quiet:
            self._tell_person(event)

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
