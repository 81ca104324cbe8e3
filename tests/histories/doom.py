"""The end of a process in the middle of a run, played inside the process that tests it."""

import contextlib
import threading

from cloudsync_core import crashpoints
from cloudsync_core.layers.layer import Layer

_OF_THE_PROCESS = {
    "run.lock.acquired",
    "shutdown.begin",
    "state.txn.begin",
    "state.txn.committed",
    "del.state.committed",
}
"""Points at which only the end of the process gives a lock or a connection back, and here it is the run that dies."""


class Died(BaseException):
    """The process is no more; nothing of the engine may catch this."""


class Doom:
    """Ends a run at the k-th moment: a call of either side, or a crash point. Nothing reaches a side after that.

    What the run itself does when it is over, such as saving its base, is the caller's to take back.

    Args:
        moment: which.
    """

    def __init__(self, moment):
        self._left = moment
        self._lock = threading.Lock()
        self.dead = False

    def pass_by(self, point=None):
        """Live through a moment, or not."""
        if point in _OF_THE_PROCESS:
            return
        with self._lock:
            self._left -= 1
            self.dead = self.dead or self._left <= 0
        if self.dead:
            raise Died

    @contextlib.contextmanager
    def looming(self):
        """Hear of the crash points of a block."""
        crashpoints.watch(self.pass_by)
        try:
            yield
        finally:
            crashpoints._watchers.remove(self.pass_by)


class Doomed(Layer):
    """A backend in a process that is about to die."""

    def __init__(self, inner, doom):
        super().__init__(inner)
        self._doom = doom

    def list(self, prefix="", *, start_after=None, prune=None):
        self._doom.pass_by()
        for page in self.inner.list(prefix, start_after=start_after, prune=prune):
            self._doom.pass_by()
            yield page

    def stat(self, key):
        self._doom.pass_by()
        return self.inner.stat(key)

    @contextlib.contextmanager
    def get(self, key, *, byte_range=None, if_match=None):
        self._doom.pass_by()
        with self.inner.get(key, byte_range=byte_range, if_match=if_match) as reader:
            yield reader

    def read(self, key, limit):
        self._doom.pass_by()
        return self.inner.read(key, limit)

    def put(self, key, body, **options):
        self._doom.pass_by()
        written = self.inner.put(key, body, **options)
        self._doom.pass_by()
        return written

    def copy(self, source, info, key, **options):
        self._doom.pass_by()
        copied = super().copy(source, info, key, **options)
        self._doom.pass_by()
        return copied

    def delete(self, key, *, if_match=None):
        self._doom.pass_by()
        self.inner.delete(key, if_match=if_match)
        self._doom.pass_by()

    def delete_many(self, items):
        self._doom.pass_by()
        for result in self.inner.delete_many(items):
            self._doom.pass_by()
            yield result
