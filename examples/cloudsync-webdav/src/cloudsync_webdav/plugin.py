"""What cloudsync imports when it starts: only records, so that no command waits for what this backend builds on."""

from __future__ import annotations

from cloudsync_core.plugins import BackendInfo, hookimpl


@hookimpl
def cloudsync_register_backends() -> list[BackendInfo]:
    """Offer the backend; its modules are imported when a location needs it."""
    return [
        BackendInfo(
            schemes=("dav", "davs"),
            summary="a folder on a WebDAV server; davs with TLS",
            factory="cloudsync_webdav.backend:WebdavBackend",
            options="cloudsync_webdav.config:WebdavOptions",
        )
    ]
