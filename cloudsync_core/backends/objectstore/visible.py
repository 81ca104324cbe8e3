"""What is there after a put of which the store says that it holds something else than was sent."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from cloudsync_core.errors import IntegrityError
from cloudsync_core.models import ObjectInfo


@contextlib.contextmanager
def telling(written: Callable[[], ObjectInfo]) -> Iterator[None]:
    """Let an `IntegrityError` of the block tell what the put has made visible, so that it can be replaced or removed.

    Args:
        written: returns that, by the store's answer to the put.
    """
    try:
        yield
    except IntegrityError as error:
        error.written = written()
        raise
