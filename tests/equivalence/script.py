"""What a script of runs is made of: what somebody does to a side, and a step with what happens before it."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Mapping
from typing import Any, Literal

from cloudsync_core.content_types import guess
from cloudsync_core.models import Attributes
from cloudsync_core.runs import Side
from tests.equivalence.faults import Fault

_FIRST_MTIME_NS = 1_700_000_000_123_456_789


@dataclasses.dataclass(frozen=True)
class Object:
    """What is stored under a key.

    Attributes:
        data: its content.
        attributes: what it carries.
        copied: whether a run wrote it, and nobody else.
    """

    data: bytes
    attributes: Attributes
    copied: bool = False


@dataclasses.dataclass(frozen=True)
class Edit:
    """What somebody does to one object of a side; `None` removes it."""

    side: Side
    key: str
    written: Object | None


@dataclasses.dataclass(frozen=True)
class Step:
    """A run, and what happens before it.

    Attributes:
        title: what the step is about.
        edits: what happens before the run.
        faults: what goes wrong in the run.
        command: what is run; without faults, through the command line.
        rules: of the job, in place of those in `RULES`.
        forgets: whether the state database is lost before the run.
    """

    title: str
    edits: tuple[Edit, ...] = ()
    faults: tuple[Fault, ...] = ()
    command: Literal["run", "dry run", "check"] = "run"
    rules: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    forgets: bool = False

    @property
    def kills(self) -> bool:
        """Whether the process does not survive the run."""
        return any(fault.kind == "killed" for fault in self.faults)


_serial = iter(range(10_000))


def made(key: str, data: bytes | str, **attributes: Any) -> Object:
    """Return an object with a modification time of its own, and the content type that its name suggests."""
    mtime_ns = _FIRST_MTIME_NS + next(_serial) * 1_000_000_000
    content = data.encode() if isinstance(data, str) else data
    return Object(content, Attributes(**{"content_type": guess(key), "mtime_ns": mtime_ns, **attributes}))


def on_source(key: str, data: bytes | str = "", **attributes: Any) -> Edit:
    """Return the writing of an object on the source."""
    return Edit("source", key, made(key, data, **attributes))


def on_target(key: str, data: bytes | str = "", **attributes: Any) -> Edit:
    """Return the writing of an object on the target."""
    return Edit("target", key, made(key, data, **attributes))


def gone(key: str, side: Side = "source") -> Edit:
    """Return the removal of an object."""
    return Edit(side, key, None)


def noise(size: int, seed: int = 0) -> bytes:
    """Return bytes that repeat nowhere."""
    return random.Random(seed).randbytes(size)
