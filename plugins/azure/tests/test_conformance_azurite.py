"""The contract's clauses on Azurite: as users open it, and with small blocks."""

import contextlib
from typing import ClassVar

import pytest

from cloudsync_core.testing import BackendContract

EIGHTH = {"multipart_threshold": "2MiB", "part_size": "1MiB"}
"""The sizes of an eighth of the defaults, which takes an eighth of the time."""

_DOT = "Azure drops the dot at the end of a segment"
_BACKSLASH = "Azure takes a backslash for a slash"
_CONTROL = "Azure takes no control characters in names"


class TestAzurite(BackendContract):
    refuses: ClassVar = {
        **dict.fromkeys(("backslash", "drive", "share"), _BACKSLASH),
        **dict.fromkeys(
            (
                "trailing-dot", "three-dots", "folder-with-a-dot", "dotted-sibling", "dot-segment", "dot-dot-segment",
                "dot-dot", "dot", "parent-first", "parent-last", "climb",
            ),
            _DOT,
        ),
        **dict.fromkeys(
            (
                "tab", "newline", "carriage-return", "u0001", "backspace", "escape", "delete", "ufffe", "nul",
                "every-control-character",
            ),
            _CONTROL,
        ),
        "300-folders": "a name has 254 segments at most",
        **dict.fromkeys(
            ("key-of-1023-bytes", "key-of-1024-bytes"), "with the prefix it has more than 1,024 characters"
        ),
    }  # fmt: skip
    departures: ClassVar = {
        "test_P3_a_copy_can_carry_something_else": "Azurite cannot make blocks of another object's bytes",
    }

    @pytest.fixture
    def make_backend(self, azurite_proxy, open_azure):
        container = azurite_proxy.server.make_container()
        self.proxy = azurite_proxy

        def make(root="first"):
            place = "no-such-container" if root == "missing" else container
            return open_azure(azurite_proxy.server, place, root, **EIGHTH)

        return make

    @contextlib.contextmanager
    def cut_off(self, backend):
        rule, self.proxy.rule = self.proxy.rule, lambda request, forward: None
        try:
            yield
        finally:
            self.proxy.rule = rule


class TestAzuriteWithSmallBlocks(TestAzurite):
    departures: ClassVar = {}

    @pytest.fixture
    def make_backend(self, bringing_proxy, open_azure):
        container = bringing_proxy.server.make_container()
        self.proxy = bringing_proxy

        def make(root="first"):
            container_of = "no-such-container" if root == "missing" else container
            return open_azure(
                bringing_proxy.server, container_of, root, multipart_threshold="100KiB", part_size="70KiB"
            )

        return make
