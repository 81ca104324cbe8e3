"""What every kind of delivery has in common."""

from __future__ import annotations

from typing import Protocol

from cloudsync_core.channels.update import Update


class Deliverer(Protocol):
    """Delivers one update after the other; called in one thread."""

    def __call__(self, update: Update) -> None:
        """Deliver an update, and return when its effect is durable.

        The same update may come again: after a crash, and where another delivery of it has failed.

        Raises:
            DeliveryError: it could not be delivered.
            BackendError: its content could not be read from the channel; as the channel raised it.
        """

    def close(self) -> None:
        """Let go of what is held; nothing is delivered after that."""

    def describe(self) -> str:
        """Return in a few words what updates are delivered to, without a secret."""
