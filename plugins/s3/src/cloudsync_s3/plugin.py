"""What the entry point names: one record. Nothing of the SDK is imported before a location is opened."""

from __future__ import annotations

from cloudsync_core.plugins import BackendInfo, hookimpl


@hookimpl
def cloudsync_register_backends() -> list[BackendInfo]:
    """Offer the backend for `s3://` locations."""
    return [
        BackendInfo(
            schemes=("s3",),
            summary="Amazon S3 and every server that speaks its protocol",
            factory="cloudsync_s3.backend:S3Backend",
            options="cloudsync_s3.config:S3Options",
            install_hint="pip install cloudsync-s3",
        )
    ]
