"""How an invocation ends: every error becomes a message and an exit code here, and nowhere else."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import tempfile
import traceback
from collections.abc import Callable, Sequence

import click

from cloudsync_core.cli.console import Console, OutputLostError
from cloudsync_core.cli.logs import TOLD
from cloudsync_core.errors import CancelledError, CloudSyncError

USAGE = 2
CRASHED = 70
"""A defect of cloudsync or of a plugin: `EX_SOFTWARE` of sysexits.h."""

_log = logging.getLogger(__name__)


def exit_code_of(call: Callable[[], object], console: Console, arguments: Sequence[str]) -> int:
    """Return the exit code of an invocation, its errors told.

    Args:
        call: does everything; returns its exit code, or `None` for 0.
        console: where errors are told.
        arguments: the command line, for the case that it cannot be read.
    """
    try:
        code = _ending(call, console, arguments)
        console.close()
    except OutputLostError:
        return console.lost
    return console.lost or code


def _ending(call: Callable[[], object], console: Console, arguments: Sequence[str]) -> int:
    try:
        code = call()
    except click.UsageError as error:
        # The option may not have been reached.
        console.json = console.json or "--json" in arguments
        return _misused(error, console)
    except click.ClickException as error:
        console.failure(type(error).__name__, error.format_message(), error.exit_code)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return _failed(CancelledError("interrupted"), console)
    except CloudSyncError as error:
        return _failed(error, console)
    except OutputLostError:
        raise
    except Exception as error:  # noqa: BLE001 - what nobody expected is reported here, whatever it is
        return crashed(error, console)
    return code if isinstance(code, int) else 0


def _failed(error: CloudSyncError, console: Console) -> int:
    _log.debug("where it failed", exc_info=error)
    console.error(error)
    return error.exit_code


def _misused(error: click.UsageError, console: Console) -> int:
    message = error.format_message()
    if type(error).__name__ == "NoArgsIsHelpError":
        # Not an option of the lowest click that we allow, so it is known by its name: the message is the help.
        console.trouble(message)
        console.event("error", {"error": "UsageError", "message": "a command is missing", "exit_code": USAGE})
        return USAGE
    context = error.ctx
    hint = None if context is None else f"{context.get_usage()}\n  Help: {context.command_path} --help"
    console.failure("UsageError", message, USAGE, hint=hint)
    return USAGE


def crashed(error: BaseException, console: Console, *, job: str | None = None) -> int:
    """Tell of an error that nobody expected, and return the exit code.

    Args:
        error: the error.
        console: where.
        job: the name of the job that it ended; `None` for the whole command.
    """
    report = console.redact("".join(traceback.format_exception(error)))
    if job is not None:
        # What ends the command is logged where the log is closed.
        TOLD.critical("%s", report, extra={"job": job})
    place = _saved(report)
    if console.verbosity > 0 or place is None:
        console.trouble(report)
    # The error's own text stays out: nobody has seen to it that it holds no secret.
    message = f"cloudsync met an error that it does not know: {type(error).__name__}"
    if isinstance(error, OSError) and error.errno is not None:
        message += f" ({errno.errorcode.get(error.errno, '')}: {os.strerror(error.errno)})"
    where = "the traceback is above" if place is None else f"the traceback is in {place}"
    hint = f"This is a defect of cloudsync or of a plugin, please report it; {where}."
    console.failure(type(error).__name__, message, CRASHED, hint=hint, job=job)
    return CRASHED


def _saved(report: str) -> str | None:
    """Write the report to a new file that only its owner can read, and return where."""
    with contextlib.suppress(OSError):
        handle, name = tempfile.mkstemp(prefix="cloudsync-error-", suffix=".txt", text=True)
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(report)
        return name
    return None
