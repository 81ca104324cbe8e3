"""What plugin authors import: the hook marker and the records."""

from cloudsync_core.plugins.hookspecs import hookimpl
from cloudsync_core.plugins.records import API_VERSION, BackendInfo, ComparatorInfo, EventSourceInfo

__all__ = ["API_VERSION", "BackendInfo", "ComparatorInfo", "EventSourceInfo", "hookimpl"]
