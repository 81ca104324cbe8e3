"""What the entry point names: records and a command. Nothing of the SDK is imported before a location is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudsync_core.plugins import BackendInfo, EventSourceInfo, hookimpl

if TYPE_CHECKING:
    import click

_SCHEMES = ("az", "abfs")
_INSTALL_HINT = "pip install cloudsync-azure"


@hookimpl
def cloudsync_register_backends() -> list[BackendInfo]:
    """Offer the backend for `az://` locations; `abfs://` is another name of the same place."""
    return [
        BackendInfo(
            schemes=_SCHEMES,
            summary="Azure Blob Storage",
            factory="cloudsync_azure.backend:AzureBackend",
            options="cloudsync_azure.config:AzureOptions",
            install_hint=_INSTALL_HINT,
        )
    ]


@hookimpl
def cloudsync_register_event_sources() -> list[EventSourceInfo]:
    """Offer the event source that listens to Event Grid by way of a storage queue."""
    return [
        EventSourceInfo(
            name="azure-queue",
            summary="what Event Grid tells of a container, from a storage queue",
            factory="cloudsync_azure.source:AzureQueueEvents",
            schemes=_SCHEMES,
            options="cloudsync_azure.source:AzureQueueOptions",
            install_hint=_INSTALL_HINT,
        )
    ]


@hookimpl
def cloudsync_register_commands(cli: click.Group) -> None:
    """Add `cloudsync azure`."""
    from cloudsync_azure.commands import azure  # noqa: PLC0415 - other commands do without it

    cli.add_command(azure)
