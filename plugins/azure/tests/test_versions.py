"""What an answer tells of version and digests, and when it tells nothing."""

import pytest
from cloudsync_azure import versions

from cloudsync_core.backends.objectstore.transport import DamagedAnswerError
from cloudsync_core.errors import IntegrityError
from cloudsync_core.models import Digest, Version

EMPTY = "1B2M2Y8AsgTpgAmY7PhCfg=="
MD5 = Digest("md5", "d41d8cd98f00b204e9800998ecf8427e")


def test_etags_are_plain():
    assert versions.plain('"0x8D"') == versions.plain("0x8D") == "0x8D"
    assert versions.plain(None) is versions.plain("") is None
    assert versions.quoted("0x8D") == '"0x8D"'


def test_version_has_an_id_where_the_account_keeps_versions():
    assert versions.version({"etag": '"1"'}) == Version("1")
    assert versions.version({"etag": '"1"', "x-ms-version-id": "2026-01-01T00:00:00.0Z"}).id == "2026-01-01T00:00:00.0Z"


@pytest.mark.parametrize(
    ("headers", "status", "digests"),
    [
        ({"content-md5": EMPTY}, 200, (MD5,)),
        ({"x-ms-blob-content-md5": EMPTY}, 206, (MD5,)),
        ({"content-md5": "AAAAAAAAAAAAAAAAAAAAAA==", "x-ms-blob-content-md5": EMPTY}, 206, (MD5,)),
        ({"content-md5": EMPTY}, 206, ()),
        ({}, 200, ()),
        ({"content-md5": ""}, 200, ()),
        ({"content-md5": "not base64"}, 200, ()),
        ({"content-md5": "AAAA"}, 200, ()),
    ],
    ids=str,
)
def test_digests_are_of_the_whole(headers, status, digests):
    assert versions.digests(headers, status) == digests


def test_other_digest_than_was_sent_is_an_error():
    versions.check(EMPTY, MD5, "it")
    versions.check(None, MD5, "it")
    with pytest.raises(IntegrityError, match=r"stored it with the MD5 0{32}"):
        versions.check("AAAAAAAAAAAAAAAAAAAAAA==", MD5, "it")


def test_times_are_whole_seconds():
    assert versions.nanoseconds("Fri, 20 Nov 2026 17:00:00 GMT") == 1795194000 * 10**9


@pytest.mark.parametrize("text", [None, "", "soon"])
def test_time_that_is_none_is_damage(text):
    with pytest.raises(DamagedAnswerError):
        versions.nanoseconds(text)
