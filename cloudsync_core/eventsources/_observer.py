"""What watchdog makes of the system's own events, where there is no inotify: FSEvents, kqueue."""

from __future__ import annotations

import contextlib
import os
import queue
import time
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from cloudsync_core import keys
from cloudsync_core.event_source import HINTED_AT_ONCE, Hints
from cloudsync_core.eventsources._tree import EVENTS_LOST, LINK_MET, ROOT_GONE, LostTrackError, NotToldError

_IGNORED = frozenset({"opened", "closed_no_write"})
_WOKEN = ""
"""In the place of a key: nothing has happened, but the wait is over."""


class Observed(FileSystemEventHandler):
    """A tree that watchdog watches.

    Args:
        root: path of the directory.
        follow: whether symbolic links are followed by whoever lists the tree.

    Raises:
        NotToldError: `follow`: nobody tells of changes behind links.
        OSError: the directory cannot be watched; it may not exist.
    """

    def __init__(self, root: str, *, follow: bool) -> None:
        if follow:
            raise NotToldError(LINK_MET)
        self._root = root.rstrip("/") + "/"
        status = Path(root).stat()
        self.identity = (status.st_dev, status.st_ino)
        self._events: queue.Queue[str] = queue.Queue(HINTED_AT_ONCE)
        self._lost = False
        self._observer = Observer()
        self._observer.schedule(self, root, recursive=True)
        self._observer.start()

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Note what an event is about; called by a thread of watchdog's."""
        if event.event_type in _IGNORED:
            return
        for path in (event.src_path, event.dest_path):
            name = os.fsdecode(path)
            if not name.startswith(self._root):
                continue
            key = name.removeprefix(self._root) + ("/" if event.is_directory else "")
            # A directory that something happens in is told as modified, too.
            if event.is_directory and event.event_type == "modified":
                continue
            if keys.problem(key) is None and not keys.is_temporary(key):
                try:
                    self._events.put_nowait(key)
                except queue.Full:
                    self._lost = True

    def wait(self, timeout: float) -> Hints | None:
        """Return hints, or `None` where there are none within so many seconds; see `Tree.wait`."""
        until = time.monotonic() + timeout
        found: dict[str, None] = {}
        while len(found) < HINTED_AT_ONCE:
            left = 0.0 if found else until - time.monotonic()
            try:
                found[self._events.get(timeout=left) if left > 0 else self._events.get_nowait()] = None
            except queue.Empty:
                break
        found.pop(_WOKEN, None)
        if self._lost:
            raise LostTrackError(EVENTS_LOST)
        if not Path(self._root).is_dir():
            raise LostTrackError(ROOT_GONE)
        if not found:
            return None
        return Hints(
            keys=tuple(name for name in found if not name.endswith("/")),
            folders=tuple(name for name in found if name.endswith("/")),
        )

    def wake(self) -> None:
        """Let a `wait` in another thread return at once; see `Tree.wake`."""
        # A full queue keeps nobody waiting.
        with contextlib.suppress(queue.Full):
            self._events.put_nowait(_WOKEN)

    def close(self) -> None:
        """Watch nothing any more."""
        self._observer.stop()
        self._observer.join()
