"""What the options of a location and Google's standard environment say, and the access token of now."""

from __future__ import annotations

import abc
import dataclasses
import datetime as dt
import os
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cloudsync_core.backends.objectstore.server import DEFAULT_PORTS, server_of
from cloudsync_core.errors import ConfigError
from cloudsync_gcs.address import GOOGLE
from cloudsync_gcs.config import GCSOptions, service_account
from cloudsync_gcs.errors import NoCredentialsError, TokenRefusedError, TokenServerError

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

USER_AGENT = "cloudsync-gcs"

SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"
"""What an access token must allow (https://cloud.google.com/storage/docs/oauth-scopes)."""


@dataclasses.dataclass(frozen=True, slots=True)
class Service:
    """One of Google's services.

    Attributes:
        url: where it answers.
        emulator: the variable that names another server in its place.
        scope: what an access token must allow.
    """

    url: str
    emulator: str
    scope: str


STORAGE = Service(GOOGLE, "STORAGE_EMULATOR_HOST", SCOPE)
"""Google Cloud Storage."""

EARLY = 240.0
"""Seconds before its end at which a token is replaced, or a quarter of its life where that is less."""

_GOOGLES = (".googleapis.com",)
_LOOPBACK = {"localhost": "127.0.0.1", "::1": "127.0.0.1"}


class Environment:
    """How one location is reached; safe to use from many threads.

    Reading it asks nothing of anybody; credentials are looked for when the first request needs them.

    Args:
        options: the location's; each wins over the environment.
        location: for messages.
        service: which is reached; its own `endpoint_url` is taken to be in the options.

    Raises:
        ConfigError: the options or the environment cannot be used.

    Attributes:
        url: of the server.
        endpoint: the server's host, with its port where it is not the scheme's own: equal for equal places.
        is_google: whether it is one of Google's.
        project: for gcsfs, `None` where nobody names one.
    """

    def __init__(self, options: GCSOptions, location: str, service: Service = STORAGE) -> None:
        emulator = os.environ.get(service.emulator, "").strip()
        if options.endpoint_url is not None:
            self.url = options.endpoint_url
        else:
            self.url = emulator if "://" in emulator else f"http://{emulator}" if emulator else service.url
        try:
            server = server_of(self.url)
        except ValueError as error:
            raise ConfigError(
                f"{location}: {service.emulator}: {error}", hint="Set it to an address such as 127.0.0.1:4443."
            ) from error
        host = _LOOPBACK.get(server.host, server.host)
        self.endpoint = host if server.port == DEFAULT_PORTS[server.scheme] else f"{host}:{server.port}"
        self.is_google = server.scheme == "https" and server.host.endswith(_GOOGLES)
        self.project = options.project or os.environ.get("GOOGLE_CLOUD_PROJECT") or None
        named = options.names_credentials
        if options.token is not None:
            self._tokens: _Tokens | None = _FixedToken(options.token.get_secret_value())
        elif named or not (options.anonymous or urlsplit(self.url).scheme == "http"):
            self._tokens = _GoogleTokens(options, location, service.scope)
        else:
            # Nobody's default credentials go over plain HTTP.
            self._tokens = None

    def credentials(self) -> Mapping[str, str]:
        """Return the headers of now that say who asks, with a token that lives on; none for anonymous requests.

        Raises:
            CredentialsError: there is no token.
        """
        return {} if self._tokens is None else self._tokens.headers()

    def refused(self, begun: float) -> bool:
        """Take note that the server did not know the token of a request; return whether there may be another one.

        Args:
            begun: when the request was begun, in seconds of the monotonic clock.
        """
        return self._tokens is not None and self._tokens.refused(begun)

    def close(self) -> None:
        """Close the connections by which tokens come."""
        if self._tokens is not None:
            self._tokens.close()


class _Tokens(abc.ABC):
    """Where tokens come from."""

    @abc.abstractmethod
    def headers(self) -> Mapping[str, str]:
        """Return the headers of now that hold one."""

    def refused(self, begun: float) -> bool:
        """See `Environment.refused`."""
        del begun
        return False

    def close(self) -> None:  # noqa: B027 - what is given is not closed
        """See `Environment.close`."""


