"""Buckets and keys stand in a URL exactly as they are named."""

from urllib.parse import unquote

import pytest
from cloudsync_s3.address import Address, is_plain

from cloudsync_core.testing import CORPUS


@pytest.mark.parametrize("case", CORPUS, ids=str)
@pytest.mark.parametrize(("path_style", "start"), [(True, "/base/bucket/"), (False, "/base/")])
def test_C18_keys_are_exact(case, path_style, start):
    address = Address.of("bucket", "http://example.com/base", path_style=path_style)
    for key in case.keys:
        path = address.path(key)
        assert path.isascii()
        assert not set(" ?#&+\\\"<>'\n").intersection(path)
        assert unquote(path.removeprefix(start), errors="strict") == key


@pytest.mark.parametrize(
    ("url", "netloc"),
    [
        ("http://example.com", "example.com"),
        ("http://example.com:80", "example.com"),
        ("https://example.com:443/", "example.com"),
        ("http://example.com:443", "example.com:443"),
        ("https://Example.com:9000/base/", "example.com:9000"),
        ("http://[::1]:9000", "[::1]:9000"),
    ],
)
def test_host_and_port_are_those_of_a_host_header(url, netloc):
    address = Address.of("bucket", url, path_style=True)
    assert address.netloc == netloc
    assert address.path(None) == ("/base/bucket" if "base" in url else "/bucket")


@pytest.mark.parametrize(
    ("bucket", "url", "in_host"),
    [
        ("bucket", "https://example.com", True),
        ("bu.cket", "https://example.com", False),
        ("bucket", "http://10.0.0.1:9000", False),
        ("bucket", "http://[::1]:9000", False),
        ("bucket", "http://localhost:9000", True),
    ],
)
def test_bucket_stands_in_the_host_name_only_where_it_can(bucket, url, in_host):
    address = Address.of(bucket, url, path_style=False)
    assert address.in_host is in_host
    assert (address.host.startswith(bucket), address.path("key") == "/key") == (in_host, in_host)


@pytest.mark.parametrize("name", ["bucket", "my-bucket.example.com", "a--b", "x-s3", "0ab"])
def test_ordinary_names(name):
    assert is_plain(name)


@pytest.mark.parametrize(
    "name",
    [
        "b--usw2-az1--x-s3",
        "b--usw2-az1--xa-s3",
        "alias--op-s3",
        "arn:aws:s3:us-west-2:1:accesspoint:b",
        "My_Bucket",
        "b",
    ],
)
def test_names_of_which_botocore_knows_more(name):
    assert not is_plain(name)
