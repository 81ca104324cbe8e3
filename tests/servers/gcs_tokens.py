"""Access tokens: which the server accepts, and the endpoint that gives them out.

https://developers.google.com/identity/protocols/oauth2/service-account: a service account signs a claim and gets a
token for it at `token_uri`. https://cloud.google.com/storage/docs/json_api/v1/status-codes: without a token 401
`required`, with one that is not or no longer valid 401 `authError`.
"""

from __future__ import annotations

import functools
import json
import threading
import time
import uuid
from collections.abc import Mapping
from typing import Any

from tests.servers.gcs_errors import Refusal
from tests.servers.gcs_http import Request, Response, parse_query

PROJECT = "project-for-tests"
EMAIL = f"tester@{PROJECT}.iam.gserviceaccount.com"
_EVERYTHING = "auth/cloud-platform"
_KEY_ID = "key-for-tests"
AUDIENCE = "https://oauth2.googleapis.com/token"
"""For whom a claim is meant, wherever the endpoint is."""


class Tokens:
    """The tokens of a server.

    Attributes:
        issued: how many the endpoint has given out.
        lifetime: seconds that clients are told a token lasts; the server itself accepts it until `expire`.
        url: the server's.
    """

    def __init__(self, *accepted: str, lifetime: int = 3600) -> None:
        self._lock = threading.Lock()
        self._accepted = dict.fromkeys(accepted, _EVERYTHING)
        self.lifetime = lifetime
        self.issued = 0
        self.url = ""

    def accept(self, token: str) -> None:
        """Let a token be valid."""
        with self._lock:
            self._accepted[token] = _EVERYTHING

    def expire(self) -> None:
        """Let every token so far be valid no longer."""
        with self._lock:
            self._accepted.clear()

    @property
    def service_account(self) -> dict[str, str]:
        """What the key file of a service account holds."""
        return {
            "type": "service_account",
            "project_id": PROJECT,
            "private_key_id": _KEY_ID,
            "private_key": _keys()[0],
            "client_email": EMAIL,
            "client_id": "1",
            "token_uri": f"{self.url}/token",
        }

    def check(self, request: Request, scope: str = "devstorage") -> None:
        """Raise `Refusal` unless the request bears a valid token, which was given for a scope."""
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if not token:
            raise _unauthorized("required", "Login Required", "")
        if kind.lower() != "bearer" or token not in self._accepted:
            raise _unauthorized("authError", "Invalid Credentials", ', error="invalid_token"')
        if scope not in self._accepted[token] and _EVERYTHING not in self._accepted[token]:
            raise Refusal(403, "insufficientPermissions", "Request had insufficient authentication scopes.")

    def give(self, request: Request) -> Response:
        """Answer a request for a token."""
        form = parse_query(bytes(request.body).decode())
        problem = self._problem(form)
        if problem is not None:
            body: dict[str, Any] = {"error": "invalid_grant", "error_description": problem}
            return Response(400, json.dumps(body).encode(), {"content-type": "application/json; charset=UTF-8"})
        token = f"ya29.{uuid.uuid4().hex}"
        with self._lock:
            self._accepted[token] = _scopes(form["assertion"])
            self.issued += 1
        body = {"access_token": token, "expires_in": self.lifetime, "token_type": "Bearer"}
        return Response(200, json.dumps(body).encode(), {"content-type": "application/json; charset=UTF-8"})

    def _problem(self, form: Mapping[str, str]) -> str | None:
        """Return why no token is given, or `None`."""
        from google.auth import jwt

        try:
            claims = jwt.decode(form.get("assertion", ""), certs={_KEY_ID: _keys()[1]}, audience=AUDIENCE)
        except ValueError as error:
            return f"Invalid JWT: {error}"
        if claims["iss"] != EMAIL:
            return "Invalid grant: account not found"
        if not any(known in claims.get("scope", "") for known in ("devstorage", "auth/pubsub", _EVERYTHING)):
            return "Invalid scope"
        return None if claims["exp"] > time.time() else "Token expired"


def _scopes(assertion: str) -> str:
    from google.auth import jwt

    return str(jwt.decode(assertion, verify=False)["scope"])


def _unauthorized(reason: str, message: str, why: str) -> Refusal:
    headers = {"www-authenticate": f'Bearer realm="https://accounts.google.com/"{why}'}
    return Refusal(401, reason, message, location="Authorization", place="header", headers=headers)


@functools.cache
def _keys() -> tuple[str, str]:
    """Return the service account's private and public key."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()
