"""What a way of watching a directory tree has to do, and how it says that it cannot go on."""

from __future__ import annotations

from typing import Final, Protocol

from cloudsync_core.event_source import Hints

LIMIT_REACHED: Final = (
    "the system allows no more watches; raise fs.inotify.max_user_watches (one for each folder), or "
    "fs.inotify.max_user_instances where many programs watch, for instance by "
    "`sysctl fs.inotify.max_user_watches=1048576` and a file in /etc/sysctl.d"
)
LINK_MET: Final = "there are symbolic links that are followed, and changes behind them are not told by the system"
EVENTS_LOST: Final = "the system has lost events, because there were too many at once"
ROOT_GONE: Final = "the directory is not where it was"


class LostTrackError(Exception):
    """The tree has to be watched anew, and everything in it looked at; the message says why."""


class NotToldError(Exception):
    """The system does not tell all changes of this tree; the message says why."""


class Tree(Protocol):
    """Watches a tree.

    Attributes:
        identity: device and number of the directory that is watched.
    """

    identity: tuple[int, int]

    def wait(self, timeout: float) -> Hints | None:
        """Return hints, or `None` where there are none within so many seconds.

        Raises:
            LostTrackError, NotToldError: see there.
        """

    def wake(self) -> None:
        """Let a `wait` in another thread return at once, with hints or without; where there is none, the next one."""

    def close(self) -> None:
        """Watch nothing any more."""
