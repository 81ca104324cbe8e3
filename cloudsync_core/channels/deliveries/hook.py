"""Updates to the hook of plugins."""

from __future__ import annotations

from collections.abc import Callable

from cloudsync_core.channels.update import Update


class HookDelivery:
    """Tells plugins of each update; what one of them raises is logged and counted, and no failure of the delivery.

    Put it after all other deliveries, so that plugins are told of what the others have done.

    Args:
        notify: calls the hook; see `Plugins.update_received`.
        channel: where the channel is, as users write it.
    """

    def __init__(self, notify: Callable[[str, Update], None], channel: str) -> None:
        self._notify = notify
        self._channel = channel

    def __call__(self, update: Update) -> None:
        """Tell the plugins. See `Deliverer`."""
        self._notify(self._channel, update)

    def close(self) -> None:
        """Nothing is held."""

    def describe(self) -> str:
        """Return what is called."""
        return "hook update_received"
