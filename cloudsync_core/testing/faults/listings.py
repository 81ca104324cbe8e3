"""Faults of listings, which depend on how a store tells where a listing goes on."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Protocol

from cloudsync_core.testing.faults.http import Forward, Request, Response, Rule


class Dialect(Protocol):
    """What the faults of a listing have to know of a store's protocol; authors of a backend write one for theirs."""

    def is_listing(self, request: Request) -> bool:
        """Tell whether a request asks for a page of a listing."""

    def is_first(self, request: Request) -> bool:
        """Tell of such a request whether it asks for the beginning: by no token, and not from some key on."""

    def token(self, request: Request) -> str | None:
        """Return by which token a page is asked for; `None` where it is asked for in another way."""

    def continued(self, document: bytes, token: str | None) -> bytes:
        """Return a page that says that there is more, at a token, or at `None` without saying where."""

    def ended(self, document: bytes, *, empty: bool) -> bytes:
        """Return a page that says that it is the last one, with its objects or without any."""


def further_page(dialect: Dialect) -> Callable[[Request], bool]:
    """Choose the requests for every page of a listing but the first, for `Proxy.disturb`.

    A listing that is begun again behind its first page is one of them: who retries gets no further.
    """
    return lambda request: dialect.is_listing(request) and not dialect.is_first(request)


def repeat_token(dialect: Dialect) -> Rule:
    """Let a page say that the listing goes on with this same page (A13)."""
    return _changed(lambda request, document: dialect.continued(document, dialect.token(request)))


def omit_token(dialect: Dialect) -> Rule:
    """Let a page say that the listing goes on, and not where (A13)."""
    return _changed(lambda _, document: dialect.continued(document, None))


def end_early(dialect: Dialect) -> Rule:
    """Let a page claim to be the last one. Nobody can know better."""
    return _changed(lambda _, document: dialect.ended(document, empty=False))


def empty_page(dialect: Dialect) -> Rule:
    """Let a page claim to be the last one, and hold nothing. Nobody can know better."""
    return _changed(lambda _, document: dialect.ended(document, empty=True))


def _changed(change: Callable[[Request, bytes], bytes]) -> Rule:
    def fault(request: Request, forward: Forward) -> Response:
        answer = forward()
        return dataclasses.replace(answer, body=change(request, answer.body))

    return fault
