"""Standard input, as content that is published."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final, TextIO

from cloudsync_core.errors import ConfigError

LINE_LIMIT: Final = 8 * 1024 * 1024
"""Bytes of a line that is an update of its own, at most."""

BATCH: Final = 1000
"""Lines that are handed over together, at most."""

_BATCH_BYTES: Final = 1024 * 1024
_READ: Final = 64 * 1024
_QUIET_SECONDS: Final = 0.05


def standard_input() -> IO[bytes]:
    """Return the bytes of standard input.

    Raises:
        ConfigError: it was closed when the program started.
    """
    # Not so in the types, but in programs whose caller has closed it.
    stream: TextIO | None = sys.stdin
    if stream is None:
        raise ConfigError("standard input is closed")
    return stream.buffer


@contextlib.contextmanager
def spooled(stream: IO[bytes]) -> Iterator[Path]:
    """Hold all of a stream in a temporary file for the length of the block: it can be sent again where it must be."""
    with tempfile.NamedTemporaryFile(prefix="cloudsync-") as kept:
        shutil.copyfileobj(stream, kept)
        kept.flush()
        yield Path(kept.name)


def lines_at_hand(stream: IO[bytes]) -> Iterator[list[bytes]]:
    """Yield the lines of a stream, those together that are there: at once what comes now and then, many of a flood.

    Lines come without their end, the last one with or without; none of the lists is empty.

    Raises:
        ConfigError: a line is too long.
    """
    source = stream.fileno()
    lines: list[bytes] = []
    rest, size = b"", 0
    while True:
        if lines and (len(lines) >= BATCH or size >= _BATCH_BYTES or not _more_at_hand(source)):
            yield lines[:BATCH]
            lines = lines[BATCH:]
            size = sum(map(len, lines))
            continue
        block = os.read(source, _READ)
        if not block:
            break
        *whole, rest = (rest + block).split(b"\n") if b"\n" in block else (rest + block,)
        if max(map(len, (*whole, rest))) > LINE_LIMIT:
            raise ConfigError(
                f"a line of standard input has more than {LINE_LIMIT} bytes", hint="Publish large content by '-'."
            )
        lines += whole
        size += sum(map(len, whole))
    if rest:
        lines.append(rest)
    for start in range(0, len(lines), BATCH):
        yield lines[start : start + BATCH]


def _more_at_hand(source: int) -> bool:
    return bool(select.select([source], [], [], _QUIET_SECONDS)[0])
