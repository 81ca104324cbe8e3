"""What the entry point names: one record. Nothing of the SDK is imported before a location is opened."""

from __future__ import annotations

from cloudsync_core.plugins import BackendInfo, hookimpl


@hookimpl
def cloudsync_register_backends() -> list[BackendInfo]:
    """Offer the backend for `gs://` locations; `gcs://` is another name of the same place."""
    return [
        BackendInfo(
            schemes=("gs", "gcs"),
            summary="Google Cloud Storage",
            factory="cloudsync_gcs.backend:GCSBackend",
            options="cloudsync_gcs.config:GCSOptions",
            install_hint="pip install cloudsync-gcs",
        )
    ]
