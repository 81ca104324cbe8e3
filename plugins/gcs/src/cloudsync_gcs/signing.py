"""How requests say who asks: by a bearer token in a header (https://cloud.google.com/storage/docs/authentication)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cloudsync_core.backends.objectstore.wire import Authorise, Request, query_string


def authorising(credentials: Callable[[], Mapping[str, str]]) -> Authorise:
    """Return what authorises requests.

    Args:
        credentials: returns the headers of now that say who asks, none for anonymous requests.
    """

    def authorise(request: Request, headers: Mapping[str, str]) -> tuple[str, Mapping[str, str]]:
        return query_string(request.query), {**headers, **credentials()}

    return authorise
