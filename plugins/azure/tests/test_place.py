"""Names that Azure can hold, and places that are the same."""

import pytest
from cloudsync_azure.backend import AzureBackend
from cloudsync_azure.config import AzureOptions

from cloudsync_core.body import Body
from cloudsync_core.errors import ConfigError, InvalidKeyError, UnsupportedOperationError
from cloudsync_core.location import Location

KEY = {"account_name": "account", "account_key": "a2V5"}


def opened(scheme="az", rest="box/prefix", **options):
    return AzureBackend(Location(scheme, rest), AzureOptions(**(options or KEY)))


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("", "at least one character"),
        ("a\udcffb", "not valid Unicode"),
        ("a\\b", "backslash for a slash"),
        ("a\nb", "no control characters"),
        ("a\x85b", "no control characters"),
        ("a\uffffb", "no control characters"),
        ("a.", "drop the dot"),
        ("a./b", "drop the dot"),
        ("..", "drop the dot"),
        ("a/../b", "drop the dot"),
        ("d/" * 253, "more than 254 segments"),
        ("x" * 1018, "longer than 1017 characters"),
        ("\U0001f600" * 509, "longer than 1017 characters"),
    ],
    ids=ascii,
)
def test_what_azure_would_take_for_another_name_is_asked_of_nobody(key, why):
    with opened() as backend:
        for attempt in (
            lambda: backend.check_key(key),
            lambda: backend.put(key, Body(b"x")),
            lambda: backend.stat(key),
            lambda: backend.read(key, 1),
            lambda: backend.delete(key),
        ):
            with pytest.raises(InvalidKeyError, match=why):
                attempt()


@pytest.mark.parametrize(
    "key", ["x" * 1017, "ä" * 1017, "\U0001f600" * 508, "d/" * 252, "trail/", "/lead", "a//b", "...a", ".a", "a.b", " "]
)
def test_what_it_can_hold_is_not_refused(key):
    with opened() as backend:
        backend.check_key(key)


class TestIdentity:
    @pytest.mark.parametrize(
        ("scheme", "rest", "options"),
        [
            ("az", "box/prefix", KEY),
            ("az", "box/prefix/", KEY),
            ("abfs", "box/prefix", KEY),
            ("abfs", "box@account.dfs.core.windows.net/prefix", KEY),
            ("az", "box/prefix", {"connection_string": "AccountName=account;AccountKey=a2V5"}),
            ("az", "box/prefix", {"endpoint_url": "https://account.blob.core.windows.net:443/", "anonymous": True}),
        ],
        ids=str,
    )
    def test_one_place_has_one_however_it_is_written(self, scheme, rest, options):
        with opened(scheme, rest, **options) as backend, opened() as other:
            assert backend.identity == other.identity

    def test_emulators_are_known_by_their_addresses(self):
        url = "http://{}:10000/devstoreaccount1"
        found = {
            opened(endpoint_url=url.format(host), anonymous=True).identity
            for host in ("localhost", "127.0.0.1", "[::1]")
        }
        assert len(found) == 1

    @pytest.mark.parametrize("rest", ["box/other", "other/prefix", "box/prefixed"])
    def test_other_places_have_others(self, rest):
        with opened() as backend, opened(rest=rest) as other:
            assert not backend.identity.overlaps(other.identity)

    def test_location_is_shown_without_credentials(self):
        with opened("abfs") as backend:
            assert backend.location == "abfs://box/prefix"
            assert "a2V5" not in repr(backend.place)


def test_copies_need_the_same_account_and_credentials():
    with opened() as backend, opened(rest="other") as near:
        assert near.can_copy_from(backend)
    for options in (
        {"account_name": "another", "account_key": "a2V5"},
        {"account_name": "account", "sas_token": "sig=x"},
        {"account_name": "account", "managed_identity": True},
        {"account_name": "account", "anonymous": True},
    ):
        with opened() as backend, opened(rest="other", **options) as other:
            assert not other.can_copy_from(backend)


def test_a_listing_without_order_starts_nowhere():
    with opened(**KEY, ordered_listing=False) as backend:
        assert not backend.capabilities.ordered_listing
        with pytest.raises(UnsupportedOperationError):
            backend.list(start_after="a")


def test_location_without_a_container_is_a_config_error():
    with pytest.raises(ConfigError, match=r"az://: no container(?s:.*)az://container/prefix"):
        opened(rest="")
