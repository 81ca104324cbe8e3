"""The odd names of the history: those of the key corpus that every store of the matrix can hold."""

from __future__ import annotations

from cloudsync_core.backend import Backend
from cloudsync_core.errors import InvalidKeyError
from cloudsync_core.testing.corpus import CORPUS, Case

LEFT_OUT = frozenset(
    {
        "300-folders",
        "backslash",
        "backspace",
        "carriage-return",
        "climb",
        "delete",
        "dot",
        "dot-dot",
        "dot-dot-segment",
        "dot-segment",
        "dotted-sibling",
        "drive",
        "escape",
        "every-control-character",
        "folder-with-a-dot",
        "key-of-1023-bytes",
        "key-of-1024-bytes",
        "leading-slash",
        "leading-slash-twin",
        "marker-with-content",
        "name-of-256-bytes",
        "newline",
        "nul",
        "only-slash",
        "parent-first",
        "parent-last",
        "share",
        "tab",
        "temporary-name",
        "three-dots",
        "trailing-dot",
        "two-byte-name-of-256-bytes",
        "two-slashes",
        "two-slashes-twin",
        "u0001",
        "ufffe",
        "url",
    }
)
"""Cases that some store refuses; `test_names` holds the set to what the stores say."""

SHARED: tuple[Case, ...] = tuple(case for case in CORPUS if case.name not in LEFT_OUT and not case.contradictory)
"""The rest, but for what no directory tree can hold side by side."""


def key_of(case: Case, key: str) -> str:
    """Return where an object of a case lies: each case has a folder of its own."""
    return f"names/{case.name}/{key}"


def refusal(backend: Backend, case: Case) -> str | None:
    """Say why a store cannot hold the objects of a case, or return `None` when it can."""
    for key in case.keys:
        try:
            backend.check_key(key_of(case, key))
        except InvalidKeyError as error:
            return error.reason
    if case.filled and backend.capabilities.hierarchical:
        return "a folder of the target cannot hold bytes"
    return None
