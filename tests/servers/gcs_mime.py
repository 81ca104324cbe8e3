"""Bodies of several parts, as uploads (`multipart/related`) and batches (`multipart/mixed`) have them.

Lines end in CRLF or in LF alone: clients send both, and the service takes both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.servers.gcs_errors import Refusal

_BOUNDARY = re.compile(r'boundary=(?:"([^"]+)"|([^\s;]+))', re.IGNORECASE)
_EMPTY_LINE = re.compile(rb"\r?\n\r?\n|\A\r?\n")

Part = tuple[dict[str, str], bytes]
"""Headers by lower-case name, and content."""


def parts(content_type: str, body: bytes | bytearray) -> Iterator[Part]:
    """Yield the parts of a body.

    Raises:
        Refusal: the type names no boundary, or the body does not end with it.
    """
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise Refusal(400, "badContent", "Missing multipart boundary.")
    mark = b"--" + (found[1] or found[2]).encode()
    start = body.find(mark)
    while start >= 0:
        start += len(mark)
        if body[start : start + 2] == b"--":
            return
        line = body.find(b"\n", start) + 1
        # As this line ends, so do the others: a carriage return before a bare line feed belongs to the content.
        newline = b"\r\n" if body[line - 2 : line] == b"\r\n" else b"\n"
        end = body.find(newline + mark, start)
        if end < 0:
            break
        yield headed(body[line:end])
        start = end + len(newline)
    raise Refusal(400, "badContent", "Malformed multipart body.")


def headed(text: bytes | bytearray) -> Part:
    """Return the headers and the content of a text that an empty line separates; without one all of it is headers."""
    empty = _EMPTY_LINE.search(text)
    head, content = (text[: empty.start()], text[empty.end() :]) if empty else (text, b"")
    pairs = (line.partition(b":") for line in head.splitlines())
    headers = {name.strip().lower().decode("latin-1"): value.strip().decode("latin-1") for name, _, value in pairs}
    headers.pop("", None)
    return headers, bytes(content)
