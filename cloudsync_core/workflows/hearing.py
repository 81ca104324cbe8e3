"""Whether changes of a source are heard of: a probe is written to it, its hint is waited for, and it is removed."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import secrets
import time
from collections.abc import Iterator
from typing import Final

from cloudsync_core.backend import Backend
from cloudsync_core.body import Body
from cloudsync_core.config.jobs.watch import WatchJob
from cloudsync_core.errors import BackendError, CancelledError, RunError
from cloudsync_core.event_source import EventSource, Hints
from cloudsync_core.layers.retry import Retry, RetryPolicy
from cloudsync_core.workflows.context import Context

_LOG = logging.getLogger(__name__)

_PROBES: Final = ".cloudsync/check-"
"""Where the probe is: in the folder that is in the scope of no job, so that nobody who watches meanwhile carries it."""

_SLICE: Final = 0.5
"""Seconds between two looks at whether the user wants no more."""


@dataclasses.dataclass(frozen=True, slots=True)
class Hearing:
    """What became of a probe.

    Attributes:
        source: the location that was written to, without credentials.
        key: the probe's.
        seconds: from when it was written to when it was heard of; `None` if that never was.
        doubt: why the event source wanted everything to be looked at meanwhile, or `None`.
    """

    source: str
    key: str
    seconds: float | None
    doubt: str | None


def hear(job: WatchJob, context: Context, *, timeout: float) -> Hearing:
    """Write a probe to the source of a job, and wait until the event source tells of it; the target is left alone.

    The probe is removed however this ends. What else the event source tells of is not acknowledged, and so is heard
    of again by whoever watches.

    Args:
        job: the job.
        context: its surroundings.
        timeout: seconds to wait at most.

    Raises:
        RunError: the source cannot be written.
        ConfigError, PluginError, BackendError: the source or the event source cannot be used.
        CancelledError: the user wants no more.
    """
    policy = RetryPolicy(attempts=job.retries)
    with context.open("source", False) as opened:
        backend = Retry(opened, policy, stop=context.stop)
        # Removed also when the user wants no more.
        remover = Retry(opened, policy)
        with context.open_events(backend, None) as events:
            key = f"{_PROBES}{secrets.token_hex(8)}"
            with _removing(remover, key):
                return _wait(backend, events, key, context, timeout=timeout)


def _wait(backend: Backend, events: EventSource, key: str, context: Context, *, timeout: float) -> Hearing:
    _write(backend, key)
    written = time.monotonic()
    doubt: str | None = None
    while (passed := time.monotonic() - written) < timeout:
        if context.stop.is_set():
            raise CancelledError("interrupted")
        hints = events.wait(min(_SLICE, timeout - passed))
        if hints is None:
            continue
        if _tells_of(hints, key):
            if hints.keys == (key,) and not hints.folders and hints.everything is None:
                hints.done()
            return Hearing(backend.location, key, time.monotonic() - written, doubt)
        if hints.everything is not None:
            # It may have missed the probe, and has said so: it has to hear the next one.
            doubt = hints.everything
            _write(backend, key)
    return Hearing(backend.location, key, None, doubt)


def _tells_of(hints: Hints, key: str) -> bool:
    return key in hints.keys or any(key.startswith(folder) for folder in hints.folders)


def _write(backend: Backend, key: str) -> None:
    try:
        # Of other content each time, where listings are compared.
        backend.put(key, Body(b"cloudsync tests whether it hears of changes\n" + secrets.token_hex(8).encode()))
    except BackendError as error:
        raise RunError(
            f"no probe can be written to {backend.location}: {error}",
            hint="The check writes an object and removes it again: use credentials that may do that for once, or change"
            " an object yourself while the job watches.",
        ) from error


@contextlib.contextmanager
def _removing(backend: Backend, key: str) -> Iterator[None]:
    try:
        yield
    finally:
        try:
            backend.delete(key)
        except BackendError as error:
            _LOG.warning("the probe %s is left at %s: %s", key, backend.location, error)
