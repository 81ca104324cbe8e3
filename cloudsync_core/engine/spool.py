"""Actions that wait on disk: the deletes until everything else is done, a plan until somebody has reviewed it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Collection, Iterator
from types import TracebackType
from typing import Self

from cloudsync_core.engine.codec import decode_action, encode_action
from cloudsync_core.runs import Action


class Spool(Collection[Action]):
    """A list of actions in a temporary file without a name: written once, then read as often as one likes."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile("w+b", prefix="cloudsync-spool-")  # noqa: SIM115
        self._length = 0

    def append(self, action: Action) -> None:
        """Add one action at the end."""
        self._file.write(json.dumps(encode_action(action)).encode() + b"\n")
        self._length += 1

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Action]:
        self._file.flush()
        place = 0
        while True:
            # Several readers may be on their way at once, and share one file.
            self._file.seek(place)
            line = self._file.readline()
            if not line:
                return
            place = self._file.tell()
            yield decode_action(json.loads(line))

    def __contains__(self, action: object) -> bool:
        return any(action == other for other in self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
