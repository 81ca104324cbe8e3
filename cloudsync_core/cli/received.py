"""What a subscriber tells, on the console."""

from __future__ import annotations

from cloudsync_core.channels import events
from cloudsync_core.channels.update import Update
from cloudsync_core.cli.console import Output
from cloudsync_core.cli.formats import plural, seconds
from cloudsync_core.cli.logs import TOLD
from cloudsync_core.errors import CloudSyncError, printable

_WARNING = {"fg": "yellow"}


class Telling:
    """Prints what happens to updates; quiet while nothing does.

    Args:
        console: where.
        delivered: updates are delivered to something else than the console, so that it says how many were.
    """

    def __init__(self, console: Output, *, delivered: bool) -> None:
        self._console = console
        self._delivered = delivered

    def __call__(self, event: events.Event) -> None:
        """Print an event of a subscriber."""
        if isinstance(event, events.Delivered):
            self._tell_delivered(event.update)
        elif isinstance(event, events.Failed):
            error = _words(event.error)
            values = {"error": error, "attempts": event.attempts, "wait": event.wait}
            self._console.event("delivery_failed", {**event.update.to_dict(), **values})
            again = f"{_name(event.update)}: {error}; tried again in {seconds(event.wait)}"
            TOLD.warning("%s", again)
            self._console.note(again, _WARNING)
        elif isinstance(event, events.ParkedAway):
            values = {"id": event.id, "key": event.key, "topic": event.topic, "error": event.error}
            self._console.event("update_parked", values)
            parked = f"parked: {event.id}  {printable(event.topic or '')}: {event.error}"
            TOLD.error("%s", parked)
            self._console.trouble(parked, {"fg": "red"})
        elif isinstance(event, events.Skipped):
            values = {"key": event.key, "kind": event.kind, "reason": event.reason}
            self._console.event("update_skipped", values)
            skipped = f"skipped {printable(event.key)}: {event.reason}"
            TOLD.warning("%s", skipped)
            self._console.trouble(f"warning: {skipped}", _WARNING)
        elif isinstance(event, events.Unreachable):
            self._console.event("channel_unreachable", {"error": str(event.error), "wait": event.wait})
            unreachable = f"{event.error}; tried again in {seconds(event.wait)}"
            TOLD.warning("%s", unreachable)
            self._console.trouble(f"warning: {unreachable}", _WARNING)
        elif event.result.delivered and self._delivered:
            told = f"{plural(event.result.delivered, 'update')} delivered"
            TOLD.info("%s", told)
            self._console.note(told)

    def end(self, total: events.Pass) -> None:
        """Print what was brought altogether."""
        if total.parked:
            self._console.trouble(
                f"{plural(total.parked, 'update')} could not be delivered: see 'cloudsync channel parked'", _WARNING
            )

    def _tell_delivered(self, update: Update) -> None:
        if not self._delivered:
            return
        self._console.event("update_delivered", update.to_dict())
        if self._console.verbosity > 0:
            self._console.result(f"delivered  {_name(update)}")


def _name(update: Update) -> str:
    return f"{update.id}  {printable(update.topic)}"


def _words(error: Exception) -> str:
    return str(error.args[0]) if isinstance(error, CloudSyncError) else f"{type(error).__name__}: {error}"
