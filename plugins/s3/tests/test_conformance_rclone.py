"""The contract's clauses on `rclone serve s3`, which keeps objects in a directory, and what it does differently."""

import contextlib
import threading
from typing import ClassVar

import pytest

from cloudsync_core.errors import BackendError
from cloudsync_core.models import Attributes
from cloudsync_core.testing import BackendContract
from cloudsync_core.testing.clauses.setting import names, store
from tests.servers.proxy import proxy_before

EIGHTH = {"multipart_threshold": "2MiB", "part_size": "1MiB"}
"""The sizes of an eighth of the defaults, which takes an eighth of the time."""


class TestRclone(BackendContract):
    refuses: ClassVar = {
        **dict.fromkeys(
            (
                "dot-segment", "dot-dot-segment", "dot-dot", "dot", "parent-first", "parent-last", "climb",
                "leading-slash", "leading-slash-twin", "two-slashes", "two-slashes-twin", "url",
            ),
            "rclone's directory cannot hold the name",
        ),
        "object-beside-folder": "a directory cannot hold both",
    }  # fmt: skip
    departures: ClassVar = {
        **{
            f"test_L4_keys_are_exact[{case}]": "rclone drops the slash at the end of a name in silence"
            for case in ("marker", "marker-with-content", "marker-beside-object", "only-slash")
        },
        **{
            f"test_L4_keys_are_exact[{case}]": "rclone refuses the name, and lists it all the same"
            for case in ("name-of-256-bytes", "two-byte-name-of-256-bytes")
        },
        "test_L4_a_folder_without_objects_is_a_marker_in_a_tree": "rclone drops the slash at the end of a name",
        "test_D1_deleting_a_missing_key_succeeds": "rclone removes the file `folder/object` for `folder/object/below`",
        "test_P3_a_copy_can_carry_something_else": "rclone adds what the source carried",
    }

    @pytest.fixture
    def make_backend(self, rclone_s3, open_s3):
        bucket = rclone_s3.make_bucket()
        with proxy_before(rclone_s3) as self.proxy:
            self.proxy.rule = _OneAtATime()

            def make(root="first"):
                place = "no-such-bucket" if root == "missing" else bucket
                return open_s3(self.proxy.server, place, root, ordered_listing=False, **EIGHTH)

            yield make

    @contextlib.contextmanager
    def cut_off(self, backend):
        rule, self.proxy.rule = self.proxy.rule, lambda request, forward: None
        try:
            yield
        finally:
            self.proxy.rule = rule

    def test_D1_deleting_a_missing_key_that_is_below_no_object_succeeds(self, backend):
        store(backend, "folder/object")
        for key in ("missing", "folder/missing", "nowhere/missing"):
            backend.delete(key)
        assert names(backend) == ["folder/object"]

    def test_P3_a_copy_carries_what_it_is_told_beside_what_the_source_carried(self, backend):
        info = store(backend, "object", attributes=Attributes(content_type="text/x-old", metadata={"old": "1"}))
        backend.copy(backend, info, "copy", attributes=Attributes(content_type="text/x-new", metadata={"new": "1"}))
        told = backend.stat("copy").attributes
        assert (told.content_type, dict(told.metadata)) == ("text/x-new", {"new": "1", "old": "1"})

    @pytest.mark.parametrize("size", [1, 100_000, 5_000_000])
    def test_E1_a_put_that_the_server_refuses_before_its_content_ends(self, rclone_s3, open_s3, size):
        """The server answers without reading the content; that must not be waited for."""
        backend = open_s3(rclone_s3, rclone_s3.make_bucket(), ordered_listing=False)
        with pytest.raises(BackendError, match="Object name contains unsupported characters"):
            store(backend, "a//b", b"x" * size)


class _OneAtATime:
    """Gives rclone one request at a time: it writes a file in its place, where a reader meets a part of the new one."""

    def __init__(self):
        self._lock = threading.Lock()

    def __call__(self, request, forward):
        with self._lock:
            return forward()
