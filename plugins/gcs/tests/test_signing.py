"""Requests say who asks, and nothing of what they ask changes by it."""

from cloudsync_gcs.signing import authorising

from cloudsync_core.backends.objectstore.wire import Request


def test_the_headers_of_now_are_added():
    tokens = iter(["first", "second"])
    authorise = authorising(lambda: {"authorization": f"Bearer {next(tokens)}", "x-goog-user-project": "payer"})
    request = Request("GET", "/path", {"b": "a b/+", "a": "ü"}, {"range": "bytes=0-1"})
    for token in ("first", "second"):
        query, headers = authorise(request, {"host": "example.com", **request.headers})
        assert query == "a=%C3%BC&b=a%20b%2F%2B"
        assert headers == {
            "host": "example.com",
            "range": "bytes=0-1",
            "authorization": f"Bearer {token}",
            "x-goog-user-project": "payer",
        }


def test_anonymous_requests_say_nothing():
    assert authorising(dict)(Request("GET", "/path"), {"host": "h"}) == ("", {"host": "h"})
