"""What runs have put aside in a backup, as it is found there."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from cloudsync_core.backend import Backend
from cloudsync_core.engine.filters import Filter
from cloudsync_core.errors import BackendError, ConfigError, printable
from cloudsync_core.models import Gap, ObjectInfo
from cloudsync_core.workflows.backup import MANIFEST

_RUN: Final = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}")
_MANIFEST_BYTES: Final = 64 * 1024


@dataclasses.dataclass(slots=True)
class KeptRun:
    """What one run has put aside.

    Attributes:
        run: its id.
        started: when it started: seconds since the epoch, UTC.
        objects: how many.
        bytes: of all of them.
        job: the job's name; `None` where the run did not end, and so left no word of it.
        target: where the objects were; likewise.
    """

    run: str
    started: float
    objects: int = 0
    bytes: int = 0
    job: str | None = None
    target: str | None = None


def kept_runs(backup: Backend, gap: Callable[[Gap], None]) -> list[KeptRun]:
    """Return the runs that have put something aside, the oldest first.

    They are counted by what is there, so a run that was killed is among them.

    Args:
        backup: the whole backup.
        gap: is told what cannot be listed.

    Raises:
        BackendError: it cannot be listed.
    """
    found: dict[str, KeptRun] = {}
    manifests = set()
    for page in backup.list():
        for unseen in page.gaps:
            gap(unseen)
        for key, size in zip(page.keys, page.sizes, strict=True):
            name, slash, rest = key.partition("/")
            if not slash and name.endswith(MANIFEST):
                manifests.add(name.removesuffix(MANIFEST))
            elif rest and _RUN.fullmatch(name):
                run = found.setdefault(name, KeptRun(name, _started(name)))
                run.objects += 1
                run.bytes += size
    for name in manifests & set(found):
        told = _manifest(backup, name)
        found[name].job, found[name].target = told.get("job"), told.get("target")
    return [found[name] for name in sorted(found)]


def kept_objects(backup: Backend, run: str, scope: Filter, gap: Callable[[Gap], None]) -> Iterator[ObjectInfo]:
    """Yield what one run has put aside, by the keys that it had in the target.

    Args:
        backup: the whole backup.
        run: its id.
        scope: which keys.
        gap: is told what cannot be listed.

    Raises:
        ConfigError: the run has put nothing aside.
        BackendError: it cannot be listed.
    """
    require(backup, run)
    for page in backup.list(run):
        for unseen in page.gaps:
            gap(unseen)
        for entry in page:
            key = entry.key.removeprefix(f"{run}/")
            if key and scope.wants(key):
                yield dataclasses.replace(entry, key=key)


def require(backup: Backend, run: str) -> None:
    """Raise `ConfigError` unless a run has put something aside.

    Args:
        backup: the whole backup.
        run: its id, as somebody has written it.
    """
    if _RUN.fullmatch(run) is None or not any(page.keys for page in backup.list(run)):
        raise ConfigError(
            f"{backup.location}: no run {printable(run)} has put anything aside there",
            hint="Name one of those that 'cloudsync restore' lists without it.",
        )


def _started(run: str) -> float:
    try:
        return dt.datetime.strptime(run[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC).timestamp()
    except ValueError:
        return 0.0


def _manifest(backup: Backend, run: str) -> dict[str, Any]:
    """Return what the run has left word of; nothing where that cannot be read."""
    with contextlib.suppress(BackendError, ValueError):
        reader = backup.read(run + MANIFEST, _MANIFEST_BYTES)
        told = json.loads(reader.read()) if reader is not None else None
        if isinstance(told, dict):
            return {name: value for name, value in told.items() if isinstance(value, str)}
    return {}
