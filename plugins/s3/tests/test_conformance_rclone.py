"""The contract's clauses on `rclone serve s3`, which keeps objects in a directory, and what it does differently."""

from typing import ClassVar

import pytest

from cloudsync_core.errors import BackendError, PreconditionFailedError
from cloudsync_core.models import Attributes
from cloudsync_core.testing import CORPUS, BackendContract
from cloudsync_core.testing.clauses.setting import content, names, store

ALTERED = (
    *("marker", "marker-with-content", "marker-beside-object", "only-slash"),
    *("name-of-256-bytes", "two-byte-name-of-256-bytes"),
)
"""Cases of the key corpus with which rclone 1.75 cannot be judged: of the first it drops the slash in silence, the
others it refuses and lists all the same."""


class TestRclone(BackendContract):
    refuses: ClassVar[dict] = {
        **dict.fromkeys(
            (
                "dot-segment", "dot-dot-segment", "dot-dot", "dot", "parent-first", "parent-last", "climb",
                "leading-slash", "leading-slash-twin", "two-slashes", "two-slashes-twin", "url",
            ),
            "rclone's directory cannot hold the name",
        ),
        "object-beside-folder": "a directory cannot hold both",
    }  # fmt: skip

    @pytest.fixture
    def make_backend(self, rclone_s3, open_s3):
        bucket = rclone_s3.make_bucket()

        def make(root="first"):
            return open_s3(rclone_s3, "no-such-bucket" if root == "missing" else bucket, root, ordered_listing=False)

        return make

    @pytest.mark.parametrize("case", [case for case in CORPUS if case.name not in ALTERED], ids=str)
    def test_L4_keys_are_exact(self, backend, case):
        super().test_L4_keys_are_exact(backend, case)

    def test_L4_a_folder_without_objects_is_a_marker_in_a_tree(self, backend):
        """The server drops the slash."""
        store(backend, "x/", b"")
        assert names(backend) == ["x"]

    def test_D1_deleting_a_missing_key_succeeds(self, backend):
        """The server removes the file `folder/object` for `folder/object/below`; that key is left out here."""
        store(backend, "folder/object")
        for key in ("missing", "folder/missing", "nowhere/missing"):
            backend.delete(key)
        assert names(backend) == ["folder/object"]

    def test_G1_a_copy_of_another_version_raises(self, backend):
        """The server copies whatever version is there; what it made is whole, and is not taken for what was listed."""
        info = store(backend, "object", b"old")
        store(backend, "object", b"newer")
        with pytest.raises(PreconditionFailedError):
            backend.copy(backend, info, "copy")
        assert content(backend, "copy") == b"newer"

    def test_P3_a_copy_can_carry_something_else(self, backend):
        """The server adds what the source carried."""
        info = store(backend, "object", attributes=Attributes(content_type="text/x-old", metadata={"old": "1"}))
        backend.copy(backend, info, "copy", attributes=Attributes(content_type="text/x-new", metadata={"new": "1"}))
        told = backend.stat("copy").attributes
        assert (told.content_type, dict(told.metadata)) == ("text/x-new", {"new": "1", "old": "1"})

    @pytest.mark.parametrize("size", [1, 100_000, 5_000_000])
    def test_E1_a_put_that_the_server_refuses_before_its_content_ends(self, backend, size):
        """The server answers without reading the content; that must not be waited for."""
        with pytest.raises(BackendError, match="Object name contains unsupported characters"):
            store(backend, "a//b", b"x" * size)
