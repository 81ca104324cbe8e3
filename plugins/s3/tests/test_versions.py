"""What is read into an ETag, and what is not (catalogue B08-B10)."""

import pytest
from cloudsync_s3 import versions

from cloudsync_core.errors import IntegrityError
from cloudsync_core.models import Digest, Version

MD5 = "5d41402abc4b2a76b9719d911017c592"


def digests(etag, size=10, metadata=None, **headers):
    return versions.digests({"ETag": etag, "Metadata": metadata or {}, **headers}, size)


def test_single_part_is_md5():
    assert digests(f'"{MD5}"') == (Digest("md5", MD5),)
    assert digests(MD5) == (Digest("md5", MD5),)


def test_S3_managed_encryption_changes_nothing():
    assert digests(MD5, ServerSideEncryption="AES256") == (Digest("md5", MD5),)


@pytest.mark.parametrize(
    "headers",
    [
        {"ServerSideEncryption": "aws:kms"},
        {"ServerSideEncryption": "aws:kms:dsse"},
        {"SSECustomerAlgorithm": "AES256"},
    ],
)
def test_B09_encryption_by_other_keys_makes_etags_opaque(headers):
    assert digests(MD5, **headers) == ()
    assert digests(f"{MD5}-2", metadata={"cloudsync-part-size": "5"}, **headers) == ()


@pytest.mark.parametrize("etag", ["", None, MD5.upper(), MD5[:-1], MD5 + "0", "abc", f"{MD5}-0", f'W/"{MD5}"'])
def test_B10_other_forms_tell_nothing(etag):
    assert digests(etag) == ()


def test_B08_multipart_is_the_digest_of_parts_where_their_size_is_known():
    assert digests(f'"{MD5}-2"', 10, {"cloudsync-part-size": "5"}) == (Digest("md5/5", MD5),)
    assert digests(f'"{MD5}-2"', 10, {"Cloudsync-Part-Size": "6"}) == (Digest("md5/6", MD5),)


@pytest.mark.parametrize("part_size", ["", "x", "0", "-5", "5.0", "4", "10", "\u0665"])
def test_B08_part_size_that_does_not_explain_the_parts_tells_nothing(part_size):
    assert digests(f"{MD5}-2", 10, {"cloudsync-part-size": part_size}) == ()


def test_B08_multipart_without_part_size_tells_nothing():
    assert digests(f"{MD5}-2") == ()


def test_weak_etags_are_compared_and_believed_nothing():
    assert versions.plain(f'W/"{MD5}"') == versions.plain(f'"{MD5}"') == MD5
    assert digests(f'W/"{MD5}"') == ()


def test_versions_are_those_of_the_provider():
    assert versions.version({"ETag": '"e"', "VersionId": "v"}) == Version("e", "v")
    assert versions.version({"ETag": '"e"', "VersionId": "null"}) == Version("e")
    assert not versions.version({})


def test_check_confirms_or_raises_or_cannot_tell():
    assert versions.check(f'"{MD5}"', MD5, "it")
    assert not versions.check('"opaque"', MD5, "it")
    assert not versions.check(None, MD5, "it")
    with pytest.raises(IntegrityError, match=r"stored it with the MD5 0{32}(?s:.*)etag_is_md5"):
        versions.check("0" * 32, MD5, "it")
