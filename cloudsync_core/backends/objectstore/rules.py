"""What failures mean: the form of a plugin's table, and the one table of failures on the way to a server.

Reasons are our own words: what an SDK says may hold URLs and header values. They are whole sentences without their end;
hints are sentences. The options that hints name have the same names in every plugin: `endpoint_url`, `verify_tls`,
`ca_bundle`, `connect_timeout`, `read_timeout`.
"""

from __future__ import annotations

import email.utils
import ssl
import time
from collections.abc import Mapping
from typing import Final, NamedTuple

from cloudsync_core.backends.objectstore.transport import (
    ConnectionLostError,
    DamagedAnswerError,
    IncompleteAnswerError,
    NoAnswerError,
    ProxyUnreachableError,
    TlsError,
    TransportError,
    UnreachableError,
    UnsayableRequestError,
)
from cloudsync_core.errors import (
    BackendError,
    Disposition,
    IntegrityError,
    UnavailableError,
    UnexpectedBackendError,
    printable,
)

_LONGEST_WORDS: Final = 300


class Rule(NamedTuple):
    """What one kind of failure becomes.

    Attributes:
        error: the class.
        reason: what happened.
        hint: what the user can do about it.
        disposition: replaces the class's own.
    """

    error: type[BackendError]
    reason: str
    hint: str | None = None
    disposition: Disposition | None = None

    def failure(
        self, reason: str | None = None, *, hint: str | None = None, retry_after: float | None = None
    ) -> BackendError:
        """Return the error, without its place; see `cloudsync_core.backends.judging.naming`.

        Args:
            reason: instead of the rule's.
            hint: instead of the rule's.
            retry_after: seconds that the server asks to wait.
        """
        return self.error(
            reason or self.reason, disposition=self.disposition, retry_after=retry_after, hint=hint or self.hint
        )


UNREACHABLE: Final = Rule(UnavailableError, "the server cannot be reached", "Check the network and endpoint_url.")
PROXY_UNREACHABLE: Final = Rule(
    UnavailableError,
    "the proxy cannot be reached",
    "Check HTTP_PROXY and HTTPS_PROXY, or name the server in NO_PROXY.",
)
NO_TLS: Final = Rule(
    UnavailableError,
    "no secure connection to the server",
    "Check endpoint_url; for a certificate of your own authority, set ca_bundle.",
)
NO_ANSWER: Final = Rule(UnavailableError, "the server did not answer")
CUT_SHORT: Final = Rule(IntegrityError, "the connection ended before the object did")
DAMAGED: Final = Rule(UnexpectedBackendError, "the server's answer is damaged", disposition=Disposition.RETRY)
UNMENTIONED: Final = Rule(
    UnexpectedBackendError, "the server's answer does not mention the object", disposition=Disposition.RETRY
)
UNSAYABLE: Final = Rule(UnexpectedBackendError, "the request holds a line break where HTTP can have none")

TRANSPORT: Final[tuple[tuple[tuple[type[BaseException], ...], Rule], ...]] = (
    ((TlsError, ssl.SSLError), NO_TLS),
    ((IncompleteAnswerError,), CUT_SHORT),
    ((NoAnswerError, TimeoutError), NO_ANSWER),
    ((DamagedAnswerError,), DAMAGED),
    ((UnsayableRequestError,), UNSAYABLE),
    ((ProxyUnreachableError,), PROXY_UNREACHABLE),
    ((UnreachableError, ConnectionLostError, TransportError, OSError), UNREACHABLE),
)
"""By the exception; the first row that fits. The system's own exceptions are here for what SDKs let through."""

FAILURES: Final = (TransportError, OSError)
"""What the wire may raise, besides what its `Authorise` does; `TRANSPORT` has a rule for each."""


def transport_rule(failure: BaseException) -> Rule | None:
    """Return the rule for one of `FAILURES`, `None` for anything else."""
    for kinds, rule in TRANSPORT:
        if isinstance(failure, kinds):
            return rule
    return None


def of_status(rules: Mapping[int, Rule], status: int) -> Rule:
    """Return the rule for an HTTP status: its own, or else that of its hundred."""
    return rules.get(status) or rules.get(status // 100 * 100) or Rule(UnexpectedBackendError, "unknown answer")


def own_words(*words: str | None) -> str:
    """Return what a server says of a failure that is in no table, on one line of bounded length."""
    return ": ".join(printable(word) for word in words if word)[:_LONGEST_WORDS]


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a Retry-After header asks to wait: given as such, or as a date."""
    value = headers.get("retry-after")
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None
