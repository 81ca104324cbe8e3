"""The contract's clauses on Google Cloud Storage: as Google serves it, and as a server of which nothing is known."""

import contextlib
from typing import ClassVar

import pytest

from cloudsync_core.testing import BackendContract
from tests.servers.proxy import proxy_before

EIGHTH = {"resumable_threshold": "2MiB", "chunk_size": "1MiB"}
"""The sizes of an eighth of the defaults, which takes an eighth of the time."""


class TestGCS(BackendContract):
    """As Google's documents have it."""

    refuses: ClassVar = dict.fromkeys(
        ("newline", "carriage-return", "every-control-character"),
        "no name in Google Cloud Storage holds a line break",
    )
    options: ClassVar[dict] = EIGHTH

    @pytest.fixture
    def make_backend(self, gcs, open_gcs):
        bucket = gcs.make_bucket()
        with proxy_before(gcs) as self.proxy:

            def make(root="first"):
                place = "no-such-bucket" if root == "missing" else bucket
                return open_gcs(self.proxy.server, place, root, **self.options)

            yield make

    def leftovers(self, backend):
        return backend.server.open_uploads(backend.place.address.bucket)

    @contextlib.contextmanager
    def cut_off(self, backend):
        rule, self.proxy.rule = self.proxy.rule, lambda request, forward: None
        try:
            yield
        finally:
            self.proxy.rule = rule


class TestUnknownServerAndSmallChunks(TestGCS):
    """As users open a server of which nothing is known, with uploads by a session from 100 KiB on."""

    options: ClassVar[dict] = {"preconditions": False, "resumable_threshold": "100KiB", "chunk_size": "256KiB"}
