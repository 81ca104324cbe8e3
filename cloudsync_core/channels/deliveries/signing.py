"""How what a web server is sent is signed: proof of who sent it, when, and that nobody has changed it."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from typing import Final

HEADER: Final = "Cloudsync-Signature"


def signature(secret: str, moment: int, update_id: str, body: Iterable[bytes]) -> str:
    """Return the value of the header: `t=<moment>,v1=<HMAC-SHA-256 of "<moment>.<id>.<body>" in hexadecimal>`.

    Args:
        secret: which the server knows, too; its UTF-8 is the key.
        moment: of sending, in seconds since the epoch; who receives it refuses what is old, or was replayed.
        update_id: the id, by which a server knows what it has already.
        body: what is sent, in chunks.
    """
    signed = hmac.new(secret.encode(), f"{moment}.{update_id}.".encode(), "sha256")
    for chunk in body:
        signed.update(chunk)
    return f"t={moment},v1={signed.hexdigest()}"
