"""Receiving the updates of a channel from Python: by a callback, or as an iterator."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cloudsync_core.backend import Backend
from cloudsync_core.channels import events, names
from cloudsync_core.channels.deliveries.callback import checked
from cloudsync_core.channels.subscriber import Start, Subscriber
from cloudsync_core.channels.update import Update
from cloudsync_core.config.environment import default_state_path
from cloudsync_core.engine.state import State
from cloudsync_core.errors import CancelledError
from cloudsync_core.layers.retry import Retry, RetryPolicy

_LOG = logging.getLogger(__name__)


def subscriber_state(url: str, name: str) -> Path:
    """Return where the state of a subscriber lives that has no configuration file; nothing is made.

    Args:
        url: the channel's location, as the user wrote it.
        name: of the subscriber.

    Raises:
        ConfigError: the name cannot be one; or a path begins with `~`, and there is no home directory.
    """
    return default_state_path(url, f"subscriber://{names.checked(name, 'subscriber')}")


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What a subscription is to do; see `Channel.subscribe`."""

    name: str
    topics: Sequence[str] = ()
    interval: float = 30.0
    cursor: Start = "earliest"
    skip_own: str | None = None
    state: Path | None = None
    attempts: int = 5
    register: bool = True
    once: bool = False
    listener: events.Listener = events.nobody


class Subscription:
    """A subscription that is under way, in a thread of its own; made by `Channel.subscribe`.

    With a callback, updates are delivered from the beginning until it is stopped:

        with channel.subscribe(handle, name="web1"):
            ...

    Without one it is an iterator. An update is done when the next one is asked for, or when the subscription is closed
    while the `with` block ends well; where an error ends the block, it comes again the next time:

        with channel.subscribe(name="web1") as updates:
            for update in updates:
                ...

    Args:
        backend: the channel, closed by who made it; what fails in passing is retried here.
        callback: gets every update; what it raises is a failure of the delivery.
        wanted: what to do.

    Raises:
        StateError: another process of this machine has the subscription, or the state database cannot be used.
        ChannelError: another subscriber has the name.
        BackendError: the channel cannot be used.
        ConfigError: a name, a pattern or another value is wrong.
    """

    def __init__(self, backend: Backend, callback: Callable[[Update], object] | None, wanted: Wanted) -> None:
        self._callback = None if callback is None else checked(callback, "the callback")
        self._stop = threading.Event()
        # Instead of one that hears nothing of this subscription's end.
        inner = backend.inner if isinstance(backend, Retry) else backend
        self._backend = Retry(inner, RetryPolicy(), stop=self._stop)
        self._wanted = wanted
        self._changed = threading.Condition()
        self._opened = self._ended = self._closing = False
        self._offered: Update | None = None
        self._in_hand: Update | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name=f"cloudsync-{wanted.name}", daemon=True)
        self._thread.start()
        self._until(lambda: self._opened or self._ended)
        if not self._opened:
            self.wait()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the subscription ends, and return whether it has.

        Args:
            timeout: seconds; by default it waits for as long as it takes.

        Raises:
            CloudSyncError: what has ended it, once.
        """
        if not self._until(lambda: self._ended, timeout):
            return False
        self._thread.join()
        error, self._error = self._error, None
        if error is not None:
            raise error
        return True

    def stop(self) -> None:
        """End the subscription: a delivery in hand ends first. What ended it before, `close` and `wait` raise."""
        self._end(done=True)
        self._until(lambda: self._ended)
        self._thread.join()

    def close(self) -> None:
        """Stop it, and raise what has ended it, if anything has."""
        self.stop()
        self.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            self._end(done=False)
            self._until(lambda: self._ended)
            self._thread.join()

    def __iter__(self) -> Iterator[Update]:
        if self._callback is not None:
            raise TypeError("a subscription with a callback delivers to it, and is no iterator")
        return self

    def __next__(self) -> Update:
        with self._changed:
            self._in_hand = None
            self._changed.notify_all()
        self._until(lambda: self._offered is not None or self._ended)
        with self._changed:
            if self._offered is not None and not self._ended:
                self._in_hand, self._offered = self._offered, None
                return self._in_hand
        self.wait()
        raise StopIteration

    def _until(self, holds: Callable[[], bool], timeout: float | None = None) -> bool:
        with self._changed:
            return self._changed.wait_for(holds, timeout)

    def _end(self, *, done: bool) -> None:
        with self._changed:
            if done:
                self._in_hand = None
            self._closing = True
            self._stop.set()
            self._changed.notify_all()

    def _work(self) -> None:
        """Be the thread."""
        wanted = self._wanted
        options: dict[str, Any] = {
            "topics": wanted.topics,
            "skip_own": wanted.skip_own,
            "start": wanted.cursor,
            "attempts": wanted.attempts,
            "register": wanted.register,
        }
        try:
            with contextlib.ExitStack() as stack:
                state = stack.enter_context(State(wanted.state))
                subscriber = stack.enter_context(
                    Subscriber(
                        self._backend,
                        wanted.name,
                        state,
                        [self._deliver],
                        stop=self._stop,
                        told=self._tell,
                        **options,
                    )
                )
                subscriber.open()
                with self._changed:
                    self._opened = True
                    self._changed.notify_all()
                subscriber.run(wanted.interval, once=wanted.once)
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            self._error = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _deliver(self, update: Update) -> None:
        if self._callback is not None:
            self._callback(update)
        else:
            self._hand_over(update)

    def _hand_over(self, update: Update) -> None:
        """Offer an update, and return when it is done."""
        with self._changed:
            self._offered = update
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._offered is not update or self._closing)
            if self._offered is update:
                self._offered = None
                raise CancelledError("nobody has asked for it")
            self._changed.wait_for(lambda: self._in_hand is not update or self._closing)
            if self._in_hand is update:
                raise CancelledError("it was not done")

    def _tell(self, event: events.Event) -> None:
        if isinstance(event, events.Failed):
            _LOG.info("the update %s could not be delivered, and is tried again: %s", event.update.id, event.error)
        elif isinstance(event, events.ParkedAway):
            _LOG.warning("the update %s could not be delivered, and is parked: %s", event.id, event.error)
        elif isinstance(event, events.Skipped):
            _LOG.warning("%s is not delivered: %s", event.key, event.reason)
        elif isinstance(event, events.Unreachable):
            _LOG.warning("the channel cannot be reached: %s", event.error)
        self._wanted.listener(event)
