"""cloudsync keeps data in step across storage providers.

    >>> from cloudsync_core import mirror
    >>> report = mirror("./public", "memory://backup", state=None)  # doctest: +SKIP
    >>> report.counts.added  # doctest: +SKIP
    3

The names below are the public interface; they are imported on first use, so that the command line starts fast.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cloudsync_core.api.channels import Channel
    from cloudsync_core.api.fetching import fetch_release
    from cloudsync_core.api.mirroring import mirror, open_backend
    from cloudsync_core.api.releases import Releases, release
    from cloudsync_core.api.subscribing import Subscription
    from cloudsync_core.api.watching import Watch, watch
    from cloudsync_core.backend import Backend
    from cloudsync_core.body import Body, ObjectReader
    from cloudsync_core.capabilities import Capabilities
    from cloudsync_core.channels.drafts import Message
    from cloudsync_core.channels.pruning import PruneReport
    from cloudsync_core.channels.stats import ChannelStats
    from cloudsync_core.channels.update import Update
    from cloudsync_core.config.model import (
        Config,
        FetchJob,
        HeaderRuleConfig,
        LocationConfig,
        MirrorJob,
        PluginsConfig,
        PublishJob,
        ReleaseJob,
        SubscribeJob,
        WatchJob,
    )
    from cloudsync_core.errors import CloudSyncError, DeliveryError
    from cloudsync_core.models import (
        ALWAYS,
        IF_ABSENT,
        Attributes,
        ByteRange,
        DeleteResult,
        Digest,
        Gap,
        Identity,
        IfMatch,
        ObjectInfo,
        Page,
        PutCondition,
        Version,
    )
    from cloudsync_core.options import BackendOptions
    from cloudsync_core.runs import Action, Outcome, RunInfo, RunReport

_HOMES = {
    "api.channels": ("Channel",),
    "api.fetching": ("fetch_release",),
    "api.mirroring": ("mirror", "open_backend"),
    "api.releases": ("Releases", "release"),
    "api.subscribing": ("Subscription",),
    "api.watching": ("Watch", "watch"),
    "backend": ("Backend",),
    "body": ("Body", "ObjectReader"),
    "capabilities": ("Capabilities",),
    "channels.drafts": ("Message",),
    "channels.pruning": ("PruneReport",),
    "channels.stats": ("ChannelStats",),
    "channels.update": ("Update",),
    "config.model": (
        "Config",
        "FetchJob",
        "HeaderRuleConfig",
        "LocationConfig",
        "MirrorJob",
        "PluginsConfig",
        "PublishJob",
        "ReleaseJob",
        "SubscribeJob",
        "WatchJob",
    ),
    "errors": ("CloudSyncError", "DeliveryError"),
    "models": (
        "ALWAYS",
        "IF_ABSENT",
        "Attributes",
        "ByteRange",
        "DeleteResult",
        "Digest",
        "Gap",
        "Identity",
        "IfMatch",
        "ObjectInfo",
        "Page",
        "PutCondition",
        "Version",
    ),
    "options": ("BackendOptions",),
    "runs": ("Action", "Outcome", "RunInfo", "RunReport"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "ALWAYS",
    "IF_ABSENT",
    "Action",
    "Attributes",
    "Backend",
    "BackendOptions",
    "Body",
    "ByteRange",
    "Capabilities",
    "Channel",
    "ChannelStats",
    "CloudSyncError",
    "Config",
    "DeleteResult",
    "DeliveryError",
    "Digest",
    "FetchJob",
    "Gap",
    "HeaderRuleConfig",
    "Identity",
    "IfMatch",
    "LocationConfig",
    "Message",
    "MirrorJob",
    "ObjectInfo",
    "ObjectReader",
    "Outcome",
    "Page",
    "PluginsConfig",
    "PruneReport",
    "PublishJob",
    "PutCondition",
    "ReleaseJob",
    "Releases",
    "RunInfo",
    "RunReport",
    "SubscribeJob",
    "Subscription",
    "Update",
    "Version",
    "Watch",
    "WatchJob",
    "fetch_release",
    "mirror",
    "open_backend",
    "release",
    "watch",
]


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted((*__all__, *globals()))
