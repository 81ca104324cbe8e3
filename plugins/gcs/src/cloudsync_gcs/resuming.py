"""Going on with the session of an upload that a crash has cut short: what names it, and how much of it is there.

What a server says it has is proven in the end: the digest of the whole content goes with the last chunk. Whoever knows
the name of a session may add to it for a week, and can read nothing by it.
"""

from __future__ import annotations

import hashlib
import json
from typing import Final

from cloudsync_core.backends.objectstore.wire import Request
from cloudsync_gcs import operations
from cloudsync_gcs.connection import Connection
from cloudsync_gcs.errors import NOT_FOUND, Refusal
from cloudsync_gcs.operations import Session

GONE: Final = {NOT_FOUND, 410, operations.CANCELLED}
"""What a server answers about a session that is of no use any more."""


def about(request: Request) -> str:
    """Return a text that is equal for requests that begin the same upload, under the same condition.

    Args:
        request: see `operations.begin_upload`.
    """
    assert isinstance(request.body, bytes)
    said = [request.path, dict(request.query), dict(request.headers), request.body.decode()]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:32]


def token_of(session: Session, begun: str) -> str:
    """Return the token of a session that was begun by a request which is `about` so."""
    return json.dumps([session.path, dict(session.query), begun])


def session_of(token: str) -> tuple[Session, str] | None:
    """Return the session that a token names and how it was begun, `None` where it names none."""
    try:
        path, query, begun = json.loads(token)
        return Session(str(path), {str(name): str(value) for name, value in query.items()}), str(begun)
    except (ValueError, TypeError, AttributeError):
        return None


def held_bytes(connection: Connection, session: Session, size: int | None) -> int | None:
    """Return how many bytes a session has, `None` of one that is gone or finished.

    Args:
        connection: to the server.
        session: which.
        size: bytes of the content, `None` where they are not known.

    Raises:
        Refusal, CredentialsError, TransportError: the server cannot be asked.
    """
    try:
        answer = connection.request(operations.progress(session, size), also=(operations.INCOMPLETE,))
    except Refusal as refusal:
        if refusal.status in GONE:
            return None
        raise
    return operations.held(answer) if answer.status == operations.INCOMPLETE else None
