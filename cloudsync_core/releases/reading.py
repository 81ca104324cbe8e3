"""Reading content for its digest alone: what tells that a file need not be sent."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator

from cloudsync_core.backend import Backend
from cloudsync_core.engine.concurrency import Concurrency
from cloudsync_core.engine.executor import execute
from cloudsync_core.engine.transfer import failed
from cloudsync_core.engine.verification import named
from cloudsync_core.errors import BackendError, CancelledError
from cloudsync_core.layers.retry import RetryPolicy
from cloudsync_core.runs import Action, Outcome


def read_digests(
    backend: Backend,
    actions: Iterable[Action],
    *,
    concurrency: Concurrency,
    retry: RetryPolicy,
    stop: threading.Event,
    paced: Callable[[int], None] | None = None,
) -> Iterator[Outcome]:
    """Yield what the objects of actions hold, as they were read: the outcomes' `source` and `digest` (SHA-256).

    An object that cannot be read, or that changes while it is, is a failed outcome.

    Args:
        backend: where they are.
        actions: by their keys.
        concurrency: how many are read at once.
        retry: when an object is read again.
        stop: ends the reading; what was not read has no outcome.
        paced: called with the bytes that are about to pass; it waits until they may.
    """

    def on_chunk(size: int) -> None:
        if stop.is_set():
            raise CancelledError("interrupted")
        if paced is not None:
            paced(size)

    def read(action: Action) -> Outcome:
        with backend.get(action.key) as reader, named(backend, action.key):
            body = reader.body(on_chunk=on_chunk)
            body.require("sha256")
            for _ in body.chunks():
                pass
            return Outcome(action, "done", source=reader.info, digest=str(body.digest("sha256")))

    def perform(action: Action) -> list[Outcome]:
        try:
            return [retry.call(lambda: read(action), stop)]
        except BackendError as error:
            if stop.is_set():
                raise CancelledError("interrupted") from error
            return [failed(action, error)]

    return execute(actions, perform, concurrency=concurrency, stop=stop)
