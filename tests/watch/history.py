"""What was where, and when: by this it is judged whether something was deleted that should not have been."""

import contextlib
import threading
import time
from pathlib import Path

from watchdog.events import FileSystemEventHandler
from watchdog.observers import Observer


class History:
    """When each key was on the source: at least then, for it begins after a write and ends before a removal."""

    def __init__(self):
        self._since = {}
        self._past = {}

    @property
    def keys(self):
        """The keys that are there now."""
        return sorted(self._since)

    def wrote(self, *keys):
        """Remember that keys have just been written."""
        now = time.monotonic()
        for key in keys:
            self._since.setdefault(key, now)

    def removes(self, *keys):
        """Remember that keys are about to be removed."""
        now = time.monotonic()
        for key in keys:
            self._past.setdefault(key, []).append((self._since.pop(key), now))

    def existed(self, key, begin, end):
        """Tell whether a key was there for the whole of a time."""
        spans = [*self._past.get(key, []), (self._since.get(key, end), float("inf"))]
        return any(first <= begin and end <= last for first, last in spans)


class Removals:
    """Each key that has disappeared from the target, with when that was.

    Attributes:
        found: pairs of a key and a time, which is not before the removal was decided.
    """

    def __init__(self):
        self.found = []
        self._lock = threading.Lock()

    def wrong(self, history, grace):
        """Return the keys that were deleted although they had been on the source for as long as the grace period."""
        return [key for key, when in self.found if history.existed(key, when - grace, when)]

    def seen(self, keys, when):
        """Remember that keys have disappeared."""
        self.found += [(key, when) for key in keys]

    def watch_store(self, cloud):
        """See what each request that deletes has really deleted, whatever becomes of its answer."""

        def look(_, forward):
            with self._lock:
                before = cloud.keys()
                asked = time.monotonic()
                try:
                    return forward()
                finally:
                    self.seen(before - cloud.keys(), asked)

        cloud.proxy.disturb(cloud.dialect.deletes, look)

    @contextlib.contextmanager
    def watch_directory(self, folder):
        """See what files of a directory are removed, or moved away."""
        observer = Observer()
        observer.schedule(_Files(folder, self), str(folder), recursive=True)
        observer.start()
        try:
            yield
        finally:
            observer.stop()
            observer.join()


class _Files(FileSystemEventHandler):
    def __init__(self, folder, removals):
        self._folder = folder
        self._removals = removals

    def on_deleted(self, event):
        self._gone(event)

    def on_moved(self, event):
        self._gone(event)

    def _gone(self, event):
        path = Path(event.src_path)
        if not event.is_directory and not path.name.startswith(".cs-"):
            self._removals.seen([path.relative_to(self._folder).as_posix()], time.monotonic())
