"""Secrets that are looked for in everything that a command prints and leaves behind, in every form they may take."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, quote_plus

from tests.cli.conftest import Finished


def forms(secret: str) -> set[bytes]:
    """Return what a secret looks like in texts, addresses, headers and dumps."""
    plain = secret.encode()
    texts = {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), html.escape(secret), repr(secret)[1:-1]}
    texts |= {quote(text, safe="").lower() for text in (secret,)} | {json.dumps(secret)[1:-1], secret[::-1]}
    texts |= {plain.hex(), plain.hex().upper(), plain.hex(" ")}
    return {text.encode() for text in texts} | set(_in_base64(plain)) | {secret.encode("utf-16-le")}


def _in_base64(plain: bytes) -> Iterator[bytes]:
    """Yield the characters that stand for it in base64 wherever it begins, without those that its neighbours change."""
    for before in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(bytes(before) + plain)
            beginning = -(-before * 8 // 6)
            end = (before + len(plain)) * 8 // 6
            yield text[beginning:end]


def search(secrets: Mapping[str, str], result: Finished, root: Path, *, given: set[Path]) -> None:
    """Fail where a secret is in what a command printed, or in a file that it may have written.

    Args:
        secrets: by a name that messages of the test may show.
        result: of the command.
        root: everything that the test has is below it.
        given: files in which the test itself has put a secret.
    """
    written = {str(path): path for path in root.rglob("*") if path.is_file() and path not in given}
    places = {"standard output": result.out.encode(), "standard error": result.err.encode()}
    places |= {name: name.encode() + path.read_bytes() for name, path in written.items()}
    for name, secret in secrets.items():
        found = [place for place, content in places.items() if any(form in content for form in forms(secret))]
        assert not found, f"the secret ({name}) is in {', '.join(found)}"