class _FixedToken(_Tokens):
    """A token that a user has given."""

    def __init__(self, token: str) -> None:
        self._headers = {"authorization": f"Bearer {token}"}

    def headers(self) -> Mapping[str, str]:
        return self._headers


class _GoogleTokens(_Tokens):
    """Tokens that google-auth gets for the credentials of the options, or for the application's default ones.

    Raises:
        ConfigError: the file of the options holds no key.
    """

    def __init__(self, options: GCSOptions, location: str, scope: str) -> None:
        self._options = options
        self._scopes = [scope]
        self._key = _key(options, location)
        self._lock = threading.Lock()
        self._credentials: Credentials | None = None
        self._transport: Any = None
        self._headers: Mapping[str, str] = {}
        self._since = 0.0
        self._until = float("-inf")

    def headers(self) -> Mapping[str, str]:
        if time.monotonic() < self._until:
            return self._headers
        with self._lock:
            if time.monotonic() >= self._until:
                self._refresh()
            return self._headers

    def refused(self, begun: float) -> bool:
        with self._lock:
            if self._since > begun:
                # It came for this request, or after it: what would be asked for now is no other.
                return False
            self._until = float("-inf")
            return True

    def close(self) -> None:
        with self._lock:
            if self._transport is not None:
                self._transport.session.close()

    def _refresh(self) -> None:
        """Get a token, and the headers that carry it."""
        from google.auth import exceptions  # noqa: PLC0415 - nobody needs it for public buckets and emulators

        try:
            if self._credentials is None:
                self._credentials, self._transport = self._found()
            self._credentials.refresh(self._transport)
        except exceptions.DefaultCredentialsError as error:
            raise NoCredentialsError from error
        except exceptions.TransportError as error:
            raise TokenServerError from error
        except exceptions.RefreshError as error:
            raise (TokenServerError if error.retryable else TokenRefusedError) from error
        except (exceptions.GoogleAuthError, ValueError) as error:
            raise TokenRefusedError from error
        headers: dict[str, str] = {}
        self._credentials.apply(headers)
        self._headers = {name.lower(): value for name, value in headers.items()}
        self._since = time.monotonic()
        life = _life(self._credentials.expiry)
        self._until = self._since + life - min(EARLY, life / 4) if life is not None else float("inf")

    def _found(self) -> tuple[Any, Any]:
        """Return the credentials, and what asks for tokens."""
        import google.auth  # noqa: PLC0415 - see above
        import requests  # noqa: PLC0415
        from google.auth.transport.requests import Request  # noqa: PLC0415
        from google.oauth2.service_account import Credentials as ServiceAccount  # noqa: PLC0415

        session = requests.Session()
        session.verify = str(self._options.ca_bundle) if self._options.ca_bundle else self._options.verify_tls
        transport = Request(session)
        if self._key is not None:
            made = ServiceAccount.from_service_account_info(self._key, scopes=self._scopes)  # type: ignore[no-untyped-call]
            return made, transport
        credentials, _ = google.auth.default(scopes=self._scopes, request=transport)
        return credentials, transport


def _key(options: GCSOptions, location: str) -> dict[str, object] | None:
    """Return the key of the service account that the options name."""
    if options.service_account_json is not None:
        return service_account(options.service_account_json.get_secret_value())
    if options.service_account_file is None:
        return None
    try:
        return service_account(options.service_account_file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(
            f"{location}: service_account_file {options.service_account_file}: {reason}",
            hint="Name a file with the JSON key of a service account.",
        ) from error


def _life(expiry: dt.datetime | None) -> float | None:
    """Return the seconds that a token lives on, `None` for ever; google-auth tells its end in UTC, without a zone."""
    if expiry is None:
        return None
    return max(0.0, (expiry.replace(tzinfo=dt.UTC) - dt.datetime.now(dt.UTC)).total_seconds())
