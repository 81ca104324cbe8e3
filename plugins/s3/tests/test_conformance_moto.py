"""The contract's clauses on moto: as a server of which nothing is known, and as one that honours every condition."""

import contextlib
import threading
from typing import ClassVar

import pytest

from cloudsync_core.testing import BackendContract
from tests.servers.proxy import Request, error, proxy_before

EIGHTH = {"multipart_threshold": "2MiB", "part_size": "1MiB"}
"""The sizes of an eighth of the defaults, which takes an eighth of the time."""


class TestMoto(BackendContract):
    """As users open a server of which nothing is known."""

    refuses: ClassVar = dict.fromkeys(
        ("newline", "every-control-character"), "moto's router finds no object whose name holds a line break"
    )
    options: ClassVar[dict] = EIGHTH

    @pytest.fixture
    def make_backend(self, moto_s3, open_s3):
        bucket = moto_s3.make_bucket()
        with proxy_before(moto_s3) as self.proxy:
            self.proxy.rule = _Atomic(self.proxy.forward)

            def make(root="first"):
                return open_s3(
                    self.proxy.server, "no-such-bucket" if root == "missing" else bucket, root, **self.options
                )

            yield make

    def leftovers(self, backend):
        uploads = backend.server.client.list_multipart_uploads(Bucket=backend.place.bucket)
        return [upload["Key"] for upload in uploads.get("Uploads", [])]

    @contextlib.contextmanager
    def cut_off(self, backend):
        rule, self.proxy.rule = self.proxy.rule, lambda request, forward: None
        try:
            yield
        finally:
            self.proxy.rule = rule


class TestMotoWithConditionsAndSmallParts(TestMoto):
    """With everything that conditions and uploads in parts have to do with."""

    options: ClassVar[dict] = {
        "conditional_writes": True,
        "conditional_deletes": True,
        "multipart_threshold": "100KiB",
        "part_size": "70KiB",
    }


class _Atomic:
    """Gives moto one request at a time, and makes its conditions what Amazon's are.

    Moto hashes and reads an object in one buffer, also from two threads at once, looks and writes without a lock in
    between, and knows nothing of If-Match in CompleteMultipartUpload.
    """

    def __init__(self, forward):
        self._forward = forward
        self._lock = threading.Lock()

    def __call__(self, request, forward):
        with self._lock:
            wanted = request.headers.get("if-match")
            if request.method == "POST" and wanted is not None:
                found = self._forward(Request("HEAD", request.path, {"host": request.headers["host"]}, b""))
                if found.status != 200:
                    return error(404, "NoSuchKey")
                if {name.lower(): value for name, value in found.headers.items()}["etag"] != wanted:
                    return error(412, "PreconditionFailed")
            return forward()
