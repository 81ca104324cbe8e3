"""What the entry point names: one record. Nothing of the SDK is imported before a location is opened."""

from __future__ import annotations

from cloudsync_core.plugins import BackendInfo, hookimpl


@hookimpl
def cloudsync_register_backends() -> list[BackendInfo]:
    """Offer the backend for `az://` locations; `abfs://` is another name of the same place."""
    return [
        BackendInfo(
            schemes=("az", "abfs"),
            summary="Azure Blob Storage",
            factory="cloudsync_azure.backend:AzureBackend",
            options="cloudsync_azure.config:AzureOptions",
            install_hint="pip install cloudsync-azure",
        )
    ]
