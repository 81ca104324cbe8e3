"""Leaves out what has more than CLOUDSYNC_LARGEST bytes, on both sides: it is neither copied nor deleted."""

import os

from cloudsync_core.models import ObjectInfo
from cloudsync_core.plugins import hookimpl


@hookimpl
def cloudsync_include_object(entry: ObjectInfo) -> bool | None:
    """Return false for what is too large; no opinion on everything else, which another plugin may have."""
    largest = os.environ.get("CLOUDSYNC_LARGEST")
    return False if largest is not None and entry.size > int(largest) else None
