"""The log of a command in a file, for those that run for long: rotated by size, for people or for programs.

It has the records of `logging`, and what happens to the jobs, however little of that is wanted on standard error.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import logging.handlers
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, Literal

import click

from cloudsync_core.cli.chronicle import log_error
from cloudsync_core.cli.console import Console
from cloudsync_core.cli.logs import JOB_THREAD, OWN, TOLD
from cloudsync_core.engine.quantities import parse_bytes
from cloudsync_core.engine.redaction import Redact
from cloudsync_core.errors import CloudSyncError, ConfigError, printable

Format = Literal["text", "json"]

_DETAIL: Final = 2
_EVERYTHING: Final = 3
"""See `cloudsync_core.cli.logs.Log.set_verbosity`."""


def logged(function: Callable[..., int]) -> Callable[..., int]:
    """Give a command that runs for long the options of a log in a file, and keep the log while it runs."""

    @click.option("--log-file", type=click.Path(path_type=Path), metavar="PATH", help="Keep a log in this file, too.")
    @click.option(
        "--log-format",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="Lines for people, or one JSON object a line.",
    )
    @click.option(
        "--log-max-size",
        default="10MiB",
        show_default=True,
        metavar="SIZE",
        help="Begin a new file when the log is as large as this; 0 never does.",
    )
    @click.option(
        "--log-keep",
        type=click.IntRange(min=1),
        default=5,
        show_default=True,
        metavar="N",
        help="How many full files are kept beside it, as PATH.1, PATH.2, …",
    )
    @functools.wraps(function)
    def with_log(
        console: Console,
        *args: Any,
        log_file: Path | None,
        log_format: Format,
        log_max_size: str,
        log_keep: int,
        **rest: Any,
    ) -> int:
        try:
            size = 0 if log_max_size == "0" else parse_bytes(log_max_size)
        except ValueError as error:
            raise ConfigError(f"--log-max-size: {error}") from None
        if log_file is None:
            return function(console, *args, **rest)
        with _logging_to(log_file, console, log_format, size=size, keep=log_keep):
            return function(console, *args, **rest)

    return with_log


@contextlib.contextmanager
def _logging_to(path: Path, console: Console, kind: Format, *, size: int, keep: int) -> Iterator[None]:
    """Keep the log for the length of the block, the error that ends it included.

    Raises:
        ConfigError: the file cannot be written.
    """
    try:
        handler = _File(path, console, size=size, keep=keep)
    except OSError as error:
        raise ConfigError(f"--log-file: {printable(str(path))} cannot be written: {error.strerror}") from None
    handler.setFormatter((_Json if kind == "json" else _Text)(console.redact))
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    TOLD.addHandler(handler)
    root.setLevel(min(level, handler.own))
    try:
        yield
    except CloudSyncError as error:
        log_error(error)
        raise
    except Exception as error:
        TOLD.critical("cloudsync met an error that it does not know: %s", type(error).__name__, exc_info=error)
        raise
    finally:
        root.setLevel(level)
        root.removeHandler(handler)
        TOLD.removeHandler(handler)
        handler.close()


class _File(logging.handlers.RotatingFileHandler):
    """Writes to the file; when that fails it says so, once, and the jobs go on.

    Attributes:
        own: the level from which on records of cloudsync are wanted.
    """

    def __init__(self, path: Path, console: Console, *, size: int, keep: int) -> None:
        super().__init__(path, maxBytes=size, backupCount=keep, encoding="utf-8", errors="backslashreplace")
        self.own = logging.DEBUG if console.verbosity >= _DETAIL else logging.INFO
        self._others = logging.DEBUG if console.verbosity >= _EVERYTHING else logging.WARNING
        self._console = console
        self._complained = False

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether the record is wanted."""
        return record.levelno >= (self.own if record.name.startswith(OWN) else self._others)

    def close(self) -> None:
        """Close the file; what could not be written to it was told."""
        with contextlib.suppress(OSError):
            super().close()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name of logging's
        """Say that the log cannot be written, instead of printing a traceback for each record."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        elif not self._complained:
            self._complained = True
            self._console.note(f"warning: the log cannot be written: {error.strerror}", {"fg": "yellow"})


class _Formatter(logging.Formatter):
    """Makes a record a text without secrets.

    Args:
        redact: takes secrets out of a text.
    """

    def __init__(self, redact: Redact) -> None:
        super().__init__()
        self.redact = redact

    def time_of(self, record: logging.LogRecord) -> str:
        """Return when it was, in UTC, to the millisecond."""
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        return f"{seconds}.{int(record.msecs):03d}Z"

    def trace_of(self, record: logging.LogRecord) -> str | None:
        """Return the traceback that comes with it."""
        return self.redact(self.formatException(record.exc_info)) if record.exc_info else None

    def job_of(self, record: logging.LogRecord) -> str | None:
        """Return the job that it is about, where that is known."""
        job = getattr(record, "job", None)
        if job is None and (record.threadName or "").startswith(JOB_THREAD):
            job = (record.threadName or "").removeprefix(JOB_THREAD)
        return job


class _Text(_Formatter):
    """A line for people; of a traceback, more."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the text."""
        job = self.job_of(record)
        message = self.redact(record.getMessage()) + (f"\n{trace}" if (trace := self.trace_of(record)) else "")
        head = f"{self.time_of(record)} {record.levelname} {record.name}"
        lines = [printable(line) for line in message.splitlines()] or [""]
        return "\n  ".join([f"{head}{'' if job is None else f' {printable(job)}'}: {lines[0]}", *lines[1:]])


class _Json(_Formatter):
    """A JSON object on one line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the text."""
        values = {
            "time": self.time_of(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "job": self.job_of(record),
            "message": self.redact(record.getMessage()),
            "traceback": self.trace_of(record),
        }
        return json.dumps({name: value for name, value in values.items() if value is not None})
