"""The odd names of the history: those of the key corpus that every store of the matrix can hold."""

from __future__ import annotations

from cloudsync_core.testing.corpus import CORPUS, Case

_NO_DIRECTORY = "a directory tree has no such name"
_NO_LINE_BREAKS = "Google's service takes no line breaks in names"
_NOT_IN_XML = "XML, in which the servers of Amazon's and Azure's interfaces answer, has no such character"
_TOO_LONG = "longer than a directory, or the clouds with a prefix before it, can hold"

LEFT_OUT = {
    **dict.fromkeys(
        (
            "url",
            "nul",
            "dot-segment",
            "dot-dot-segment",
            "dot-dot",
            "dot",
            "parent-first",
            "parent-last",
            "climb",
            "marker-with-content",
            "leading-slash",
            "leading-slash-twin",
            "only-slash",
            "two-slashes",
            "two-slashes-twin",
            "temporary-name",
        ),
        _NO_DIRECTORY,
    ),
    **dict.fromkeys(("u0001", "backspace", "escape", "ufffe"), _NOT_IN_XML),
    **dict.fromkeys(("newline", "carriage-return", "every-control-character"), _NO_LINE_BREAKS),
    **dict.fromkeys(
        ("name-of-256-bytes", "two-byte-name-of-256-bytes", "key-of-1023-bytes", "key-of-1024-bytes"), _TOO_LONG
    ),
}
"""Cases that some store of the matrix cannot hold, and why."""

SHARED: tuple[Case, ...] = tuple(case for case in CORPUS if case.name not in LEFT_OUT and not case.contradictory)


def key_of(case: Case, key: str) -> str:
    """Return where an object of a case lies: each case has a folder of its own."""
    return f"names/{case.name}/{key}"
