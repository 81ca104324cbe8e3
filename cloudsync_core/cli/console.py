"""Where an invocation prints: results to standard output, everything else to standard error, secrets to neither."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, Protocol, TextIO

import click

from cloudsync_core.config.terminal import wants_colour
from cloudsync_core.engine.redaction import redacted
from cloudsync_core.errors import CloudSyncError

Style = dict[str, Any]
"""Arguments of `click.style`."""

PLAIN: Style = {}


BROKEN_PIPE = 141
"""The exit code when whoever read standard output went away: how a shell reports a program that SIGPIPE ended."""
UNWRITABLE = 4
"""The exit code when standard output cannot be written, for instance because the disk is full."""


class OutputLostError(Exception):
    """Standard output is gone, and the command has nothing else to do than to print."""


class Redactor(Protocol):
    """Knows secrets, and takes them out of a text."""

    def redact(self, text: str) -> str:
        """Return `text` without the secrets."""


class Output(Protocol):
    """Where lines and events go."""

    @property
    def json(self) -> bool:
        """Whether events are wanted, and no lines on standard output."""

    @property
    def verbosity(self) -> int:
        """See `Console`."""

    @property
    def quiet(self) -> bool:
        """Whether only errors are wanted."""

    def result(self, text: str, style: Style = PLAIN) -> None:
        """Print a line that the user asked for."""

    def event(self, name: str, values: dict[str, Any], *, flush: bool = True) -> None:
        """Print an event in JSON mode."""

    def note(self, text: str, style: Style = PLAIN) -> None:
        """Print a line about what goes on."""

    def trouble(self, text: str, style: Style = PLAIN) -> None:
        """Print a line that the user must see."""


class Console:
    """The output of one invocation; several threads may print.

    Attributes:
        json: standard output is newline-delimited JSON, and nothing else.
        verbosity: 0, more with each `-v`, -1 with `-q`.
        on_lost: called when standard output is gone, so that a run can end in order; otherwise it is an error.
        lost: the exit code when that has happened, else 0.
    """

    def __init__(self) -> None:
        self.json = False
        self.verbosity = 0
        self.on_lost: Callable[[], None] | None = None
        self.lost = 0
        self._redactors: list[Redactor] = []
        self._output: TextIO | None = None
        self._lock = threading.RLock()

    @property
    def quiet(self) -> bool:
        """Whether only errors are wanted."""
        return self.verbosity < 0

    def hide(self, secrets: Redactor) -> None:
        """Keep these secrets out of everything that is printed from now on."""
        self._redactors.append(secrets)

    def redact(self, text: str) -> str:
        """Return `text` without any secret that is known."""
        for redactor in self._redactors:
            text = redactor.redact(text)
        return text

    @contextlib.contextmanager
    def sole_writer(self) -> Iterator[None]:
        """Keep standard output for events in JSON mode; what a plugin or a library prints goes to standard error."""
        if not self.json:
            yield
            return
        self._output = sys.stdout
        try:
            with contextlib.redirect_stdout(sys.stderr):
                yield
        finally:
            self._output = None

    def result(self, text: str, style: Style = PLAIN) -> None:
        """Print a line that the user asked for; in JSON mode events stand for it."""
        if not self.json:
            text = self.redact(text)
            self._write(f"{click.style(text, **style) if style and _coloured(sys.stdout) else text}\n")

    def content(self, data: bytes) -> None:
        """Print bytes as they are, with nothing redacted; in JSON mode, nothing."""
        if not self.json:
            self._write(data)

    def event(self, name: str, values: dict[str, Any], *, flush: bool = True) -> None:
        """Print an event in JSON mode; without `flush` it may wait for others."""
        if self.json:
            self._write(json.dumps(redacted({"event": name, **values}, self.redact)) + "\n", flush=flush)

    def note(self, text: str, style: Style = PLAIN) -> None:
        """Print a line about what goes on; not for those who want errors only."""
        if not self.quiet:
            self.trouble(text, style)

    def trouble(self, text: str, style: Style = PLAIN) -> None:
        """Print a line that the user must see."""
        text = self.redact(text)
        with contextlib.suppress(OSError), self._lock:
            # Both may be one file: what was printed first stands first.
            (self._output or sys.stdout).flush()
        with contextlib.suppress(OSError), self._lock:
            sys.stderr.write(f"{click.style(text, **style) if style and _coloured(sys.stderr) else text}\n")
            sys.stderr.flush()

    def error(self, error: CloudSyncError, *, job: str | None = None) -> None:
        """Print an error that ended a command, or one job of it."""
        message = str(error).removesuffix(f"\n  {error.hint}") if error.hint else str(error)
        self.failure(type(error).__name__, message, error.exit_code, hint=error.hint, job=job)

    def failure(
        self, kind: str, message: str, exit_code: int, *, hint: str | None = None, job: str | None = None
    ) -> None:
        """Print why a command, or one job of it, ended.

        Args:
            kind: the error's class, for scripts.
            message: what happened.
            exit_code: of the command, if nothing more serious happens.
            hint: what the user can do about it.
            job: the job's name.
        """
        values = {"job": job, "error": kind, "message": message, "hint": hint, "exit_code": exit_code}
        self.event("error", {name: value for name, value in values.items() if value is not None})
        self.trouble(f"error: {message}" if job is None else f"error: job {job}: {message}", {"fg": "red"})
        if hint is not None:
            self.trouble(f"  {hint}")

    def close(self) -> None:
        """Hand everything printed to the system."""
        self._write("", flush=True)

    def _write(self, text: str | bytes, *, flush: bool = False) -> None:
        with self._lock:
            if self.lost:
                return
            try:
                output = self._output or sys.stdout
                if isinstance(text, bytes):
                    output.buffer.write(text)
                else:
                    output.write(text)
                if flush:
                    output.flush()
            except OSError as error:
                self._lose(error)
            else:
                return
        if self.on_lost is None:
            raise OutputLostError
        self.on_lost()

    def _lose(self, error: OSError) -> None:
        self.lost = BROKEN_PIPE if isinstance(error, BrokenPipeError) else UNWRITABLE
        if self.lost == UNWRITABLE:
            self.trouble(f"error: standard output cannot be written: {error.strerror}", {"fg": "red"})
        with contextlib.suppress(OSError, ValueError):
            # The interpreter flushes what is left when it exits: into nothing.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, (self._output or sys.stdout).fileno())
            os.close(nowhere)


class JobOutput:
    """The console as one job uses it: its events say whose they are, and its lines, too, when several jobs run at once.

    Args:
        console: where everything goes.
        job: the job's name.
        labelled: whether lines begin with the name.
    """

    def __init__(self, console: Console, job: str, *, labelled: bool) -> None:
        self._console = console
        self._job = job
        self._label = f"{job}: " if labelled else ""

    @property
    def json(self) -> bool:
        """See `Output`."""
        return self._console.json

    @property
    def verbosity(self) -> int:
        """See `Output`."""
        return self._console.verbosity

    @property
    def quiet(self) -> bool:
        """See `Output`."""
        return self._console.quiet

    def result(self, text: str, style: Style = PLAIN) -> None:
        """See `Output`."""
        self._console.result(self._label + text, style)

    def event(self, name: str, values: dict[str, Any], *, flush: bool = True) -> None:
        """See `Output`."""
        self._console.event(name, {"job": self._job, **values}, flush=flush)

    def note(self, text: str, style: Style = PLAIN) -> None:
        """See `Output`."""
        self._console.note(self._label + text, style)

    def trouble(self, text: str, style: Style = PLAIN) -> None:
        """See `Output`."""
        self._console.trouble(self._label + text, style)


def _coloured(stream: TextIO) -> bool:
    return stream.isatty() and wants_colour()
