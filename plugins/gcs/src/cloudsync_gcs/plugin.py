"""What the entry point names: records. Nothing of the SDK is imported before a location is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudsync_core.plugins import BackendInfo, EventSourceInfo, hookimpl

if TYPE_CHECKING:
    import click

_SCHEMES = ("gs", "gcs")
_INSTALL_HINT = "pip install cloudsync-gcs"


@hookimpl
def cloudsync_register_backends() -> list[BackendInfo]:
    """Offer the backend for `gs://` locations; `gcs://` is another name of the same place."""
    return [
        BackendInfo(
            schemes=_SCHEMES,
            summary="Google Cloud Storage",
            factory="cloudsync_gcs.backend:GCSBackend",
            options="cloudsync_gcs.config:GCSOptions",
            install_hint=_INSTALL_HINT,
        )
    ]


@hookimpl
def cloudsync_register_event_sources() -> list[EventSourceInfo]:
    """Offer what Google tells of changes."""
    return [
        EventSourceInfo(
            name="pubsub",
            summary="notifications of Google Cloud Storage, by a subscription of Pub/Sub",
            factory="cloudsync_gcs.source:PubSubEvents",
            schemes=_SCHEMES,
            options="cloudsync_gcs.source:PubSubOptions",
            install_hint=_INSTALL_HINT,
        )
    ]


@hookimpl
def cloudsync_register_commands(cli: click.Group) -> None:
    """Add `cloudsync gcs`."""
    from cloudsync_gcs.commands import gcs  # noqa: PLC0415 - only a command line needs it

    cli.add_command(gcs)
