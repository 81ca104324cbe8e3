"""Where buckets and objects are in URLs."""

import pytest
from cloudsync_gcs.address import GOOGLE, Address
from hypothesis import given
from hypothesis import strategies as st


def test_the_paths_of_the_api():
    address = Address.of("my-bucket", GOOGLE)
    assert (address.url, address.netloc) == (GOOGLE, "storage.googleapis.com")
    assert address.objects == "/storage/v1/b/my-bucket/o"
    assert address.object("a b/c+d?e#f%2F") == "/storage/v1/b/my-bucket/o/a%20b%2Fc%2Bd%3Fe%23f%252F"
    assert address.uploads == "/upload/storage/v1/b/my-bucket/o"
    assert address.batches == "/batch/storage/v1"


def test_an_endpoint_may_have_a_path_and_a_port():
    address = Address.of("b", "http://[::1]:4443/base path/")
    assert address.netloc == "[::1]:4443"
    assert address.objects == "/base%20path/storage/v1/b/b/o"


@pytest.mark.parametrize("name", [".", "..", "a/../b", "//", "é", "\U0001f600"])
def test_L4_a_name_is_one_segment_whatever_is_in_it(name):
    from urllib.parse import unquote

    path = Address.of("b", GOOGLE).object(name)
    assert path.count("/") == "/storage/v1/b/b/o/".count("/")
    assert unquote(path.removeprefix("/storage/v1/b/b/o/")) == name


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_L4_no_two_names_share_a_path(name):
    from urllib.parse import unquote

    path = Address.of("b", GOOGLE).object(name)
    assert path.isascii()
    assert unquote(path.rpartition("/")[2]) == name
