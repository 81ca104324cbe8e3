"""Where a server is, as URLs and Host headers have it."""

import pytest

from cloudsync_core.backends.objectstore.server import Server, server_of


@pytest.mark.parametrize(
    ("url", "server", "netloc"),
    [
        ("http://host", Server("http", "host", 80), "host"),
        ("https://host/path", Server("https", "host", 443), "host"),
        ("http://127.0.0.1:10000/account", Server("http", "127.0.0.1", 10000), "127.0.0.1:10000"),
        ("https://[::1]:80", Server("https", "::1", 80), "[::1]:80"),
    ],
)
def test_server_of_a_url(url, server, netloc):
    assert server_of(url) == server
    assert server.netloc == netloc
    assert server.url == f"{server.scheme}://{netloc}"


@pytest.mark.parametrize("url", ["host:80", "ftp://host", "http://", "", "http://host:port"])
def test_what_is_no_url_of_a_server_is_refused(url):
    with pytest.raises(ValueError):
        server_of(url)
