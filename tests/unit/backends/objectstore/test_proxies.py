"""Which proxy a server is asked through, as the environment says it."""

import pytest

from cloudsync_core.backends.objectstore.proxies import Proxy, UnknownProxyError, proxy_for

NAMES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """No proxies but the test's own."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


def test_there_is_none_by_default():
    assert proxy_for("http://host/path") is None


@pytest.mark.parametrize("text", ["http://proxy:3128", "proxy:3128", "http://proxy:3128/"])
def test_proxy_of_the_scheme(environment, text):
    environment.setenv("HTTPS_PROXY", text)
    assert proxy_for("https://host") == Proxy("proxy", 3128, {})
    assert proxy_for("http://host") is None


def test_credentials_are_decoded_and_not_shown(environment):
    environment.setenv("HTTP_PROXY", "http://me:p%40ss@proxy")
    proxy = proxy_for("http://host")
    assert proxy == Proxy("proxy", 80, {"proxy-authorization": "Basic bWU6cEBzcw=="})
    assert "bWU6" not in repr(proxy)


@pytest.mark.parametrize("names", ["host.example", ".example", "*", "other,host.example:8080"])
def test_some_hosts_are_reached_without_it(environment, names):
    environment.setenv("HTTP_PROXY", "http://proxy")
    environment.setenv("NO_PROXY", names)
    assert proxy_for("http://host.example:8080") is None


def test_unnamed_hosts_are_not(environment):
    environment.setenv("HTTP_PROXY", "http://proxy")
    environment.setenv("NO_PROXY", "other.example")
    assert proxy_for("http://host.example") == Proxy("proxy", 80, {})


@pytest.mark.parametrize("text", ["https://proxy:3128", "socks5://proxy", "http://"])
def test_other_kinds_are_not_spoken_to(environment, text):
    environment.setenv("HTTP_PROXY", text)
    with pytest.raises(UnknownProxyError):
        proxy_for("http://host")
