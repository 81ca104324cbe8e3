"""Whether a run goes on, as somebody outside of it can tell: its thread looks round, or waits on purpose."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator


class Life:
    """When the thread of a run last showed that it goes on.

    Only the thread that has made it counts: that others go on says nothing of it.
    """

    def __init__(self) -> None:
        self._thread = threading.get_ident()
        self._seen = time.monotonic()
        self._idle = False

    @property
    def silence(self) -> float:
        """The seconds for which nothing was seen of it; 0 while it waits on purpose."""
        return 0.0 if self._idle else time.monotonic() - self._seen

    def show(self) -> None:
        """Show that it goes on."""
        if threading.get_ident() == self._thread:
            self._seen = time.monotonic()

    @contextlib.contextmanager
    def idle(self) -> Iterator[None]:
        """Say that it waits on purpose, for the length of the block."""
        if threading.get_ident() != self._thread:
            yield
            return
        self._idle = True
        try:
            yield
        finally:
            self._seen = time.monotonic()
            self._idle = False
