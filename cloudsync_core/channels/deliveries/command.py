"""Updates to a program."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from typing import IO, Final

from cloudsync_core.channels.deliveries.directory import values
from cloudsync_core.channels.deliveries.placeholders import Template
from cloudsync_core.channels.update import Update, rfc3339
from cloudsync_core.errors import ConfigError, DeliveryError, printable

PLACEHOLDERS: Final = ("topic", "id", "publisher", "content_type", "file")

TIMEOUT: Final = 300.0
"""Seconds that a program may take, where nothing else is asked for."""

TAIL: Final = 2000
"""Bytes of what a program has printed that are in the error, at most."""

_READ: Final = 64 * 1024
_LONGEST_LOOK: Final = 0.05
_NO_NAME: Final = re.compile(r"[^A-Z0-9_]+")

_log = logging.getLogger(__name__)


class CommandDelivery:
    """Runs a program for each update, and takes the exit code 0 for success. No shell sees the arguments.

    The content comes on standard input, or as a file where `{file}` is among the arguments: complete and verified
    before the program starts, and removed after it. The program has the environment of cloudsync, and in addition
    CLOUDSYNC_UPDATE_ID, _TOPIC, _PUBLISHER, _CREATED, _CONTENT_TYPE, and CLOUDSYNC_META_<NAME> for the metadata, names
    in upper case and with `_` for what is neither letter nor digit. It runs in a process group of its own, so that a
    Ctrl-C which ends cloudsync lets it finish. What it prints is kept for the error: the end of it.

    Args:
        arguments: the program, and its arguments, in which the placeholders `{topic}`, `{id}`, `{publisher}`,
            `{content_type}` and `{file}` can stand, also as parts.
        timeout: seconds after which the program and its process group are killed.

    Raises:
        ConfigError: there is no such program, or a placeholder is unknown.
    """

    def __init__(self, arguments: Sequence[str], timeout: float = TIMEOUT) -> None:
        if not arguments:
            raise ConfigError("command: it has no program")
        self._templates = [Template(text, PLACEHOLDERS, "command") for text in arguments]
        if self._templates[0].names:
            raise ConfigError("command: an update does not choose the program", hint="Write its name or path.")
        self._program = self._templates[0].fill({})
        if shutil.which(self._program) is None:
            raise ConfigError(
                f"{self.describe()}: there is no such program",
                hint="Write the name of a program that is in PATH, or the path of a file that can be executed.",
            )
        self._needs_file = any("file" in template.names for template in self._templates)
        self._timeout = timeout

    def __call__(self, update: Update) -> None:
        """Run the program. See `Deliverer`."""
        with tempfile.NamedTemporaryFile(prefix="cloudsync-", suffix=values(update)["suffix"]) as content:
            for chunk in update.chunks():
                content.write(chunk)
            content.flush()
            content.seek(0)
            filled = {
                "topic": update.topic,
                "id": update.id,
                "publisher": update.publisher,
                "content_type": update.content_type,
                "file": content.name,
            }
            arguments = [template.fill(filled) for template in self._templates]
            self._run(arguments, environment(update), subprocess.DEVNULL if self._needs_file else content)

    def close(self) -> None:
        """Nothing is held."""

    def describe(self) -> str:
        """Return the name of the program; arguments may hold secrets."""
        return f"command {printable(self._program)}"

    def _run(self, arguments: Sequence[str], added: dict[str, str], content: int | IO[bytes]) -> None:
        try:
            process = subprocess.Popen(  # noqa: S603 - what to run is what the user asked for; there is no shell
                arguments,
                stdin=content,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={**os.environ, **added},
                start_new_session=True,
            )
        except OSError as error:
            raise DeliveryError(f"{self.describe()} cannot be started: {error.strerror}") from error
        with _ended(process):
            printed = _output(process, time.monotonic() + self._timeout)
            code = process.returncode
        _log.debug("%s ended with %s and printed: %s", self.describe(), code, printed)
        if code is None:
            raise DeliveryError(f"{self.describe()} was not done after {self._timeout:g} s and was killed{printed}")
        if code < 0:
            raise DeliveryError(f"{self.describe()} was ended by {_signal(-code)}{printed}")
        if code:
            raise DeliveryError(f"{self.describe()} exited with {code}{printed}")


def environment(update: Update) -> dict[str, str]:
    """Return what the environment of a program says of an update."""
    described = {
        "UPDATE_ID": update.id,
        "TOPIC": update.topic,
        "PUBLISHER": update.publisher,
        "CREATED": rfc3339(update.created),
        "CONTENT_TYPE": update.content_type,
    }
    metadata = {f"META_{_NO_NAME.sub('_', name.upper())}": value for name, value in sorted(update.metadata.items())}
    return {f"CLOUDSYNC_{name}": value for name, value in {**metadata, **described}.items()}


@contextlib.contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """See to it that a process whose end was not waited for is dead after the block, with its process group."""
    try:
        yield
    finally:
        if process.returncode is None:
            # Not waited for yet, so nobody else can have the number.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        assert process.stdout is not None
        process.stdout.close()


def _output(process: subprocess.Popen[bytes], until: float) -> str:
    """Wait for the end of a process, and return how an error quotes what it printed; it may not have ended then."""
    assert process.stdout is not None
    output, tail, look, is_open = process.stdout.fileno(), b"", 0.0005, True
    # What the process has left running may keep its output open, so the end of the output is not waited for.
    while (left := until - time.monotonic()) > 0:
        if not is_open:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(left)
            break
        if select.select([output], [], [], min(look, left))[0]:
            chunk = os.read(output, _READ)
            tail, is_open = (tail + chunk)[-TAIL:], bool(chunk)
        elif process.poll() is not None:
            break
        else:
            look = min(look * 2, _LONGEST_LOOK)
    text = printable(tail.decode(errors="replace").strip().replace("\n", " | "))
    return f": {text}" if text else ""


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"the signal {number}"
