"""The key corpus: names that went wrong in some tool that keeps stores in step.

Each case is a set of objects that a store holds together. A backend keeps every one of them exactly, or refuses
it with an error; it never alters a name in silence (clause L4).
"""

from __future__ import annotations

import dataclasses

_CONTROLS = {
    "tab": "\t",
    "newline": "\n",
    "carriage-return": "\r",
    "u0001": "\x01",
    "backspace": "\x08",
    "escape": "\x1b",
    "delete": "\x7f",
    "ufffe": "\ufffe",
    "nul": "\0",
}

_PUNCTUATION = {
    "brackets": "[x]",
    "star": "*",
    "two-stars": "**",
    "question-mark": "?",
    "braces": "{a,b}",
    "exclamation-mark": "!a",
    "hash": "#123",
    "generation-suffix": "x#1614175995694567",
    "version-suffix": "x?versionId=abc",
    "version-suffix-lower": "x?versionid=1",
    "percent-slash": "%2F",
    "percent-twice": "%252e",
    "plus": "a+b",
    "ampersand": "a&b=c;d,e@f$g",
    "less-than": "<x>",
    "quote": 'say "x"',
    "apostrophe": "it's",
    "caret": "a^b`c|d",
    "backslash": "a\\b",
    "drive": "C:\\x",
    "share": "\\\\srv\\share",
    "stream": "file:stream",
    "device": "CON",
    "device-with-suffix": "nul.txt",
    "colon": "a:b",
    "url": "scheme://b/k",
    "tilde": "~/x",
    "inner-space": "a b",
    "leading-space": " a",
    "trailing-space": "a ",
    "only-space": " ",
    "trailing-dot": "a.",
    "hidden": ".hidden/.file",
    "dots-in-a-name": "a/..b",
    "three-dots": "...",
    "folder-with-a-dot": "a/b./d",
    "nfkc-trap": "\ufb01",
    "emoji": "\U0001f600",
    "encoder-quote": "\u201b",
    "wide-dots": "\uff0e\uff0e/x",
    "zero-width": "a\u200bb",
    "right-to-left": "\u202ecod.exe",
    "root-repeated": "data/data/data.txt",
    "folder-marker-of-a-tool": ".stfolder",
}

_DOTTED = {
    "dot-segment": "a/./b",
    "dot-dot-segment": "a/../b",
    "dot-dot": "..",
    "dot": ".",
    "parent-first": "../x",
    "parent-last": "p/..",
    "climb": "x/../../../.bashrc",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """Objects that belong together.

    Attributes:
        name: what a backend's tests refer to the case by.
        keys: the objects' names. A marker (`x/`) is empty unless `filled`; every other one has content.
        filled: whether markers have content.
        contradictory: whether no directory tree can hold these objects together.
    """

    name: str
    keys: tuple[str, ...]
    filled: bool = False
    contradictory: bool = False

    def __str__(self) -> str:
        return self.name

    def content(self, key: str) -> bytes:
        """Return what the object of that name holds: different for each key."""
        return b"" if key.endswith("/") and not self.filled else b"content of " + key.encode()


def _singles(names: dict[str, str]) -> list[Case]:
    return [Case(name, (key,)) for name, key in names.items()]


CORPUS: tuple[Case, ...] = (
    *_singles(_PUNCTUATION),
    *_singles({name: f"a{char}b" for name, char in _CONTROLS.items()}),
    Case("every-control-character", tuple(f"a{chr(code)}b" for code in range(1, 32))),
    *_singles(_DOTTED),
    Case("object-beside-folder", ("a", "a/b"), contradictory=True),
    Case("marker", ("a/",)),
    Case("marker-with-content", ("a/",), filled=True),
    Case("marker-beside-object", ("a", "a/"), contradictory=True),
    Case("leading-slash", ("/lead",)),
    Case("leading-slash-twin", ("/lead", "lead")),
    Case("only-slash", ("/",)),
    Case("two-slashes", ("a//b",)),
    Case("two-slashes-twin", ("a//b", "a/b")),
    Case("dotted-sibling", ("a/b.", "a/b/c")),
    Case("dashed-sibling", ("dir-2/f", "dir/f")),
    Case("prefix-sibling", ("foo/x", "foobar/x")),
    Case("letter-case", ("A.txt", "a.txt")),
    Case("composed-and-decomposed", ("\u00e9", "e\u0301")),
    Case("turkish-i", ("\u0130", "\u0131", "I", "i")),
    Case("beyond-the-basic-plane", ("\U00010000", "\ufffd")),
    Case("name-of-254-bytes", ("n" * 254,)),
    Case("name-of-255-bytes", ("n" * 255,)),
    Case("name-of-256-bytes", ("n" * 256,)),
    Case("two-byte-name-of-256-bytes", ("\u00e9" * 128,)),
    Case("key-of-1023-bytes", ("/".join(["k" * 127] * 8),)),
    Case("key-of-1024-bytes", ("/".join(["k" * 127] * 7 + ["k" * 128]),)),
    Case("300-folders", ("/".join("d" * 300) + "/f",)),
    Case("temporary-name", (".cs-0123456789ab.tmp",)),
    Case("nearly-temporary-name", (".cs-0123456789AB.tmp", ".cs-0123456789ab.tmp.txt", "x.cs-0123456789ab.tmp")),
)
"""Every case; the names are unique."""

UNDECODABLE = b"\xff\xfe"
"""The name of a file that no key can say: a store whose names are bytes reports such a one as a gap of its listing."""
