"""cloudsync finds the plugin, checks its options, and reaches the server with them."""

import pytest
from cloudsync_core.body import Body
from cloudsync_core.errors import ConfigError, ContainerNotFoundError, UnauthenticatedError
from cloudsync_core.location import Location
from cloudsync_core.plugins.facade import Plugins

from cloudsync_webdav import plugin


@pytest.fixture
def plugins():
    return Plugins.load(allow=[], extra=[plugin])


def open_location(plugins, url, options=None, *, create=False):
    return plugins.open(Location.parse(url), options or {}, create=create)


def test_it_opens_locations(plugins, server, folder):
    with open_location(plugins, server.url(folder), server.options) as backend:
        assert backend.location == server.url(folder)
        assert list(backend.list()) == []


def test_a_target_is_made_by_the_first_put(plugins, server, folder):
    url = server.url(f"{folder}/not/yet")
    with open_location(plugins, url, server.options, create=True) as backend:
        assert list(backend.list()) == []
        backend.delete("nothing")
        backend.put("deep/object", Body(b"content"))
    assert (server.directory / folder / "not/yet/deep/object").read_bytes() == b"content"


def test_a_source_has_to_be_there(plugins, server, folder):
    with (
        open_location(plugins, server.url(f"{folder}/none"), server.options) as backend,
        pytest.raises(ContainerNotFoundError),
    ):
        list(backend.list())


def test_what_a_killed_run_has_left_is_removed_a_day_later(plugins, server, folder):
    names = {age: f".cs-{age:012x}.tmp" for age in (3600, 100_000)}
    for age, name in names.items():
        server.put(f"{folder}/{name}", b"half an obj", age=age)
    with open_location(plugins, server.url(folder), server.options) as backend:
        assert list(backend.list()) == []
        assert set(names.values()) <= server.names(folder), "a location that is only read is left as it is"
        backend.put("object", Body(b"content"))
    assert server.names(folder) == {names[3600], "object"}


def test_what_a_crash_has_left_is_found_and_removed_when_somebody_asks(plugins, server, folder):
    name = ".cs-0123456789ab.tmp"
    server.put(f"{folder}/{name}", b"half an obj", age=60)
    server.put(f"{folder}/object", b"content", age=60)
    with open_location(plugins, server.url(folder), server.options) as backend:
        [found] = backend.leftovers()
        assert (found.kind, found.key, found.size, found.ours) == ("temporary file", name, 11, True)
        for token in ("object", "../object", found.token, found.token):
            backend.discard(found.key, token)
        assert list(backend.leftovers()) == []
    assert server.names(folder) == {"object"}
    with open_location(plugins, server.url(f"{folder}/none"), server.options, create=True) as backend:
        assert list(backend.leftovers()) == []


@pytest.mark.parametrize("options", [{}, {"username": "tester", "password": "wrong"}, {"token": "wrong"}])
def test_a_server_that_does_not_know_us_says_so(plugins, server, folder, options):
    with open_location(plugins, server.url(folder), options) as backend, pytest.raises(UnauthenticatedError):
        list(backend.list())


def test_spellings_of_one_place_are_one_place(plugins):
    places = ("dav://Host/a", "dav://host:80/a/", "dav://host//a//")
    identities = {open_location(plugins, place).identity for place in places}
    assert len(identities) == 1
    secure = open_location(plugins, "davs://host:443/a")
    assert str(secure.identity) == "https://host /a/"


@pytest.mark.parametrize(
    ("location", "options", "message"),
    [
        ("dav://", {}, "needs a server"),
        ("dav://user:hunter2@host/folder", {}, "without credentials"),
        ("dav://host/a/../b", {}, "without dots"),
        ("dav://host", {"usrname": "x"}, "did you mean username?"),
        ("dav://host", {"username": "x"}, "belong together"),
        ("dav://host", {"username": "x", "password": "hunter2", "token": "y"}, "give a token, or"),
        ("dav://host", {"read_timeout": 0}, "read_timeout"),
    ],
)
def test_what_is_wrong_is_said_without_a_secret(plugins, location, options, message):
    with pytest.raises(ConfigError) as caught:
        open_location(plugins, location, options)
    assert message in str(caught.value)
    assert "hunter2" not in str(caught.value)
