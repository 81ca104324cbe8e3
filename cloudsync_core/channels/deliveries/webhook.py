"""Updates to a web server."""

from __future__ import annotations

import email.utils
import http.client
import tempfile
import time
import urllib.parse
from collections.abc import Iterator
from typing import IO, Final

from cloudsync_core.channels.deliveries import signing
from cloudsync_core.channels.deliveries.exchange import Endpoint, NoAddressError, RefusedAddressError, exchange
from cloudsync_core.channels.update import Update, rfc3339
from cloudsync_core.errors import ConfigError, DeliveryError

TIMEOUT: Final = 30.0
"""Seconds without an answer after which a request has failed, where nothing else is asked for."""

_HELD: Final = 1024 * 1024
_BLOCK: Final = 64 * 1024

_RETRIED: Final = frozenset({408, 425, 429})
"""Answers of the 4xx that say "later" (RFC 9110, RFC 8470, RFC 6585)."""


class WebhookDelivery:
    """Sends the content of each update by POST, and takes an answer of 2xx for success.

    408, 425, 429, 5xx and trouble of the network are tried again, not before what `Retry-After` asks for; every other
    answer is final, redirects included: they are not followed. The host's addresses are looked up once a request, and
    the connection is made to one that was judged. Proxies of the environment are not used: behind one nobody could
    judge the address.

    Headers: `Content-Type`, `Cloudsync-Update-Id`, `-Topic` (percent-encoded), `-Publisher`, `-Created`, and with a
    secret `Cloudsync-Signature`, see `cloudsync_core.channels.deliveries.signing`.

    Args:
        url: `https://…` or `http://…`. It may hold a secret and is in no message; the host is.
        secret: signs what is sent.
        allow_private: addresses of private networks and of this machine are allowed.
        timeout: seconds without an answer after which a request has failed.

    Raises:
        ConfigError: the URL is none, or leads to an address that is not allowed.
    """

    def __init__(
        self, url: str, secret: str | None = None, *, allow_private: bool = False, timeout: float = TIMEOUT
    ) -> None:
        if secret == "":
            raise ConfigError("webhook: the secret is empty", hint="Leave it out to send without a signature.")
        self._endpoint = Endpoint.parse(url, allow_private=allow_private)
        self._secret = secret
        self._timeout = timeout
        self._refuse_at_start()

    def __call__(self, update: Update) -> None:
        """Send an update. See `Deliverer`."""
        # The signature comes before the content, which is not sent before its digest was found right.
        with tempfile.SpooledTemporaryFile(_HELD) as content:
            for chunk in update.chunks():
                content.write(chunk)
            size = content.tell()
            self._send(content, size, update)

    def close(self) -> None:
        """Nothing is held."""

    def describe(self) -> str:
        """Return the host; the rest of the URL may be secret."""
        return f"webhook {self._endpoint.origin}"

    def _refuse_at_start(self) -> None:
        try:
            self._endpoint.addresses()
        except RefusedAddressError as error:
            raise ConfigError(
                f"{self.describe()}: {error}",
                hint="allow_private: true (--allow-private) allows it; leave it out where others choose the URL.",
            ) from None
        except NoAddressError:
            # Found out again at each delivery, and retried: a name server may be away for a while.
            return

    def _send(self, content: IO[bytes], size: int, update: Update) -> None:
        headers = _headers(update, size)
        if self._secret is not None:
            moment = int(time.time())
            headers[signing.HEADER] = signing.signature(self._secret, moment, update.id, _blocks(content))
        try:
            answer = exchange(self._endpoint, headers, _blocks(content), self._timeout)
        except (OSError, http.client.HTTPException) as error:
            raise DeliveryError(f"{self.describe()}: {_words(error)}") from error
        self._judge(answer)

    def _judge(self, answer: http.client.HTTPResponse) -> None:
        status = answer.status
        if 200 <= status < 300:  # noqa: PLR2004 - as RFC 9110 classes them
            return
        if 300 <= status < 400:  # noqa: PLR2004
            raise DeliveryError(
                f"{self.describe()} answered {status}: redirects are not followed",
                retry=False,
                hint="Give the URL that it leads to.",
            )
        retry = status in _RETRIED or not 400 <= status < 500  # noqa: PLR2004
        raise DeliveryError(
            f"{self.describe()} answered {status}",
            retry=retry,
            retry_after=_seconds(answer.headers.get("Retry-After")) if retry else None,
        )


def _headers(update: Update, size: int) -> dict[str, str]:
    return {
        "Content-Type": update.content_type,
        "Content-Length": str(size),
        "User-Agent": "cloudsync",
        "Cloudsync-Update-Id": update.id,
        "Cloudsync-Topic": urllib.parse.quote(update.topic, safe="/"),
        "Cloudsync-Publisher": update.publisher,
        "Cloudsync-Created": rfc3339(update.created),
        "Connection": "close",
    }


def _blocks(content: IO[bytes]) -> Iterator[bytes]:
    content.seek(0)
    while block := content.read(_BLOCK):
        yield block


def _words(error: Exception) -> str:
    """Return an error in words; those of the HTTP client quote what the server sent, and are left out."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, http.client.HTTPException):
        return f"the answer is no HTTP ({type(error).__name__})"
    return str(error) or type(error).__name__


def _seconds(retry_after: str | None) -> float | None:
    """Return the seconds that a `Retry-After` asks for, a number or a date."""
    if retry_after is None:
        return None
    if retry_after.strip().isascii() and retry_after.strip().isdigit():
        return float(retry_after)
    try:
        moment = email.utils.parsedate_to_datetime(retry_after).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    return max(0.0, moment - time.time())
