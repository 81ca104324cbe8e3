"""How requests are authorised: by the account's key, by a shared access signature, by a token, or not at all.

https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key. The SDK's own signer takes a request
apart that is at hand here in its parts, and sorts the headers of each anew; tests hold the two against each other.
"""

from __future__ import annotations

import abc
import base64
import functools
import hmac
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from cloudsync_azure.config import AzureOptions
from cloudsync_azure.errors import NoTokenError, TokenSourceError
from cloudsync_core.backends.objectstore.wire import Request, query_string

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

API_VERSION: Final = "2023-11-03"
"""The version of the REST API that is spoken. It has blocks of 4,000 MiB, listings that say which entries are
directories, names that XML cannot carry, and tokens for the source of a copy."""

SCOPE: Final = "https://storage.azure.com/.default"
"""What a token is for (https://learn.microsoft.com/rest/api/storageservices/authorize-with-azure-active-directory)."""

SECONDS_BEFORE_EXPIRY: Final = 300
"""How long before its end a token is no longer used."""

_SIGNED = (
    "content-encoding", "content-language", "content-length", "content-md5", "content-type", "date",
    "if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range",
)  # fmt: skip
_VENDOR = "x-ms-"


def dated(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers with the time of the request."""
    return {**headers, "x-ms-date": _http_date(int(time.time()))}


class Authorisation(abc.ABC):
    """Says who asks; safe to use from many threads. It is an `Authorise`."""

    def __call__(self, request: Request, headers: Mapping[str, str]) -> tuple[str, Mapping[str, str]]:
        """Return the query string and all the headers of a request."""
        return self.signed(request, {**dated(headers), "x-ms-version": API_VERSION})

    @abc.abstractmethod
    def signed(self, request: Request, headers: Mapping[str, str]) -> tuple[str, Mapping[str, str]]:
        """Return the same for a request that has its time among its headers, and maybe no version, as in a batch."""


class SharedKey(Authorisation):
    """The key of an account, which signs requests.

    Args:
        account: its name.
        key: in base64.

    Raises:
        ValueError: the key is not base64.
    """

    def __init__(self, account: str, key: str) -> None:
        self.account = account
        try:
            self._key = base64.b64decode(key, validate=True)
        except ValueError:
            raise ValueError("the account key is not base64") from None

    def signed(self, request: Request, headers: Mapping[str, str]) -> tuple[str, Mapping[str, str]]:
        """Return the query string, and the headers with the signature."""
        given = {**headers, "content-length": str(request.size) if request.size else ""}
        lines = [request.method, *[given.get(name, "") for name in _SIGNED]]
        lines += [f"{name}:{headers[name]}" for name in _vendor_names(tuple(headers))]
        lines.append(f"/{self.account}{request.path}")
        if request.query:
            lines += [f"{name}:{value}" for name, value in sorted(request.query.items())]
        authorization = f"SharedKey {self.account}:{self.sign(chr(10).join(lines))}"
        return query_string(request.query), {**headers, "authorization": authorization}

    def sign(self, text: str) -> str:
        """Return the signature of a text, in base64."""
        return base64.b64encode(hmac.digest(self._key, text.encode(), "sha256")).decode("ascii")

    def read_token(self, container: str, key: str, seconds: int) -> str:
        """Return a shared access signature by which anybody may read one object: what the source of a copy needs.

        https://learn.microsoft.com/rest/api/storageservices/create-service-sas

        Args:
            container: its name.
            key: the whole key.
            seconds: for which it holds.
        """
        expiry = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))
        resource = f"/blob/{self.account}/{container}/{key}"
        empty_before = ("", "", "")  # identifier, addresses, protocol
        empty_after = ("", "", "", "", "", "", "")  # snapshot, encryption scope, and five headers of the answer
        text = "\n".join(("r", "", expiry, resource, *empty_before, API_VERSION, "b", *empty_after))
        return query_string({"sp": "r", "se": expiry, "sv": API_VERSION, "sr": "b", "sig": self.sign(text)})


class SharedAccess(Authorisation):
    """A shared access signature, which stands in the query.

    Args:
        token: as it stands in a URL, with or without the `?` before it.
    """

    def __init__(self, token: str) -> None:
        self.token = token.strip().lstrip("?&")

    def signed(self, request: Request, headers: Mapping[str, str]) -> tuple[str, Mapping[str, str]]:
        """Return the query string with the signature, and the headers."""
        query = query_string(request.query)
        return f"{query}&{self.token}" if query else self.token, headers


class Bearer(Authorisation):
    """The token of an identity.

    Args:
        token: returns the one of now.
    """

    def __init__(self, token: Callable[[], str]) -> None:
        self.token = token

    def signed(self, request: Request, headers: Mapping[str, str]) -> tuple[str, Mapping[str, str]]:
        """Return the query string, and the headers with the token."""
        return query_string(request.query), {**headers, "authorization": f"Bearer {self.token()}"}


class Tokens:
    """The tokens of one identity, renewed before they end; safe to use from many threads.

    Args:
        options: say which identity.
    """

    def __init__(self, options: AzureOptions) -> None:
        self._options = options
        self._credential: TokenCredential | None = None
        self._token = ""
        self._until = 0.0
        self._lock = threading.Lock()

    def __call__(self) -> str:
        """Return the token of now.

        Raises:
            NoTokenError: nobody gives this identity one.
            TokenSourceError: who gives them cannot be asked now.
        """
        if time.time() < self._until:
            return self._token
        with self._lock:
            if time.time() >= self._until:
                self._token, self._until = self._renewed()
            return self._token

    def _renewed(self) -> tuple[str, float]:
        # Importing azure-identity takes longer than a whole run of some objects.
        from azure.core.exceptions import AzureError, ClientAuthenticationError  # noqa: PLC0415

        try:
            if self._credential is None:
                self._credential = _credential(self._options)
            token = self._credential.get_token(SCOPE)
        except (ClientAuthenticationError, ValueError) as error:
            raise NoTokenError from error
        except AzureError as error:
            raise TokenSourceError from error
        # One that ends sooner than that is used to its end.
        return token.token, max(token.expires_on - SECONDS_BEFORE_EXPIRY, min(token.expires_on, time.time() + 1))


class Anonymous(Authorisation):
    """Nobody: for what everybody may do."""

    def signed(self, request: Request, headers: Mapping[str, str]) -> tuple[str, Mapping[str, str]]:
        """Return the query string and the headers."""
        return query_string(request.query), headers


@functools.lru_cache(maxsize=256)
def _vendor_names(names: tuple[str, ...]) -> list[str]:
    """Return those of the headers' names that are Azure's own, in the order in which it signs them.

    It is that of a dictionary: hyphens count for nothing, and an underscore comes before digits and letters.
    """
    own = [name for name in names if name.startswith(_VENDOR)]
    return sorted(own, key=lambda name: (name.replace("-", "").replace("_", "!"), name))


@functools.lru_cache(maxsize=4)
def _http_date(second: int) -> str:
    days = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    moment = time.gmtime(second)
    # strftime would use the names of the user's language.
    day, month = days[moment.tm_wday], months[moment.tm_mon - 1]
    return f"{day}, {moment.tm_mday:02} {month} {moment.tm_year} {time.strftime('%H:%M:%S', moment)} GMT"


def _credential(options: AzureOptions) -> TokenCredential:
    """Return the identity that options name: a service principal, the machine's, or whichever is found first."""
    from azure.identity import (  # noqa: PLC0415 - see `Tokens`
        ClientSecretCredential,
        DefaultAzureCredential,
        ManagedIdentityCredential,
    )

    if options.client_secret is not None and options.tenant_id is not None and options.client_id is not None:
        return ClientSecretCredential(options.tenant_id, options.client_id, options.client_secret.get_secret_value())
    if options.managed_identity:
        return ManagedIdentityCredential(client_id=options.client_id)
    return DefaultAzureCredential()
