"""Several calls in one request: https://cloud.google.com/storage/docs/batch.

At most 100 calls and less than 10 MB; no uploads and no downloads. The outer request's headers count for each call that
does not have its own. Every call gets its answer, in the order of the calls.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable

from tests.servers.gcs_errors import Refusal, invalid
from tests.servers.gcs_http import Request, Response
from tests.servers.gcs_mime import headed, parts

CALLS_MOST = 100
BYTES_MOST = 10_000_000


def batch(request: Request, answer: Callable[[Request], Response]) -> Response:
    """Answer each call of a batch by `answer`, and return all answers as one.

    Raises:
        Refusal: there are too many, or what was sent is no batch.
    """
    if len(request.body) >= BYTES_MOST:
        raise Refusal(413, "uploadTooLarge", "The batch request is larger than 10 MB.")
    calls = list(parts(request.headers.get("content-type", ""), request.body))
    if len(calls) > CALLS_MOST:
        raise invalid(f"The batch request has {len(calls)} calls, which exceeds the maximum of {CALLS_MOST}.")
    boundary = f"batch_{uuid.uuid4().hex}"
    pieces = []
    for headers, content in calls:
        response = answer(_call(request, headers, content))
        pieces.append(_piece(boundary, headers.get("content-id", ""), response))
    body = b"".join([*pieces, f"--{boundary}--\r\n".encode()])
    return Response(200, body, {"content-type": f"multipart/mixed; boundary={boundary}"})


def _call(outer: Request, headers: dict[str, str], content: bytes) -> Request:
    if headers.get("content-type", "").partition(";")[0] != "application/http":
        raise invalid("A part of a batch request must be of the type application/http.")
    first, _, rest = content.lstrip().partition(b"\n")
    words = first.decode("latin-1").split()
    if len(words) < 2:
        raise invalid("A part of a batch request must hold a call.")
    inner, body = headed(rest)
    # The documents ask for a path alone; Google's own client sends whole URLs, and they are taken.
    target = re.sub(r"^https?://[^/]+", "", words[1])
    if target.startswith(("/upload/", "/download/", "/batch/")) or "alt=media" in target:
        raise invalid("A batch can hold neither uploads nor downloads.")
    inherited = {name: value for name, value in outer.headers.items() if not name.startswith("content-")}
    return Request(words[0], target, {**inherited, **inner}, body)


def _piece(boundary: str, identity: str, response: Response) -> bytes:
    lines = [f"--{boundary}", "Content-Type: application/http"]
    if identity:
        lines.append(f"Content-ID: <response-{identity.strip('<>')}>")
    lines += ["", f"HTTP/1.1 {response.status} {'OK' if response.status < 300 else 'Refused'}"]
    lines += [f"{name}: {value}" for name, value in response.headers.items()]
    lines += [f"Content-Length: {len(response.body)}", "", ""]
    return "\r\n".join(lines).encode("latin-1") + bytes(response.body) + b"\r\n"
