"""What answers tell of versions and digests; nothing is claimed that they do not tell (B11)."""

import base64
import hashlib
import zlib

import google_crc32c
import pytest
from cloudsync_gcs import versions
from hypothesis import given
from hypothesis import strategies as st

from cloudsync_core.body import Body, computable
from cloudsync_core.errors import IntegrityError, UnexpectedBackendError
from cloudsync_core.models import Digest, Version

MD5 = Digest("md5", hashlib.md5(b"content").hexdigest())
CRC32C = Digest("crc32c", f"{google_crc32c.value(b'content'):08x}")
RESOURCE = {"generation": "17", "md5Hash": versions.encoded(MD5), "crc32c": versions.encoded(CRC32C)}


def test_the_generation_is_the_version():
    assert versions.version(RESOURCE) == Version("17", "17")


@pytest.mark.parametrize("damaged", [{}, {"generation": 17}, {"generation": ""}, {"generation": "new"}])
def test_an_object_without_a_generation_is_no_answer(damaged):
    with pytest.raises(UnexpectedBackendError, match="generation"):
        versions.version(damaged)


def test_digests_are_those_of_the_resource_the_better_first():
    assert versions.digests(RESOURCE) == (MD5, CRC32C)


def test_B11_a_composite_object_has_a_crc_alone():
    assert versions.digests({**RESOURCE, "md5Hash": None}) == (CRC32C,)
    assert versions.digests({"generation": "1"}) == ()


@pytest.mark.parametrize("damaged", ["", "no base64!", base64.b64encode(b"short").decode(), 5, None])
def test_what_is_no_digest_is_none(damaged):
    assert versions.digests({"md5Hash": damaged, "crc32c": damaged}) == ()


@given(st.lists(st.binary()))
def test_B12_bodies_compute_crcs_from_now_on(chunks):
    assert computable("crc32c")
    body = Body(iter(chunks))
    body.require("crc32c")
    data = body.read()
    assert body.digest("crc32c").value == f"{google_crc32c.value(data):08x}"


def test_the_crc_is_the_one_of_the_standard():
    """The check value of CRC-32C (RFC 3720, B.4), which is not that of zlib's CRC-32."""
    body = Body(b"123456789")
    body.require("crc32c")
    body.read()
    assert body.digest("crc32c").value == "e3069283" != f"{zlib.crc32(b'123456789'):08x}"


@pytest.mark.parametrize(
    ("expected", "required"), [((), "md5"), ((MD5,), "md5"), ((CRC32C,), "crc32c"), ((CRC32C, MD5), "md5")]
)
def test_one_digest_is_enough_to_prove_an_upload(expected, required):
    body = Body(b"content", expect=expected)
    body.require_any("md5")
    assert versions.require(body) == required
    body.read()
    assert {digest.algorithm for digest in body.digests()} == {required, *(digest.algorithm for digest in expected)}


def test_what_the_server_tells_of_what_it_stored_is_compared():
    assert versions.confirmed(RESOURCE, (MD5,)) == (MD5,)
    assert versions.confirmed({"crc32c": RESOURCE["crc32c"]}, (MD5,)) == ()
    with pytest.raises(IntegrityError, match="md5"):
        versions.confirmed(RESOURCE, (Digest("md5", "0" * 32),))
