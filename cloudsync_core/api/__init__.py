"""What a Python program calls: one function or class a workflow, and the door to every backend."""

from cloudsync_core.api.mirroring import mirror, open_backend

__all__ = ["mirror", "open_backend"]
