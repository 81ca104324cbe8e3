"""A scheme of one's own over a backend that exists: `home://NAME` is a directory below the user's home."""

from pathlib import Path

from cloudsync_core.backend import Backend
from cloudsync_core.backends.file import FileBackend, FileOptions
from cloudsync_core.location import Location
from cloudsync_core.plugins import BackendInfo, hookimpl


@hookimpl
def cloudsync_register_backends() -> list[BackendInfo]:
    """Offer the scheme; the factory is imported when a location needs it."""
    return [
        BackendInfo(
            schemes=("home",),
            summary="a directory below the user's home",
            factory="cloudsync_hooks.register_backends:open_home",
            options="cloudsync_core.backends.file:FileOptions",
        )
    ]


def open_home(location: Location, options: FileOptions) -> Backend:
    """Return the backend of a location."""
    return FileBackend(Location("file", str(Path.home() / location.rest.lstrip("/"))), options)
