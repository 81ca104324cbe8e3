"""The log of an invocation: the records of `logging`, on standard error, without secrets."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Callable, Iterator

from cloudsync_core.errors import printable

OWN = "cloudsync"
"""How the loggers of the core and of plugins begin; those of the libraries under them do not."""


TOLD = logging.getLogger("cloudsync.told")
"""For what standard error is told of jobs in a way of its own: only a log in a file hears it."""

TOLD.propagate = False
TOLD.addHandler(logging.NullHandler())

JOB_THREAD = "cloudsync-job-"
"""How the name of a thread begins that runs a job; the rest is the job's."""


class Log(logging.Handler):
    """Writes to whatever `sys.stderr` is at the time: a progress display puts itself in its place.

    Args:
        redact: takes secrets out of a text.
    """

    def __init__(self, redact: Callable[[str], str]) -> None:
        super().__init__()
        self._redact = redact
        self._own = self._others = logging.WARNING

    def set_verbosity(self, verbosity: int) -> None:
        """Show more, or less.

        Args:
            verbosity: -1 errors; 0 warnings; 1 what cloudsync does; 2 in detail; 3 likewise of every library.
        """
        self._own = {-1: logging.ERROR, 0: logging.WARNING, 1: logging.INFO}.get(verbosity, logging.DEBUG)
        self._others = logging.DEBUG if verbosity >= 3 else max(self._own, logging.WARNING)  # noqa: PLR2004 - see above
        logging.getLogger().setLevel(min(self._own, self._others))

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether the record is wanted."""
        return record.levelno >= (self._own if record.name.startswith(OWN) else self._others)

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record; a standard error that is gone is no error."""
        text = self._redact(f"{record.levelname.lower()}: {self.format(record)}")
        with contextlib.suppress(OSError):
            sys.stderr.write("".join(f"{printable(line)}\n" for line in text.splitlines()))
            sys.stderr.flush()


@contextlib.contextmanager
def logging_to_standard_error(redact: Callable[[str], str]) -> Iterator[Log]:
    """Show warnings, for the length of the block, or what `Log.set_verbosity` says."""
    root = logging.getLogger()
    log, level = Log(redact), root.level
    root.addHandler(log)
    # What libraries warn of is shown like any other warning, without the line of their code.
    logging.captureWarnings(capture=True)
    try:
        yield log
    finally:
        logging.captureWarnings(capture=False)
        root.removeHandler(log)
        root.setLevel(level)
