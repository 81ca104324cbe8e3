"""The contract's clauses on moto: as a server of which nothing is known, and as one that honours every condition."""

import threading
from typing import ClassVar

import pytest

from cloudsync_core.errors import PreconditionFailedError
from cloudsync_core.testing import BackendContract
from cloudsync_core.testing.clauses.conditions import ConditionClauses
from cloudsync_core.testing.clauses.deleting import DeletingClauses
from cloudsync_core.testing.clauses.reading import ReadingClauses
from cloudsync_core.testing.clauses.setting import content, store
from cloudsync_core.testing.clauses.sharing import SharingClauses
from cloudsync_core.testing.clauses.writing import WritingClauses
from tests.servers.proxy import Request, error, proxy_before


class _OnMoto:
    refuses: ClassVar[dict] = dict.fromkeys(
        ("newline", "every-control-character"), "moto's router finds no object whose name holds a line break"
    )
    options: ClassVar[dict] = {}

    @pytest.fixture
    def server(self, moto_s3):
        return moto_s3

    @pytest.fixture
    def make_backend(self, server, open_s3):
        bucket = server.make_bucket()

        def make(root="first"):
            return open_s3(server, "no-such-bucket" if root == "missing" else bucket, root, **self.options)

        return make

    def test_G1_a_copy_of_another_version_raises(self, backend):
        """The server copies whatever version is there; what it made is whole, and is not taken for what was listed."""
        info = store(backend, "object", b"old")
        store(backend, "object", b"newer")
        with pytest.raises(PreconditionFailedError):
            backend.copy(backend, info, "copy")
        assert content(backend, "copy") == b"newer"

    def leftovers(self, backend):
        uploads = backend.server.client.list_multipart_uploads(Bucket=backend.place.bucket)
        return [upload["Key"] for upload in uploads.get("Uploads", [])]


class TestMoto(_OnMoto, BackendContract):
    """As users open a server of which nothing is known."""

    def test_P1_a_reader_sees_the_old_or_the_new_object(self, moto_s3, open_s3):
        """Moto hashes and reads an object in one buffer, also from two threads at once: here it gets one at a time."""
        with proxy_before(moto_s3) as proxy:
            proxy.rule = _Atomic(proxy.forward)
            super().test_P1_a_reader_sees_the_old_or_the_new_object(open_s3(proxy.server, moto_s3.make_bucket()))


class TestMotoWithConditionsAndSmallParts(
    _OnMoto, ReadingClauses, WritingClauses, ConditionClauses, DeletingClauses, SharingClauses
):
    """The clauses that conditions and uploads in parts have to do with."""

    options: ClassVar[dict] = {
        "conditional_writes": True,
        "conditional_deletes": True,
        "multipart_threshold": "100KiB",
        "part_size": "70KiB",
    }

    @pytest.fixture
    def server(self, moto_s3):
        with proxy_before(moto_s3) as proxy:
            proxy.rule = _Atomic(proxy.forward)
            yield proxy.server


class _Atomic:
    """Makes moto's conditions what Amazon's are.

    Moto looks and writes without a lock in between, and knows nothing of If-Match in CompleteMultipartUpload.
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
