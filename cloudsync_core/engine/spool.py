"""Values that wait on disk: the deletes until everything else is done, a plan until somebody has reviewed it."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Collection, Iterator
from types import TracebackType
from typing import Any, Self, TypeVar

from cloudsync_core.engine.codec import decode_action, encode_action
from cloudsync_core.runs import Action

Value = TypeVar("Value")

_BLOCK = 64 * 1024
"""Bytes that are read at once."""


class Spool(Collection[Value]):
    """A list in a temporary file without a name: written once, then read as often as one likes.

    Args:
        encode: returns a value as JSON.
        decode: returns the value that `encode` gave.
    """

    def __init__(self, encode: Callable[[Value], Any], decode: Callable[[Any], Value]) -> None:
        self._encode = encode
        self._decode = decode
        self._file = tempfile.TemporaryFile("w+b", prefix="cloudsync-spool-")  # noqa: SIM115 - closed by __exit__
        self._length = 0

    def append(self, value: Value) -> None:
        """Add one value at the end; not after the first reading."""
        self._file.write(json.dumps(self._encode(value)).encode() + b"\n")
        self._length += 1

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Value]:
        self._file.flush()
        place, begun = 0, b""
        # Read where one stands, and not where the file does: several readers may be on their way at once.
        while block := os.pread(self._file.fileno(), _BLOCK, place):
            place += len(block)
            *lines, begun = (begun + block).split(b"\n")
            for line in lines:
                yield self._decode(json.loads(line))

    def __contains__(self, value: object) -> bool:
        return any(value == other for other in self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


class ActionSpool(Spool[Action]):
    """A spool of actions."""

    def __init__(self) -> None:
        super().__init__(encode_action, decode_action)
