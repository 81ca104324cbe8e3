"""Where containers are, in every form of URL."""

import pytest
from cloudsync_azure.address import Address, account_of, is_container, split_host


@pytest.mark.parametrize(
    ("url", "account"),
    [
        ("https://account.blob.core.windows.net", "account"),
        ("https://account.blob.core.windows.net/", "account"),
        ("https://account.z13.blob.storage.azure.net", "account"),
        ("https://account-secondary.blob.core.windows.net", "account"),
        ("https://account.blob.core.chinacloudapi.cn", "account"),
        ("https://account.dfs.core.windows.net", "account"),
        ("http://127.0.0.1:10000/devstoreaccount1", "devstoreaccount1"),
        ("http://localhost:10000/devstoreaccount1/", "devstoreaccount1"),
        ("http://[::1]:10000/devstoreaccount1", "devstoreaccount1"),
        ("http://127.0.0.1:10000", None),
        ("https://storage.example.com", None),
        ("https://storage.example.com/path", None),
    ],
)
def test_account_that_a_url_names(url, account):
    assert account_of(url) == account


@pytest.mark.parametrize(
    ("url", "key", "path", "whole"),
    [
        (
            "https://account.blob.core.windows.net",
            "a b/c",
            "/box/a%20b/c",
            "https://account.blob.core.windows.net/box/a%20b/c",
        ),
        (
            "http://127.0.0.1:10000/devstoreaccount1/",
            "ä?#%",
            "/devstoreaccount1/box/%C3%A4%3F%23%25",
            "http://127.0.0.1:10000/devstoreaccount1/box/%C3%A4%3F%23%25",
        ),
        ("http://[::1]:80/x", "/lead//", "/x/box//lead//", "http://[::1]/x/box//lead//"),
    ],
)
def test_paths_of_objects(url, key, path, whole):
    address = Address.of(url, "account", "box")
    assert address.path(key) == path
    assert address.server.url + address.path(key) == whole


def test_path_of_a_container():
    assert Address.of("http://127.0.0.1:1/acc", "acc", "$root").path(None) == "/acc/$root"


@pytest.mark.parametrize("name", ["abc", "a-b-c", "0a9", "x" * 63, "$root", "$web", "$logs"])
def test_names_of_containers(name):
    assert is_container(name)


@pytest.mark.parametrize("name", ["", "ab", "x" * 64, "-ab", "ab-", "a--b", "Abc", "a_b", "a.b", "a b", "abc\n", "$"])
def test_names_of_none(name):
    assert not is_container(name)


def test_container_may_be_written_with_the_host_of_its_account():
    assert split_host("box") == ("box", None)
    assert split_host("box@account.dfs.core.windows.net") == ("box", "https://account.blob.core.windows.net")
    assert split_host("box@account.blob.core.usgovcloudapi.net") == (
        "box",
        "https://account.blob.core.usgovcloudapi.net",
    )
    with pytest.raises(ValueError, match=r"'example\.com' is not the host of a storage account"):
        split_host("box@example.com")
