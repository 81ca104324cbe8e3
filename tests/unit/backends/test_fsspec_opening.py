"""What a location of the fsspec backend is opened with, and what may be said of it."""

import importlib

import fsspec
import pydantic
import pytest

from cloudsync_core.backends.file import FileBackend
from cloudsync_core.backends.fsspec import FsspecBackend, FsspecOptions, available
from cloudsync_core.errors import (
    ConfigError,
    Disposition,
    PluginLoadError,
    UnauthenticatedError,
    UnavailableError,
    UnexpectedBackendError,
    UnknownBackendError,
)
from cloudsync_core.location import Location

# The package hides its module of that name behind a mapping.
registry = importlib.import_module("fsspec.registry")

SECRET = "correct-horse-battery"


def open_location(url, **options):
    return FsspecBackend(Location.parse(url), FsspecOptions(**options))


class TestProtocols:
    def test_available_knows_what_fsspec_knows(self):
        assert available("sftp")
        assert available("memory")
        assert not available("no-such-protocol")

    def test_an_unknown_protocol_is_an_error(self):
        with pytest.raises(UnknownBackendError, match="no-such-protocol"):
            open_location("no-such-protocol://x")

    @pytest.mark.parametrize(
        "protocol", ["simplecache", "filecache", "blockcache", "cached", "reference", "dir", "generic"]
    )
    def test_a_wrapper_is_refused_with_its_reason(self, protocol):
        with pytest.raises(ConfigError, match="wraps another filesystem"):
            open_location(f"{protocol}://x")

    @pytest.mark.parametrize(("protocol", "why"), [("zip", "archive"), ("https", "listing"), ("data", "listing")])
    def test_what_is_no_store_is_refused_with_its_reason(self, protocol, why):
        with pytest.raises(ConfigError, match=why):
            open_location(f"{protocol}://x")

    def test_a_missing_package_is_named_with_the_way_to_install_it(self, monkeypatch):
        monkeypatch.setitem(
            registry.known_implementations,
            "needs-package",
            {"class": "absent_package.Filesystem", "err": "Install absent_package to use it"},
        )
        with pytest.raises(PluginLoadError, match=r"(?s)Install absent_package.*pip install absent_package"):
            open_location("needs-package://x")

    def test_a_package_that_the_constructor_misses_ends_the_run(self, monkeypatch):
        class Lazy(fsspec.AbstractFileSystem):
            protocol = "lazy"

            def __init__(self, **_):
                raise ModuleNotFoundError("No module named 'absent_package'")

        monkeypatch.setitem(registry._registry, "lazy", Lazy)
        with pytest.raises(UnexpectedBackendError, match="absent_package") as caught:
            list(open_location("lazy://x").list())
        assert caught.value.disposition is Disposition.ABORT


class TestOptions:
    def test_unknown_arguments_are_named(self, monkeypatch):
        class Strict(fsspec.AbstractFileSystem):
            protocol = "strict"

            def __init__(self, host):
                super().__init__()

        monkeypatch.setitem(registry._registry, "strict", Strict)
        with pytest.raises(ConfigError, match="unexpected keyword argument 'hots'"):
            open_location("strict://x", host="h", hots="h")

    def test_a_missing_argument_is_named(self):
        with pytest.raises(ConfigError, match="missing a required argument: 'host'"):
            open_location("ftp:///folder")

    @pytest.mark.parametrize("name", ["asynchronous", "use_listings_cache", "skip_instance_cache"])
    def test_what_the_backend_sets_itself_cannot_be_set(self, name):
        with pytest.raises(ConfigError, match=name):
            open_location("memory://x", **{name: True})

    def test_values_are_scalars(self):
        with pytest.raises(pydantic.ValidationError):
            FsspecOptions(host=["a", "b"])

    @pytest.mark.parametrize("url", ["ftp://host/a?b", "ftp://host/a?b/a", "ftp://host/x/../y", "memory://x//y"])
    def test_a_root_that_would_be_another_place_is_refused(self, url):
        with pytest.raises(ConfigError):
            open_location(url)

    def test_characters_of_urls_are_part_of_a_path_where_they_can_be(self):
        backend = open_location("memory://a?b/c#d%20", create=True)
        assert backend.identity.root == "/a?b/c#d%20/"


class TestSecrets:
    def test_options_show_no_value(self):
        options = FsspecOptions(password=SECRET, key="k", create=True)
        for text in (repr(options), str(options), repr([options])):
            assert SECRET not in text
            assert "password='***'" in text

    def test_a_location_shows_no_credentials(self):
        backend = open_location(f"ftp://me:{SECRET}@host:2121/folder")
        assert backend.location == "ftp://host:2121/folder"
        assert SECRET not in f"{backend!r} {backend.identity}"

    @pytest.mark.parametrize("url", [f"ftp://me:{SECRET}/x@host/folder", f"ftp://host:{SECRET}/folder"])
    def test_an_address_that_cannot_be_understood_is_not_repeated(self, url):
        with pytest.raises(ConfigError) as caught:
            open_location(url)
        assert SECRET not in str(caught.value)

    def test_no_error_shows_one(self, monkeypatch):
        class Chatty(fsspec.AbstractFileSystem):
            protocol = "chatty"

            def __init__(self, token, **_):
                raise ConnectionError(f"token {token} is wrong for https://me:pw@host/x")

        monkeypatch.setitem(registry._registry, "chatty", Chatty)
        with pytest.raises(UnavailableError) as caught:
            open_location("chatty://x", token=SECRET).stat("key")
        assert str(caught.value) == "stat chatty://x/key: token *** is wrong for https://host/x"

    def test_wrong_credentials_end_the_run_and_are_not_shown(self, ftp_server):
        backend = open_location(ftp_server.url("x"), username="tester", password=SECRET)
        with pytest.raises(UnauthenticatedError) as caught:
            list(backend.list())
        assert caught.value.disposition is Disposition.ABORT
        assert SECRET not in str(caught.value)


class TestIdentity:
    def test_the_default_port_is_the_same_place(self):
        assert open_location("ftp://host/x").identity == open_location("ftp://HOST:21/x").identity

    def test_credentials_are_no_part_of_a_place(self):
        assert open_location("ftp://me:pw@host/x").identity == open_location("ftp://host/x", username="you").identity

    def test_places_on_two_hosts_do_not_overlap(self):
        assert not open_location("ftp://one/x").identity.overlaps(open_location("ftp://two/x").identity)

    def test_a_local_folder_is_the_same_place_for_the_file_backend(self, tmp_path):
        (tmp_path / "real" / "sub").mkdir(parents=True)
        (tmp_path / "link").symlink_to("real")
        inner = open_location(f"local://{tmp_path}/link/sub")
        assert inner.identity.overlaps(FileBackend(Location.parse(str(tmp_path / "real"))).identity)

    def test_the_root_of_a_filesystem_holds_every_folder(self):
        assert open_location("ftp://host").identity.overlaps(open_location("ftp://host/x/y").identity)
