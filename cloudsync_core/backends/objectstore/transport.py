"""Failures on the way to a server: everything that leaves a request without an answer, or with a damaged one.

An answer that refuses is none of these: what it means, the plugin says. What these mean is said in
`cloudsync_core.backends.objectstore.rules`, once for all plugins::

    TransportError
    ├── UnreachableError             there is no connection
    │   └── ProxyUnreachableError    nor one to the proxy, or the proxy makes none
    ├── TlsError                     no secure one
    ├── NoAnswerError                nothing came in time
    ├── ConnectionLostError          the connection ended before there was an answer
    ├── IncompleteAnswerError        it ended before the answer did
    ├── DamagedAnswerError           what came is no answer
    └── UnsayableRequestError        nothing was sent: HTTP has no words for it
"""

from __future__ import annotations

import http.client
import ssl

from cloudsync_core.backends import http1
from cloudsync_core.backends.judging import judging

_FAILURES = (OSError, http.client.HTTPException, UnicodeError)


class TransportError(Exception):
    """A request came to no whole answer. The message is for logs; users read the reason that `rules` gives."""


class UnreachableError(TransportError):
    """There is no connection to the server, also because it took too long to make."""


class ProxyUnreachableError(UnreachableError):
    """There is no connection to the proxy before the server, or the proxy makes none to the server."""


class TlsError(TransportError):
    """There is no secure connection to the server."""


class NoAnswerError(TransportError):
    """Nothing came on the connection for as long as the plugin's read timeout."""


class ConnectionLostError(TransportError):
    """The connection ended before there was an answer: the server may have done what was asked."""


class IncompleteAnswerError(TransportError):
    """The content of an answer ended before the length that the server told (clause G2)."""


class DamagedAnswerError(TransportError):
    """What came is no answer: not in HTTP, or not in the form that the protocol of the store wants."""


class UnsayableRequestError(TransportError):
    """A request holds what HTTP cannot say, such as a line break in a header; nothing was sent."""


def connecting(url: str, proxy: str | None) -> judging[str, str | None]:
    """Raise what goes wrong in a block that connects as a `TransportError`.

    Args:
        url: of the server.
        proxy: the host that is connected to instead, if there is one.
    """
    return judging(_no_connection, url, proxy)


def exchanging(url: str) -> judging[str]:
    """Raise what goes wrong in a block that sends and reads on a connection to `url` as a `TransportError`."""
    return judging(_no_exchange, url)


def _no_connection(failure: BaseException, url: str, proxy: str | None) -> TransportError | None:
    if isinstance(failure, ssl.SSLError):
        return TlsError(f"{url}: {failure}")
    if isinstance(failure, TimeoutError) or (proxy is None and isinstance(failure, _FAILURES)):
        return UnreachableError(f"{url}: {failure}")
    if isinstance(failure, _FAILURES):
        return ProxyUnreachableError(f"{url} by way of {proxy}: {failure}")
    return None


def _no_exchange(failure: BaseException, url: str) -> TransportError | None:
    kind: type[TransportError] | None = None
    if isinstance(failure, ssl.SSLError):
        kind = TlsError
    elif isinstance(failure, TimeoutError):
        kind = NoAnswerError
    elif isinstance(failure, http1.CutShortError):
        kind = IncompleteAnswerError
    elif isinstance(failure, _FAILURES):
        kind = ConnectionLostError
    elif isinstance(failure, http1.NotHttpError):
        kind = DamagedAnswerError
    return None if kind is None else kind(f"{url}: {failure}")
